//! The store against methods in orders that no client would think of, and topics against their definition.

use amq_protocol::frame::AMQPContentHeader;
use amq_protocol::protocol::{basic, exchange, queue};
use amq_protocol::types::ShortString;
use proptest::prelude::*;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::exchanges::topic;
use super::*;

/// What the definition says (AMQP 0-9-1, 3.1.3.3), as short as it can be said.
fn fits(pattern: &[&str], words: &[&str]) -> bool {
    match (pattern, words) {
        ([], []) => true,
        (["#", rest @ ..], words) => fits(rest, words) || (!words.is_empty() && fits(pattern, &words[1..])),
        (["*", rest @ ..], [_, words @ ..]) => fits(rest, words),
        ([part, rest @ ..], [word, words @ ..]) => part == word && fits(rest, words),
        _ => false,
    }
}

fn name() -> impl Strategy<Value = ShortString> {
    prop_oneof!["", "a", "b", "amq.topic", "nobody"].prop_map(ShortString::from)
}

fn method() -> impl Strategy<Value = AMQPClass> {
    let basic = prop_oneof![
        (name(), name(), any::<bool>()).prop_map(|(exchange, routing_key, mandatory)| {
            basic::AMQPMethod::Publish(basic::Publish { exchange, routing_key, mandatory, ..Default::default() })
        }),
        (name(), name(), any::<bool>(), any::<bool>()).prop_map(|(queue, consumer_tag, no_ack, exclusive)| {
            let consume = basic::Consume { queue, consumer_tag, no_ack, exclusive, ..Default::default() };
            basic::AMQPMethod::Consume(consume)
        }),
        (name(), any::<bool>()).prop_map(|(queue, no_ack)| basic::AMQPMethod::Get(basic::Get { queue, no_ack })),
        (0_u64..4, any::<bool>())
            .prop_map(|(delivery_tag, multiple)| basic::AMQPMethod::Ack(basic::Ack { delivery_tag, multiple })),
        (0_u64..4, any::<bool>(), any::<bool>()).prop_map(|(delivery_tag, multiple, requeue)| {
            basic::AMQPMethod::Nack(basic::Nack { delivery_tag, multiple, requeue })
        }),
        name().prop_map(|consumer_tag| basic::AMQPMethod::Cancel(basic::Cancel { consumer_tag, nowait: false })),
        (0_u16..3, any::<bool>())
            .prop_map(|(prefetch_count, global)| basic::AMQPMethod::Qos(basic::Qos { prefetch_count, global })),
        any::<bool>().prop_map(|requeue| basic::AMQPMethod::Recover(basic::Recover { requeue })),
    ];
    let queue = prop_oneof![
        (name(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(queue, passive, exclusive, auto_delete)| {
            let declare = queue::Declare { queue, passive, exclusive, auto_delete, ..Default::default() };
            queue::AMQPMethod::Declare(declare)
        }),
        (name(), name(), name()).prop_map(|(queue, exchange, routing_key)| {
            queue::AMQPMethod::Bind(queue::Bind { queue, exchange, routing_key, ..Default::default() })
        }),
        name().prop_map(|queue| queue::AMQPMethod::Purge(queue::Purge { queue, nowait: false })),
        name().prop_map(|queue| queue::AMQPMethod::Delete(queue::Delete { queue, ..Default::default() })),
    ];
    let exchange = prop_oneof![
        (name(), any::<bool>()).prop_map(|(exchange, auto_delete)| {
            let declare = exchange::Declare { exchange, kind: "topic".into(), auto_delete, ..Default::default() };
            exchange::AMQPMethod::Declare(declare)
        }),
        (name(), name()).prop_map(|(source, destination)| {
            exchange::AMQPMethod::Bind(exchange::Bind { source, destination, ..Default::default() })
        }),
        name().prop_map(|exchange| exchange::AMQPMethod::Delete(exchange::Delete { exchange, ..Default::default() })),
    ];
    prop_oneof![
        6 => basic.prop_map(AMQPClass::Basic),
        4 => queue.prop_map(AMQPClass::Queue),
        2 => exchange.prop_map(AMQPClass::Exchange),
        1 => Just(AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {}))),
        1 => Just(AMQPClass::Channel(channel::AMQPMethod::Close(channel::Close::default()))),
        1 => Just(AMQPClass::Channel(channel::AMQPMethod::CloseOk(channel::CloseOk {}))),
        1 => Just(AMQPClass::Confirm(confirm::AMQPMethod::Select(confirm::Select { nowait: false }))),
    ]
}

