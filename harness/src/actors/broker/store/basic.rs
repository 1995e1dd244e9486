//! The class `basic`: publish, consume, get, acknowledge.

use std::sync::Arc;

use amq_protocol::protocol::{AMQPClass, AMQPHardError, AMQPSoftError, BasicProperties, basic};

use super::super::exception::Exception;
use super::queues::short;
use super::{Consumer, Message, Outgoing, Place, Store, Unacked, unexpected};

/// AMQP's reply code of a message that no queue takes.
const NO_ROUTE: u16 = 312;

/// What becomes of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is done with.
    Gone,
    /// It is queued again.
    Back,
}

impl Store {
    /// Plays a method of the class `basic`.
    pub(super) fn basic(
        &mut self,
        at: Place,
        method: basic::AMQPMethod,
        content: Option<(BasicProperties, Vec<u8>)>,
    ) -> Result<(), Exception> {
        use basic::AMQPMethod::{
            Ack, Cancel, CancelOk, Consume, Get, Nack, Publish, Qos, QosOk, Recover, RecoverAsync, RecoverOk, Reject,
        };
        match method {
            Publish(publish) => self.publish(at, &publish, content.unwrap_or_default()),
            Consume(consume) => self.consume(at, &consume),
            Get(get) => self.get(at, &get),
            Ack(ack) => self.settle(at, ack.delivery_tag, ack.multiple, Fate::Gone),
            Nack(nack) => self.settle(at, nack.delivery_tag, nack.multiple, fate(nack.requeue)),
            Reject(reject) => self.settle(at, reject.delivery_tag, false, fate(reject.requeue)),
            Cancel(cancel) => {
                let tag = cancel.consumer_tag.as_str();
                self.cancel(at, tag);
                let ok = AMQPClass::Basic(CancelOk(basic::CancelOk { consumer_tag: short(tag) }));
                self.reply_unless(cancel.nowait, at, ok);
                Ok(())
            }
            // The answer to a cancel of ours.
            CancelOk(_) => Ok(()),
            Qos(qos) => {
                let Some(channel) = self.channel(at) else { return Ok(()) };
                if qos.global {
                    channel.shared_prefetch = qos.prefetch_count;
                } else {
                    channel.prefetch = qos.prefetch_count;
                    channel.shared_prefetch = 0;
                }
                self.reply(at, AMQPClass::Basic(QosOk(basic::QosOk {})));
                self.pump_all(at);
                Ok(())
            }
            Recover(basic::Recover { requeue }) => {
                self.recover(at, requeue)?;
                self.reply(at, AMQPClass::Basic(RecoverOk(basic::RecoverOk {})));
                Ok(())
            }
            RecoverAsync(basic::RecoverAsync { requeue }) => self.recover(at, requeue),
            _ => Err(unexpected()),
        }
    }

    fn publish(
        &mut self,
        at: Place,
        publish: &basic::Publish,
        (properties, body): (BasicProperties, Vec<u8>),
    ) -> Result<(), Exception> {
        if publish.immediate {
            return Err(Exception::not_implemented("immediate=true"));
        }
        let (exchange, key) = (publish.exchange.as_str().to_string(), publish.routing_key.as_str().to_string());
        let queues = self.route(&exchange, &key)?;
        let message = Arc::new(Message { exchange, key, properties, body });
        if queues.is_empty() && publish.mandatory {
            let returned = basic::Return {
                reply_code: NO_ROUTE,
                reply_text: short("NO_ROUTE"),
                exchange: publish.exchange.clone(),
                routing_key: publish.routing_key.clone(),
            };
            let method = AMQPClass::Basic(basic::AMQPMethod::Return(returned));
            self.send(at.connection, Outgoing::Content(at.channel, method, message.clone()));
        }
        for name in &queues {
            if let Some(queue) = self.queues.get_mut(name) {
                queue.push(message.clone());
            }
        }
        if let Some(number) = self.channel(at).and_then(|channel| channel.confirms.as_mut()) {
            *number += 1;
            let ack = basic::Ack { delivery_tag: *number, multiple: false };
            self.reply(at, AMQPClass::Basic(basic::AMQPMethod::Ack(ack)));
        }
        for name in &queues {
            self.pump(name);
        }
        Ok(())
    }

