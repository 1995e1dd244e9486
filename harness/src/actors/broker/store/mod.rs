//! What a broker keeps: connections with their channels, exchanges, queues. No sockets and no clock: methods in, methods out.
//!
//! ```text
//! mod        connections, channels, which method goes where
//! assembly   a method, its header and its body to one command
//! exchanges  exchanges and bindings, and whereto they route
//! queues     queues, and who gets their messages
//! basic      publish, consume, get, acknowledge
//! ```
//!
//! What is refused, and in which words, is as in RabbitMQ's rabbit_channel.erl.

mod assembly;
mod basic;
mod exchanges;
mod queues;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use amq_protocol::frame::AMQPFrame;
use amq_protocol::protocol::{AMQPClass, AMQPHardError, BasicProperties, access, channel, confirm};
use tokio::sync::mpsc::UnboundedSender;

use super::exception::Exception;
use assembly::{Assembly, Command};
use exchanges::Exchange;
use queues::{Entry, Queue};

/// A message.
#[derive(Debug, PartialEq)]
pub struct Message {
    /// Where it was published to.
    pub exchange: String,
    /// With which key.
    pub key: String,
    /// Its properties.
    pub properties: BasicProperties,
    /// Its body.
    pub body: Vec<u8>,
}

/// What a connection is to write.
#[derive(Debug)]
pub enum Outgoing {
    /// A method on a channel.
    Method(u16, AMQPClass),
    /// A method with content.
    Content(u16, AMQPClass, Arc<Message>),
}

/// A channel of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The connection's number.
    pub connection: u64,
    /// The channel's.
    pub channel: u16,
}

/// Everything.
#[derive(Debug)]
pub struct Store {
    peers: HashMap<u64, Peer>,
    exchanges: BTreeMap<String, Exchange>,
    queues: BTreeMap<String, Queue>,
    /// Names given by the broker so far.
    names: u64,
}

/// A connection.
#[derive(Debug)]
struct Peer {
    out: UnboundedSender<Outgoing>,
    channels: BTreeMap<u16, Channel>,
    channel_max: u16,
    /// It wants to be told when a consumer ends with its queue (capability `consumer_cancel_notify`).
    cancel_notify: bool,
}

/// A channel.
#[derive(Debug, Default)]
struct Channel {
    open: bool,
    /// An exception ended it; what comes is ignored until the client has said channel.close-ok.
    closing: bool,
    assembly: Assembly,
    /// The last message's number, in confirm mode.
    confirms: Option<u64>,
    consumers: BTreeMap<String, Consumer>,
    unacked: BTreeMap<u64, Unacked>,
    last_tag: u64,
    /// Of consumers to come; 0 is no limit.
    prefetch: u16,
    /// Of all consumers of this channel together; 0 is no limit.
    shared_prefetch: u16,
    last_queue: Option<String>,
}

/// A consumer.
#[derive(Debug)]
struct Consumer {
    queue: String,
    no_ack: bool,
    prefetch: u16,
    unacked: usize,
}

/// A delivery that waits for its acknowledgement.
#[derive(Debug)]
struct Unacked {
    queue: String,
    entry: Entry,
    consumer: Option<String>,
}

impl Default for Store {
    fn default() -> Self {
        Self { peers: HashMap::new(), exchanges: exchanges::predeclared(), queues: BTreeMap::new(), names: 0 }
    }
}

impl Store {
    /// A connection is open.
    pub fn join(&mut self, connection: u64, out: UnboundedSender<Outgoing>, channel_max: u16, cancel_notify: bool) {
        self.peers.insert(connection, Peer { out, channels: BTreeMap::new(), channel_max, cancel_notify });
    }

    /// A connection has ended: its consumers are gone, what it has not acknowledged is queued again, its own queues are deleted.
    pub fn leave(&mut self, connection: u64) {
        let channels: Vec<u16> =
            self.peers.get(&connection).map(|peer| peer.channels.keys().copied().collect()).unwrap_or_default();
        for channel in channels {
            self.release(Place { connection, channel });
        }
        self.peers.remove(&connection);
        let own: Vec<String> =
            self.queues.iter().filter(|(_, q)| q.owner == Some(connection)).map(|(name, _)| name.clone()).collect();
        for name in own {
            self.remove_queue(&name);
        }
    }

    /// Takes a frame of a channel other than 0.
    ///
    /// # Errors
    /// A soft exception is the channel's, and [`Store::fail`] is to follow; a hard one is the connection's.
    pub fn frame(&mut self, at: Place, frame: AMQPFrame) -> Result<(), Exception> {
        let Some(peer) = self.peers.get_mut(&at.connection) else { return Ok(()) };
        if !peer.channels.contains_key(&at.channel) {
            let most = peer.channel_max;
            if most != 0 && peer.channels.len() >= usize::from(most) {
                let explanation =
                    format!("number of channels opened ({most}) has reached the negotiated channel_max ({most})");
                return Err(Exception::hard(AMQPHardError::NOTALLOWED, explanation));
            }
        }
        let channel = peer.channels.entry(at.channel).or_default();
        if channel.closing {
            return self.closing(at, &frame);
        }
        match channel.assembly.take(frame)? {
            Some(command) => self.command(at, command),
            None => Ok(()),
        }
    }