/// Two connections with two open channels each.
fn store() -> (Store, Vec<UnboundedReceiver<Outgoing>>) {
    let mut store = Store::default();
    let receivers = (1..=2).map(|connection| {
        let (out, receiver) = unbounded_channel();
        store.join(connection, out, 100, true);
        receiver
    });
    let receivers: Vec<_> = receivers.collect();
    for (connection, channel) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
        play(
            &mut store,
            Place { connection, channel },
            AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {})),
        );
    }
    (store, receivers)
}

/// Plays a method, with content if it is to have any, as the reader does.
fn play(store: &mut Store, at: Place, method: AMQPClass) {
    let publishes = matches!(method, AMQPClass::Basic(basic::AMQPMethod::Publish(_)));
    let mut frames = vec![AMQPFrame::Method(at.channel, method)];
    if publishes {
        let header = AMQPContentHeader { class_id: 60, body_size: 1, properties: BasicProperties::default() };
        frames.push(AMQPFrame::Header(at.channel, header));
        frames.push(AMQPFrame::Body(at.channel, vec![b'.']));
    }
    for frame in frames {
        if let Err(exception) = store.frame(at, frame) {
            if exception.is_soft() {
                store.fail(at, &exception, (0, 0));
            } else {
                // The reader would end the connection; here others are to go on meeting it.
                store.release(at);
                store.forget(at);
            }
            return;
        }
    }
}

/// What must hold of every store: each delivery and each consumer is known to both of its sides.
fn check(store: &Store) {
    for (connection, peer) in &store.peers {
        for (number, channel) in &peer.channels {
            let at = Place { connection: *connection, channel: *number };
            for (tag, consumer) in &channel.consumers {
                let queue = &store.queues[&consumer.queue];
                assert_eq!(queue.consumers.iter().filter(|other| **other == (at, tag.clone())).count(), 1);
                let held = channel.unacked.values().filter(|delivery| delivery.consumer.as_ref() == Some(tag)).count();
                assert!(consumer.unacked <= held, "{tag} counts {} deliveries and has {held}", consumer.unacked);
                assert!(consumer.prefetch == 0 || consumer.unacked <= usize::from(consumer.prefetch));
            }
        }
    }
    for (name, queue) in &store.queues {
        for (at, tag) in &queue.consumers {
            assert_eq!(&store.peers[&at.connection].channels[&at.channel].consumers[tag].queue, name);
        }
    }
}

proptest! {
    #[test]
    fn topics_match_as_they_are_defined(
        pattern in prop::collection::vec(prop_oneof!["a", "b", "\\*", "#"], 1..6),
        words in prop::collection::vec(prop_oneof!["a", "b", "c"], 0..6),
    ) {
        let pattern: Vec<&str> = pattern.iter().map(|part| if part == "\\*" { "*" } else { part }).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        prop_assert_eq!(topic(&pattern, &words), fits(&pattern, &words));
    }

    #[test]
    fn no_order_of_methods_confuses_the_store(
        steps in prop::collection::vec((1_u64..=2, 1_u16..=2, method()), 0..60),
    ) {
        let (mut store, _receivers) = store();
        for (connection, channel, method) in steps {
            play(&mut store, Place { connection, channel }, method);
            check(&store);
        }
        store.leave(1);
        check(&store);
        store.leave(2);
        prop_assert!(store.queues.values().all(|queue| queue.consumers.is_empty() && queue.owner.is_none()));
    }
}