    fn consume(&mut self, at: Place, consume: &basic::Consume) -> Result<(), Exception> {
        let name = self.named(at, consume.queue.as_str())?;
        let tag = match consume.consumer_tag.as_str() {
            "" => self.name("amq.ctag"),
            tag => tag.to_string(),
        };
        if self.channel(at).is_some_and(|channel| channel.consumers.contains_key(&tag)) {
            let explanation = format!("attempt to reuse consumer tag '{tag}'");
            return Err(Exception::hard(AMQPHardError::NOTALLOWED, explanation));
        }
        let queue = self.queue(at, &name)?;
        if queue.taken || consume.exclusive && !queue.consumers.is_empty() {
            let explanation = format!("queue '{name}' in vhost '/' in exclusive use");
            return Err(Exception::soft(AMQPSoftError::ACCESSREFUSED, explanation));
        }
        queue.taken = consume.exclusive;
        queue.consumers.push_back((at, tag.clone()));
        if let Some(channel) = self.channel(at) {
            let prefetch = channel.prefetch;
            let consumer = Consumer { queue: name.clone(), no_ack: consume.no_ack, prefetch, unacked: 0 };
            channel.consumers.insert(tag.clone(), consumer);
        }
        let ok = basic::ConsumeOk { consumer_tag: short(&tag) };
        self.reply_unless(consume.nowait, at, AMQPClass::Basic(basic::AMQPMethod::ConsumeOk(ok)));
        self.pump(&name);
        Ok(())
    }

    fn get(&mut self, at: Place, get: &basic::Get) -> Result<(), Exception> {
        let name = self.named(at, get.queue.as_str())?;
        let queue = self.queue(at, &name)?;
        let Some(entry) = queue.pop() else {
            self.reply(at, AMQPClass::Basic(basic::AMQPMethod::GetEmpty(basic::GetEmpty {})));
            return Ok(());
        };
        let message_count = queue.len();
        let Some(channel) = self.channel(at) else { return Ok(()) };
        channel.last_tag += 1;
        let ok = basic::GetOk {
            delivery_tag: channel.last_tag,
            redelivered: entry.redelivered,
            exchange: short(&entry.message.exchange),
            routing_key: short(&entry.message.key),
            message_count,
        };
        let message = entry.message.clone();
        if !get.no_ack {
            channel.unacked.insert(channel.last_tag, Unacked { queue: name, entry, consumer: None });
        }
        let method = AMQPClass::Basic(basic::AMQPMethod::GetOk(ok));
        self.send(at.connection, Outgoing::Content(at.channel, method, message));
        Ok(())
    }

    /// Settles one delivery, or with `multiple` all up to it; tag 0 is then all of them (AMQP 0-9-1, basic.ack).
    fn settle(&mut self, at: Place, tag: u64, multiple: bool, fate: Fate) -> Result<(), Exception> {
        let Some(channel) = self.channel(at) else { return Ok(()) };
        let tags: Vec<u64> = match (multiple, tag) {
            (true, 0) => channel.unacked.keys().copied().collect(),
            (true, tag) => channel.unacked.range(..=tag).map(|(tag, _)| *tag).collect(),
            (false, tag) => channel.unacked.contains_key(&tag).then_some(tag).into_iter().collect(),
        };
        if tags.is_empty() && !(multiple && tag == 0) {
            return Err(Exception::precondition(format!("unknown delivery tag {tag}")));
        }
        let settled = tags.iter().filter_map(|tag| channel.unacked.remove(tag)).collect();
        self.settled(at, settled, fate);
        Ok(())
    }

    fn settled(&mut self, at: Place, settled: Vec<Unacked>, fate: Fate) {
        if let Some(channel) = self.channel(at) {
            for tag in settled.iter().filter_map(|delivery| delivery.consumer.as_ref()) {
                if let Some(consumer) = channel.consumers.get_mut(tag) {
                    consumer.unacked = consumer.unacked.saturating_sub(1);
                }
            }
        }
        if fate == Fate::Back {
            self.requeue(settled);
        }
        self.pump_all(at);
    }

    fn recover(&mut self, at: Place, requeue: bool) -> Result<(), Exception> {
        if !requeue {
            return Err(Exception::not_implemented("requeue=false"));
        }
        let Some(channel) = self.channel(at) else { return Ok(()) };
        let all = std::mem::take(&mut channel.unacked).into_values().collect();
        self.settled(at, all, Fate::Back);
        Ok(())
    }

    /// A channel's consumers may have more now.
    fn pump_all(&mut self, at: Place) {
        let Some(channel) = self.channel(at) else { return };
        let mut names: Vec<String> = channel.consumers.values().map(|consumer| consumer.queue.clone()).collect();
        names.sort();
        names.dedup();
        for name in names {
            self.pump(&name);
        }
    }
}

fn fate(requeue: bool) -> Fate {
    if requeue { Fate::Back } else { Fate::Gone }
}
