//! Handshakes, heartbeats and ends.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use amq_protocol::frame::{AMQPFrame, WriteContext, gen_frame, parse_frame};
use amq_protocol::protocol::{AMQPClass, connection};
use lapin::types::FieldTable;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use whyclosed::actors::broker::Settings;

use crate::{PATIENCE, USUAL, broker, connect, whys};

/// A client that says what it is told to.
struct Bare {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Bare {
    async fn connect(broker: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(broker).await.unwrap(), read: Vec::new() }
    }

    /// Up to connection.open-ok, with these answers to connection.tune.
    async fn open(broker: SocketAddr, heartbeat: u16) -> Self {
        let mut bare = Self::tuned(broker, 131_072, heartbeat).await;
        bare.say(connection::AMQPMethod::Open(connection::Open { virtual_host: "/".into() })).await;
        assert!(matches!(bare.method().await, connection::AMQPMethod::OpenOk(_)));
        bare
    }

    async fn tuned(broker: SocketAddr, frame_max: u32, heartbeat: u16) -> Self {
        let mut bare = Self::connect(broker).await;
        bare.write(b"AMQP\0\0\x09\x01").await;
        assert!(matches!(bare.method().await, connection::AMQPMethod::Start(_)));
        bare.start("PLAIN", b"\0worker\0secret").await;
        assert!(matches!(bare.method().await, connection::AMQPMethod::Tune(_)));
        bare.say(connection::AMQPMethod::TuneOk(connection::TuneOk { channel_max: 10, frame_max, heartbeat })).await;
        bare
    }

    async fn start(&mut self, mechanism: &str, response: &[u8]) {
        self.say(connection::AMQPMethod::StartOk(connection::StartOk {
            client_properties: FieldTable::default(),
            mechanism: mechanism.into(),
            response: response.into(),
            locale: "en_US".into(),
        }))
        .await;
    }

    async fn write(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
    }

    async fn say(&mut self, method: connection::AMQPMethod) {
        let frame = AMQPFrame::Method(0, AMQPClass::Connection(method));
        let octets = gen_frame(&frame)(WriteContext::from(Vec::new())).unwrap().into_inner().0;
        self.write(&octets).await;
    }

    async fn frame(&mut self) -> AMQPFrame {
        loop {
            if let Ok((rest, frame)) = parse_frame(self.read.as_slice()) {
                self.read = rest.to_vec();
                return frame;
            }
            let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
            assert!(read.expect("a frame in time").unwrap() > 0, "the broker has closed");
        }
    }

    async fn method(&mut self) -> connection::AMQPMethod {
        match self.frame().await {
            AMQPFrame::Method(0, AMQPClass::Connection(method)) => method,
            other => panic!("{other:?}"),
        }
    }

    /// The broker's connection.close.
    async fn closed_with(&mut self) -> (u16, String) {
        match self.method().await {
            connection::AMQPMethod::Close(close) => (close.reply_code, close.reply_text.to_string()),
            other => panic!("{other:?}"),
        }
    }

    /// Reads to the end; gives what came, and the error that it ended with.
    async fn end(mut self) -> (Vec<u8>, Option<std::io::ErrorKind>) {
        let error = loop {
            match tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await.expect("an end in time") {
                Ok(0) => break None,
                Ok(_) => {}
                Err(error) => break Some(error.kind()),
            }
        };
        (self.read, error)
    }
}

#[tokio::test]
async fn another_protocol_is_told_which_one_is_spoken_here() {
    for greeting in [b"AMQP\0\x02\0\0", b"AMQP\x03\x01\0\0", b"GET / HT"] {
        let mut bare = Bare::connect(broker(USUAL).await.0).await;
        bare.write(greeting).await;
        assert_eq!(bare.end().await.0, b"AMQP\0\0\x09\x01");
    }
}