    /// Ends a channel by an exception.
    pub fn fail(&mut self, at: Place, exception: &Exception, method: (u16, u16)) {
        self.release(at);
        self.reply(
            at,
            AMQPClass::Channel(channel::AMQPMethod::Close(channel::Close {
                reply_code: exception.kind.get_id(),
                reply_text: exception.text(),
                class_id: method.0,
                method_id: method.1,
            })),
        );
        if let Some(channel) = self.channel(at) {
            *channel = Channel { open: true, closing: true, ..Channel::default() };
        }
    }

    /// A channel that waits for close-ok hears nothing else but the client's own close, which crossed ours.
    fn closing(&mut self, at: Place, frame: &AMQPFrame) -> Result<(), Exception> {
        match frame {
            AMQPFrame::Method(_, AMQPClass::Channel(channel::AMQPMethod::CloseOk(_))) => self.forget(at),
            AMQPFrame::Method(_, AMQPClass::Channel(channel::AMQPMethod::Close(_))) => {
                self.reply(at, AMQPClass::Channel(channel::AMQPMethod::CloseOk(channel::CloseOk {})));
            }
            _ => {}
        }
        Ok(())
    }

    fn command(&mut self, at: Place, command: Command) -> Result<(), Exception> {
        let Some(channel) = self.channel(at) else { return Ok(()) };
        let opens = matches!(command.method, AMQPClass::Channel(channel::AMQPMethod::Open(_)));
        match (channel.open, opens) {
            (false, false) => return Err(Exception::hard(AMQPHardError::CHANNELERROR, "expected 'channel.open'")),
            (true, true) => return Err(Exception::hard(AMQPHardError::CHANNELERROR, "second 'channel.open' seen")),
            _ => channel.open = true,
        }
        match command.method {
            AMQPClass::Basic(method) => self.basic(at, method, command.content),
            AMQPClass::Queue(method) => self.queue_method(at, method),
            AMQPClass::Exchange(method) => self.exchange_method(at, method),
            AMQPClass::Channel(method) => self.channel_method(at, &method),
            AMQPClass::Confirm(confirm::AMQPMethod::Select(select)) => {
                channel.confirms.get_or_insert(0);
                let ok = AMQPClass::Confirm(confirm::AMQPMethod::SelectOk(confirm::SelectOk {}));
                self.reply_unless(select.nowait, at, ok);
                Ok(())
            }
            AMQPClass::Access(access::AMQPMethod::Request(_)) => {
                self.reply(at, AMQPClass::Access(access::AMQPMethod::RequestOk(access::RequestOk {})));
                Ok(())
            }
            AMQPClass::Tx(_) => Err(Exception::not_implemented("transactions are not part of this broker")),
            AMQPClass::Connection(_) | AMQPClass::Access(_) | AMQPClass::Confirm(_) => Err(unexpected()),
        }
    }

    fn channel_method(&mut self, at: Place, method: &channel::AMQPMethod) -> Result<(), Exception> {
        use channel::AMQPMethod::{Close, CloseOk, Flow, FlowOk, Open, OpenOk};
        let reply = match method {
            Open(_) => OpenOk(channel::OpenOk {}),
            Close(_) => {
                self.release(at);
                self.reply(at, AMQPClass::Channel(CloseOk(channel::CloseOk {})));
                self.forget(at);
                return Ok(());
            }
            Flow(flow) if flow.active => FlowOk(channel::FlowOk { active: true }),
            Flow(_) => return Err(Exception::not_implemented("active=false")),
            OpenOk(_) | CloseOk(_) | FlowOk(_) => return Err(unexpected()),
        };
        self.reply(at, AMQPClass::Channel(reply));
        Ok(())
    }

    /// Takes from a channel what it holds: consumers, and deliveries, which are queued again.
    fn release(&mut self, at: Place) {
        let Some(channel) = self.channel(at) else { return };
        let consumers: Vec<String> = channel.consumers.keys().cloned().collect();
        // Consumers first: what is queued again must not come back here.
        for tag in consumers {
            self.cancel(at, &tag);
        }
        let unacked = self.channel(at).map(|channel| std::mem::take(&mut channel.unacked)).unwrap_or_default();
        self.requeue(unacked.into_values().collect());
    }

    fn forget(&mut self, at: Place) {
        if let Some(peer) = self.peers.get_mut(&at.connection) {
            peer.channels.remove(&at.channel);
        }
    }

    fn channel(&mut self, at: Place) -> Option<&mut Channel> {
        self.peers.get_mut(&at.connection)?.channels.get_mut(&at.channel)
    }

    fn reply(&self, at: Place, method: AMQPClass) {
        self.send(at.connection, Outgoing::Method(at.channel, method));
    }

    fn reply_unless(&self, no_wait: bool, at: Place, method: AMQPClass) {
        if !no_wait {
            self.reply(at, method);
        }
    }

    fn send(&self, connection: u64, outgoing: Outgoing) {
        if let Some(peer) = self.peers.get(&connection) {
            // A connection that is ending writes nothing any more.
            let _ = peer.out.send(outgoing);
        }
    }

    /// A name that nobody else has.
    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}-{:08}", self.names)
    }
}

/// A method that only a broker sends, or that belongs on channel 0.
fn unexpected() -> Exception {
    Exception::hard(AMQPHardError::COMMANDINVALID, "unexpected method")
}
