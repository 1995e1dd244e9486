//! Queues, and who gets their messages.

use std::collections::VecDeque;
use std::sync::Arc;

use amq_protocol::protocol::{AMQPClass, AMQPSoftError, basic, queue};
use amq_protocol::types::ShortString;

use super::super::exception::Exception;
use super::exchanges::{Binding, Target, not_reserved, same};
use super::{Message, Outgoing, Place, Store, Unacked, unexpected};

/// A queue.
#[derive(Debug, Default)]
pub struct Queue {
    durable: bool,
    auto_delete: bool,
    /// The connection that it belongs to, if it is exclusive.
    pub owner: Option<u64>,
    ready: VecDeque<Entry>,
    /// Messages that it ever had.
    had: u64,
    /// Whose turn it is comes first.
    pub consumers: VecDeque<(Place, String)>,
    /// Its one consumer wants no other.
    pub taken: bool,
}

/// A message in a queue.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place: what is queued again stands where it stood.
    position: u64,
    /// The message.
    pub message: Arc<Message>,
    /// It was delivered before.
    pub redelivered: bool,
}

impl Queue {
    /// Adds a message.
    pub fn push(&mut self, message: Arc<Message>) {
        self.had += 1;
        self.ready.push_back(Entry { position: self.had, message, redelivered: false });
    }

    /// Takes the first message.
    pub fn pop(&mut self) -> Option<Entry> {
        self.ready.pop_front()
    }

    /// Messages that are ready to be delivered.
    pub fn len(&self) -> u32 {
        u32::try_from(self.ready.len()).unwrap_or(u32::MAX)
    }

    fn put_back(&mut self, entry: Entry) {
        let at = self.ready.partition_point(|there| there.position < entry.position);
        self.ready.insert(at, Entry { redelivered: true, ..entry });
    }

    fn consumers(&self) -> u32 {
        u32::try_from(self.consumers.len()).unwrap_or(u32::MAX)
    }
}

impl Store {
    /// Plays a method of the class `queue`.
    pub(super) fn queue_method(&mut self, at: Place, method: queue::AMQPMethod) -> Result<(), Exception> {
        use queue::AMQPMethod::{Bind, BindOk, Declare, DeclareOk, Delete, DeleteOk, Purge, PurgeOk, Unbind, UnbindOk};
        let (no_wait, reply) = match method {
            Declare(declare) => {
                let name = self.declare_queue(at, &declare)?;
                let queue = self.queue(at, &name)?;
                let (message_count, consumer_count) = (queue.len(), queue.consumers());
                let ok = queue::DeclareOk { queue: short(&name), message_count, consumer_count };
                (declare.nowait, DeclareOk(ok))
            }
            Bind(bind) => {
                let name = self.named(at, bind.queue.as_str())?;
                self.queue(at, &name)?;
                // Neither queue nor key named: the last queue, by its name (rabbit_channel.erl, `expand_routing_key_shortcut/3`).
                let shortcut = bind.queue.as_str().is_empty() && bind.routing_key.as_str().is_empty();
                let key = if shortcut { name.clone() } else { bind.routing_key.as_str().into() };
                self.bind(bind.exchange.as_str(), Binding { to: Target::Queue(name), key })?;
                (bind.nowait, BindOk(queue::BindOk {}))
            }
            Unbind(unbind) => {
                let name = self.named(at, unbind.queue.as_str())?;
                let binding = Binding { to: Target::Queue(name), key: unbind.routing_key.as_str().into() };
                self.unbind(unbind.exchange.as_str(), &binding)?;
                (false, UnbindOk(queue::UnbindOk {}))
            }
            Purge(purge) => {
                let name = self.named(at, purge.queue.as_str())?;
                let queue = self.queue(at, &name)?;
                let message_count = queue.len();
                queue.ready.clear();
                (purge.nowait, PurgeOk(queue::PurgeOk { message_count }))
            }
            Delete(delete) => {
                let message_count = self.delete_queue(at, &delete)?;
                (delete.nowait, DeleteOk(queue::DeleteOk { message_count }))
            }
            DeclareOk(_) | BindOk(_) | UnbindOk(_) | PurgeOk(_) | DeleteOk(_) => return Err(unexpected()),
        };
        self.reply_unless(no_wait, at, AMQPClass::Queue(reply));
        Ok(())
    }

    fn declare_queue(&mut self, at: Place, declare: &queue::Declare) -> Result<String, Exception> {
        let given = declare.queue.as_str();
        let name = match given {
            "" if declare.passive => self.named(at, given)?,
            "" => self.name("amq.gen"),
            name => name.to_string(),
        };
        if declare.passive {
            self.queue(at, &name)?;
        } else if self.queues.contains_key(&name) {
            let exclusive = self.queue(at, &name)?.owner.is_some();
            let queue = self.queue(at, &name)?;
            let same = |what, wanted: bool, is: bool| same(what, "queue", &name, &wanted.to_string(), &is.to_string());
            same("durable", declare.durable, queue.durable)?;
            same("auto_delete", declare.auto_delete, queue.auto_delete)?;
            same("exclusive", declare.exclusive, exclusive)?;
        } else {
            if !given.is_empty() {
                not_reserved("queue", given)?;
            }
            let queue = Queue {
                durable: declare.durable,
                auto_delete: declare.auto_delete,
                owner: declare.exclusive.then_some(at.connection),
                ..Queue::default()
            };
            self.queues.insert(name.clone(), queue);
        }
        if let Some(channel) = self.channel(at) {
            channel.last_queue = Some(name.clone());
        }
        Ok(name)
    }