#[tokio::test]
async fn both_ways_to_say_a_name_are_understood() {
    let mut table = b"\x05LOGINS".to_vec();
    table.extend_from_slice(b"\0\0\0\x06worker\x08PASSWORDS\0\0\0\x06secret");
    for (mechanism, response) in [("PLAIN", b"\0worker\0secret".as_slice()), ("AMQPLAIN", &table)] {
        let mut bare = Bare::connect(broker(USUAL).await.0).await;
        bare.write(b"AMQP\0\0\x09\x01").await;
        bare.method().await;
        bare.start(mechanism, response).await;
        assert!(matches!(bare.method().await, connection::AMQPMethod::Tune(_)), "{mechanism}");
    }
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_ended_by_rst() {
    let timeout = Duration::from_millis(200);
    let start = Instant::now();
    let (broker, reports) = broker(Settings { handshake_timeout: timeout, ..USUAL }).await;
    let (read, error) = Bare::connect(broker).await.end().await;
    assert_eq!((read.len(), error), (0, Some(std::io::ErrorKind::ConnectionReset)));
    assert!(start.elapsed() >= timeout);
    assert_eq!(whys(&reports), ["handshake-timeout"]);
}

#[tokio::test]
async fn heartbeats_come_each_half_interval_and_missed_ones_end_the_connection_at_the_third_interval() {
    let (broker, reports) = broker(USUAL).await;
    let start = Instant::now();
    let (read, error) = Bare::open(broker, 1).await.end().await;
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(error, Some(std::io::ErrorKind::ConnectionReset));
    assert!((3.0..3.5).contains(&seconds), "{seconds} s");
    assert_eq!(read.len() / 8, 5, "heartbeats in three seconds, the one at the end not among them");
    assert_eq!(whys(&reports), ["heartbeat"]);
}

#[tokio::test]
async fn a_client_that_answers_with_no_heartbeat_gets_none() {
    let mut bare = Bare::open(broker(Settings { heartbeat_s: 1, ..USUAL }).await.0, 0).await;
    let frame = tokio::time::timeout(Duration::from_millis(1200), bare.frame()).await;
    assert!(frame.is_err(), "{frame:?}");
}

#[tokio::test]
async fn more_than_was_proposed_is_refused() {
    let mut bare = Bare::tuned(broker(USUAL).await.0, 200_000, 60).await;
    let text = "NOT_ALLOWED - negotiated frame_max = 200000 is higher than the maximum allowed value (131072)";
    assert_eq!(bare.closed_with().await, (530, text.into()));
}

#[tokio::test]
async fn a_frame_that_is_none_is_a_connection_exception_and_then_nothing_is_read_any_more() {
    let mut bare = Bare::open(broker(USUAL).await.0, 0).await;
    bare.write(b"\x09\0\0\0\0\0\0\xce").await;
    assert_eq!(bare.closed_with().await.0, 501);
    let start = Instant::now();
    let (read, error) = bare.end().await;
    assert_eq!((read.len(), error), (0, Some(std::io::ErrorKind::ConnectionReset)));
    assert!(start.elapsed() >= Duration::from_millis(2900), "RabbitMQ waits three seconds");
}

#[tokio::test]
async fn a_method_on_a_channel_that_was_not_opened_is_a_connection_exception() {
    let mut bare = Bare::open(broker(USUAL).await.0, 0).await;
    // queue.delete on channel 3.
    bare.write(b"\x01\0\x03\0\0\0\x09\0\x32\0\x28\0\0\x01q\0\xce").await;
    assert_eq!(bare.closed_with().await, (504, "CHANNEL_ERROR - expected 'channel.open'".into()));
    // The client agrees, and the broker closes, as it was the one to begin.
    bare.say(connection::AMQPMethod::CloseOk(connection::CloseOk {})).await;
    assert_eq!(bare.end().await.1, Some(std::io::ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn after_an_orderly_close_the_broker_waits_for_the_client_to_close_the_socket() {
    let mut bare = Bare::open(broker(USUAL).await.0, 0).await;
    bare.say(connection::AMQPMethod::Close(connection::Close::default())).await;
    assert!(matches!(bare.method().await, connection::AMQPMethod::CloseOk(_)));
    let more = tokio::time::timeout(Duration::from_millis(100), bare.frame()).await;
    assert!(more.is_err(), "the broker did something: {more:?}");
}

#[tokio::test]
async fn lapin_takes_the_heartbeat_that_is_proposed() {
    let connection = connect(broker(Settings { heartbeat_s: 17, ..USUAL }).await.0).await;
    assert_eq!(connection.configuration().heartbeat(), 17);
}

#[tokio::test]
async fn the_broker_says_by_which_word_each_connection_ended() {
    let (broker, reports) = broker(USUAL).await;
    let ended = async |count: usize| {
        let start = Instant::now();
        while whys(&reports).len() < count {
            assert!(start.elapsed() < PATIENCE, "{:?}", whys(&reports));
            tokio::task::yield_now().await;
        }
    };
    // A health check, a client that dies, one that aborts, one that closes in order.
    drop(Bare::connect(broker).await);
    ended(1).await;
    drop(Bare::open(broker, 0).await);
    ended(2).await;
    let aborting = Bare::open(broker, 0).await;
    aborting.stream.set_zero_linger().unwrap();
    drop(aborting);
    ended(3).await;
    connect(broker).await.close(200, "".into()).await.unwrap();
    ended(4).await;
    assert_eq!(whys(&reports), ["eof", "eof", "error", "protocol"]);
}
