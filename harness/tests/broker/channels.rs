//! Exchanges, queues, consumers.

use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream;
use lapin::message::Delivery;
use lapin::options::*;
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Consumer, ErrorKind, ExchangeKind};

use crate::{PATIENCE, channel, connect};

async fn queue(channel: &Channel, name: &str) -> String {
    let options = QueueDeclareOptions::default();
    let queue = channel.queue_declare(name.into(), options, FieldTable::default()).await.unwrap();
    queue.name().to_string()
}

async fn publish(channel: &Channel, exchange: &str, key: &str, body: &[u8]) -> Confirmation {
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let properties = BasicProperties::default().with_message_id("m".into());
    channel.basic_publish(exchange.into(), key.into(), options, body, properties).await.unwrap().await.unwrap()
}

async fn consume(channel: &Channel, queue: &str) -> Consumer {
    let options = BasicConsumeOptions::default();
    channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await.unwrap()
}

async fn next(consumer: &mut Consumer) -> Delivery {
    let next = std::future::poll_fn(|context| Pin::new(&mut *consumer).poll_next(context));
    tokio::time::timeout(PATIENCE, next).await.expect("a message in time").unwrap().unwrap()
}

/// Nothing comes, not even after the broker has answered something else.
async fn nothing(channel: &Channel, consumer: &mut Consumer) {
    channel.queue_declare("".into(), QueueDeclareOptions::default(), FieldTable::default()).await.unwrap();
    let next = tokio::time::timeout(Duration::from_millis(50), next(consumer)).await;
    assert!(next.is_err(), "{next:?}");
}

async fn count(channel: &Channel, name: &str) -> u32 {
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    channel.queue_declare(name.into(), passive, FieldTable::default()).await.unwrap().message_count()
}