    /// A queue that is not there is deleted already (RabbitMQ, specification errata 5).
    fn delete_queue(&mut self, at: Place, delete: &queue::Delete) -> Result<u32, Exception> {
        let name = self.named(at, delete.queue.as_str())?;
        if !self.queues.contains_key(&name) {
            return Ok(0);
        }
        let queue = self.queue(at, &name)?;
        let messages = queue.len();
        if delete.if_unused && !queue.consumers.is_empty() {
            return Err(Exception::precondition(format!("queue '{name}' in vhost '/' in use")));
        }
        if delete.if_empty && messages > 0 {
            return Err(Exception::precondition(format!("queue '{name}' in vhost '/' not empty")));
        }
        self.remove_queue(&name);
        Ok(messages)
    }

    /// Deletes a queue; its consumers are told if they want to know.
    pub(super) fn remove_queue(&mut self, name: &str) {
        let Some(queue) = self.queues.remove(name) else { return };
        self.unbind_all(&Target::Queue(name.into()));
        for (at, tag) in queue.consumers {
            if let Some(channel) = self.channel(at) {
                channel.consumers.remove(&tag);
            }
            if self.peers.get(&at.connection).is_some_and(|peer| peer.cancel_notify) {
                let cancel = basic::Cancel { consumer_tag: short(&tag), nowait: true };
                self.reply(at, AMQPClass::Basic(basic::AMQPMethod::Cancel(cancel)));
            }
        }
    }

    /// A queue by its name, or, without one, the last that this channel declared (AMQP 0-9-1, queue.bind).
    pub(super) fn named(&mut self, at: Place, name: &str) -> Result<String, Exception> {
        if !name.is_empty() {
            return Ok(name.into());
        }
        let last = self.channel(at).and_then(|channel| channel.last_queue.clone());
        last.ok_or_else(|| Exception::soft(AMQPSoftError::NOTFOUND, "no previously declared queue"))
    }

    /// A queue that is there, and is no other connection's own.
    pub(super) fn queue(&mut self, at: Place, name: &str) -> Result<&mut Queue, Exception> {
        let queue = self.queues.get_mut(name).ok_or_else(|| Exception::not_found("queue", name))?;
        if queue.owner.is_some_and(|owner| owner != at.connection) {
            let explanation = format!(
                "cannot obtain exclusive access to locked queue '{name}' in vhost '/'. It could be originally declared on \
                 another connection or the exclusive property value does not match that of the original declaration."
            );
            return Err(Exception::soft(AMQPSoftError::RESOURCELOCKED, explanation));
        }
        Ok(queue)
    }

    /// Takes a consumer from its channel and its queue; a queue that deletes itself does so with its last one.
    pub(super) fn cancel(&mut self, at: Place, tag: &str) {
        let Some(consumer) = self.channel(at).and_then(|channel| channel.consumers.remove(tag)) else { return };
        let Some(queue) = self.queues.get_mut(&consumer.queue) else { return };
        queue.consumers.retain(|(place, other)| (*place, other.as_str()) != (at, tag));
        queue.taken = false;
        if queue.auto_delete && queue.consumers.is_empty() {
            self.remove_queue(&consumer.queue);
        }
    }

    /// Puts deliveries back to where they stood, and delivers them to whoever may have them.
    pub(super) fn requeue(&mut self, unacked: Vec<Unacked>) {
        let mut names: Vec<String> = Vec::new();
        for Unacked { queue: name, entry, .. } in unacked {
            if let Some(queue) = self.queues.get_mut(&name) {
                queue.put_back(entry);
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        for name in names {
            self.pump(&name);
        }
    }

    /// Delivers what is ready to consumers that may have more, one after the other.
    pub(super) fn pump(&mut self, name: &str) {
        let mut refused = 0;
        while let Some(queue) = self.queues.get_mut(name)
            && !queue.ready.is_empty()
            && refused < queue.consumers.len()
        {
            let Some((at, tag)) = queue.consumers.pop_front() else { return };
            queue.consumers.push_back((at, tag.clone()));
            if self.may_have(at, &tag) {
                refused = 0;
                self.deliver(name, at, &tag);
            } else {
                refused += 1;
            }
        }
    }

    fn may_have(&mut self, at: Place, tag: &str) -> bool {
        let below = |most: u16, count: &dyn Fn() -> usize| most == 0 || count() < usize::from(most);
        let Some(channel) = self.channel(at) else { return false };
        let held = || channel.unacked.values().filter(|delivery| delivery.consumer.is_some()).count();
        channel.consumers.get(tag).is_some_and(|consumer| {
            let own = below(consumer.prefetch, &|| consumer.unacked);
            consumer.no_ack || own && below(channel.shared_prefetch, &held)
        })
    }

    fn deliver(&mut self, name: &str, at: Place, tag: &str) {
        let Some(entry) = self.queues.get_mut(name).and_then(Queue::pop) else { return };
        let Some(channel) = self.channel(at) else { return };
        channel.last_tag += 1;
        let delivery_tag = channel.last_tag;
        let deliver = basic::Deliver {
            consumer_tag: short(tag),
            delivery_tag,
            redelivered: entry.redelivered,
            exchange: short(&entry.message.exchange),
            routing_key: short(&entry.message.key),
        };
        let message = entry.message.clone();
        if let Some(consumer) = channel.consumers.get_mut(tag)
            && !consumer.no_ack
        {
            consumer.unacked += 1;
            let unacked = Unacked { queue: name.into(), entry, consumer: Some(tag.into()) };
            channel.unacked.insert(delivery_tag, unacked);
        }
        let method = AMQPClass::Basic(basic::AMQPMethod::Deliver(deliver));
        self.send(at.connection, Outgoing::Content(at.channel, method, message));
    }
}

/// All names come from short strings, or are shorter.
pub fn short(name: &str) -> ShortString {
    ShortString::try_new(name).unwrap_or_default()
}