fn code(error: &lapin::Error) -> u16 {
    match error.kind() {
        ErrorKind::ProtocolError(error) => error.get_id(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn messages_of_any_size_come_back_as_they_were_published() {
    let (_, _connection, channel) = channel().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let queue = queue(&channel, "").await;
    let mut consumer = consume(&channel, &queue).await;
    for size in [0, 1, 131_064, 131_065, 1_000_000] {
        let body = vec![7; size];
        assert!(publish(&channel, "", &queue, &body).await.is_ack());
        let delivery = next(&mut consumer).await;
        assert!(delivery.data == body, "{size} bytes");
        assert_eq!(delivery.routing_key.as_str(), queue);
        assert_eq!(delivery.properties.message_id().as_ref().unwrap().as_str(), "m");
        assert!(!delivery.redelivered);
    }
}

#[tokio::test]
async fn a_message_that_no_queue_takes_is_returned_and_then_confirmed() {
    let (_, _connection, channel) = channel().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let confirmation = publish(&channel, "amq.direct", "nobody", b"lost").await;
    let returned = confirmation.take_message().unwrap();
    assert_eq!((returned.reply_code, returned.data.as_slice()), (312, b"lost".as_slice()));
}

#[tokio::test]
async fn exchanges_route_by_key_to_all_and_by_topic() {
    let (_, _connection, channel) = channel().await;
    for (exchange, key) in [("amq.direct", "a"), ("amq.fanout", "ignored"), ("amq.topic", "order.*.#")] {
        let queue = queue(&channel, exchange.trim_start_matches("amq.")).await;
        let options = QueueBindOptions::default();
        channel.queue_bind(queue.into(), exchange.into(), key.into(), options, FieldTable::default()).await.unwrap();
    }
    let options = ExchangeDeclareOptions::default();
    channel.exchange_declare("own".into(), ExchangeKind::Fanout, options, FieldTable::default()).await.unwrap();
    let options = ExchangeBindOptions::default();
    let (to, from) = ("amq.topic".into(), "own".into());
    channel.exchange_bind(to, from, "".into(), options, FieldTable::default()).await.unwrap();
    for (exchange, key) in [
        ("amq.direct", "a"),
        ("amq.direct", "b"),
        ("amq.fanout", "c"),
        ("amq.topic", "order.new.today"),
        ("amq.topic", "order"),
        ("own", "order.old"),
    ] {
        publish(&channel, exchange, key, b"").await;
    }
    let counts = [count(&channel, "direct").await, count(&channel, "fanout").await, count(&channel, "topic").await];
    assert_eq!(counts, [1, 1, 2]);
}

#[tokio::test]
async fn what_is_refused_is_queued_again_in_its_old_place_and_marked() {
    let (_, _connection, channel) = channel().await;
    let queue = queue(&channel, "").await;
    channel.basic_qos(1, BasicQosOptions::default()).await.unwrap();
    let mut consumer = consume(&channel, &queue).await;
    for body in [b"1", b"2"] {
        publish(&channel, "", &queue, body).await;
    }
    let first = next(&mut consumer).await;
    first.nack(BasicNackOptions { requeue: true, ..Default::default() }).await.unwrap();
    let again = next(&mut consumer).await;
    assert_eq!((again.data.as_slice(), again.redelivered), (b"1".as_slice(), true));
    again.reject(BasicRejectOptions { requeue: false }).await.unwrap();
    assert_eq!(next(&mut consumer).await.data, b"2");
}

#[tokio::test]
async fn a_consumer_gets_no_more_than_its_prefetch_until_it_acknowledges() {
    let (_, _connection, channel) = channel().await;
    let queue = queue(&channel, "").await;
    channel.basic_qos(2, BasicQosOptions::default()).await.unwrap();
    let mut consumer = consume(&channel, &queue).await;
    for body in [b"1", b"2", b"3"] {
        publish(&channel, "", &queue, body).await;
    }
    let first = next(&mut consumer).await;
    next(&mut consumer).await;
    nothing(&channel, &mut consumer).await;
    first.ack(BasicAckOptions::default()).await.unwrap();
    assert_eq!(next(&mut consumer).await.data, b"3");
}

#[tokio::test]
async fn consumers_of_one_queue_take_turns() {
    let (broker, _connection, channel) = channel().await;
    let other = connect(broker).await.create_channel().await.unwrap();
    let queue = queue(&channel, "shared").await;
    let mut consumers = [consume(&channel, &queue).await, consume(&other, &queue).await];
    for body in [b"1", b"2", b"3", b"4"] {
        publish(&channel, "", &queue, body).await;
    }
    for bodies in [[b"1", b"2"], [b"3", b"4"]] {
        for (consumer, body) in consumers.iter_mut().zip(bodies) {
            assert_eq!(next(consumer).await.data, body);
        }
    }
}

#[tokio::test]
async fn what_a_connection_has_not_acknowledged_goes_to_another_when_it_ends() {
    let (broker, _connection, channel) = channel().await;
    let queue = queue(&channel, "shared").await;
    let dying = connect(broker).await;
    let dying_channel = dying.create_channel().await.unwrap();
    let mut first = consume(&dying_channel, &queue).await;
    publish(&channel, "", &queue, b"once").await;
    next(&mut first).await;
    let mut second = consume(&channel, &queue).await;
    dying.close(200, "".into()).await.unwrap();
    assert!(next(&mut second).await.redelivered);
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_404_and_only_the_channel_ends() {
    let (_, connection, channel) = channel().await;
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let error = channel.queue_declare("nowhere".into(), passive, FieldTable::default()).await.unwrap_err();
    assert_eq!(code(&error), 404);
    assert!(error.to_string().contains("NOT_FOUND - no queue 'nowhere' in vhost '/'"), "{error}");
    queue(&connection.create_channel().await.unwrap(), "").await;
}

#[tokio::test]
async fn a_queue_declared_again_otherwise_is_406() {
    let (_, _connection, channel) = channel().await;
    queue(&channel, "q").await;
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    let error = channel.queue_declare("q".into(), durable, FieldTable::default()).await.unwrap_err();
    assert_eq!(code(&error), 406);
}

#[tokio::test]
async fn a_delivery_that_is_not_there_cannot_be_acknowledged() {
    let (_, _connection, channel) = channel().await;
    channel.basic_ack(99, BasicAckOptions::default()).await.unwrap();
    let error =
        channel.queue_declare("".into(), QueueDeclareOptions::default(), FieldTable::default()).await.unwrap_err();
    assert_eq!(code(&error), 406);
}

#[tokio::test]
async fn an_exclusive_queue_is_locked_to_others_and_gone_with_its_connection() {
    let (broker, _connection, channel) = channel().await;
    let owner = connect(broker).await;
    let exclusive = QueueDeclareOptions { exclusive: true, ..Default::default() };
    let own = owner.create_channel().await.unwrap();
    own.queue_declare("own".into(), exclusive, FieldTable::default()).await.unwrap();
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let error = channel.queue_declare("own".into(), passive, FieldTable::default()).await.unwrap_err();
    assert_eq!(code(&error), 405);
    owner.close(200, "".into()).await.unwrap();
    let other = connect(broker).await.create_channel().await.unwrap();
    let error = other.queue_declare("own".into(), passive, FieldTable::default()).await.unwrap_err();
    assert_eq!(code(&error), 404);
}

#[tokio::test]
async fn messages_can_be_fetched_counted_and_thrown_away() {
    let (_, _connection, channel) = channel().await;
    let queue = queue(&channel, "q").await;
    for body in [b"1", b"2", b"3"] {
        publish(&channel, "", &queue, body).await;
    }
    let fetched = channel.basic_get("q".into(), BasicGetOptions { no_ack: true }).await.unwrap().unwrap();
    assert_eq!((fetched.delivery.data.as_slice(), fetched.message_count), (b"1".as_slice(), 2));
    assert_eq!(channel.queue_purge("q".into(), QueuePurgeOptions::default()).await.unwrap(), 2);
    assert!(channel.basic_get("q".into(), BasicGetOptions::default()).await.unwrap().is_none());
    publish(&channel, "", &queue, b"4").await;
    assert_eq!(channel.queue_delete("q".into(), QueueDeleteOptions::default()).await.unwrap(), 1);
}

#[tokio::test]
async fn what_is_published_to_no_exchange_ends_the_channel() {
    let (_, _connection, channel) = channel().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let options = BasicPublishOptions::default();
    let confirm =
        channel.basic_publish("none".into(), "".into(), options, b"", BasicProperties::default()).await.unwrap();
    assert_eq!(code(&confirm.await.unwrap_err()), 404);
}
