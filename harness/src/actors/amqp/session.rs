//! One connection: opens, declares a queue of its own, consumes from it, publishes to it when ordered to, and ends.

use std::pin::Pin;
use std::sync::Arc;

use async_rs::traits::Reactor;
use async_rs::{Runtime, Tokio};
use futures_core::Stream;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::uri::AMQPUri;
use lapin::{AsyncTcpStream, BasicProperties, Channel, Connection, ConnectionProperties, ErrorKind, Event};
use tokio::sync::{mpsc, oneshot};

use super::super::{What, orders, say, say_of};
use super::runtime::{Kit, Way};
use crate::actors::socket::{Closing, Line};
use crate::evidence::{Report, Span};

/// connection.close of a client that has nothing to complain about (AMQP 0-9-1, REPLY-SUCCESS).
const SUCCESS: u16 = 200;

/// Plays one connection to its end.
pub async fn play(number: u32, way: Way, mut ordered: mpsc::Receiver<What>) {
    let (closing, mut closed) = oneshot::channel();
    let line = Arc::new(Line::new(closing));
    let mut session = Session { number, line: line.clone(), ordered: None, error: None };
    let (publisher, orders_to_publish) = mpsc::unbounded_channel();
    let kit = Kit { number, way, line: line.clone(), tokio: Tokio::current() };
    let mut opening = Box::pin(open(kit));
    let mut connection = None;
    let mut events = None;
    let mut orders_to_publish = Some(orders_to_publish);
    let closing = loop {
        tokio::select! {
            // What lapin says of the end comes before the end of its socket.
            biased;
            event = next(&mut events) => session.heard(event),
            opened = &mut opening, if connection.is_none() => match opened {
                Ok(opened) => {
                    let heartbeat_s = Some(opened.configuration().heartbeat().into());
                    session.say(Report::Opened { heartbeat_s });
                    events = Some(Box::pin(opened.events_listener()));
                    let opened = Arc::new(opened);
                    if let Some(orders) = orders_to_publish.take() {
                        tokio::spawn(work(number, line.clone(), opened.clone(), orders));
                    }
                    connection = Some(opened);
                }
                Err(error) => {
                    session.failed(&error);
                    // Without a socket, connect(2) has failed and that is all.
                    match closed.await {
                        Ok(closing) => break closing,
                        Err(_) => return,
                    }
                }
            },
            closing = &mut closed => match closing {
                Ok(closing) => break closing,
                Err(_) => return,
            },
            order = orders::next(&mut ordered) => match order {
                What::Publish { messages, bytes } => drop(publisher.send((messages, bytes))),
                What::Close => session.close(connection.as_ref()),
                What::Reset => {
                    session.ordered = Some("order");
                    line.cut(true);
                }
                // What is not AMQP's; the scenario's reader does not let this through.
                What::Send { .. } | What::HalfClose | What::StopReading | What::ResumeReading => {}
            },
        }
    };
    while let Some(event) = at_once(&mut events).await {
        session.heard(event);
    }
    session.closed(closing);
}

/// Connects and shakes hands.
async fn open(kit: Kit) -> lapin::Result<Connection> {
    let (target, frame_max) = (kit.way.way.target, kit.way.frame_max);
    let heartbeat = kit.way.heartbeat_s.map(|seconds| format!("&heartbeat={seconds}")).unwrap_or_default();
    let uri = format!("amqp://{}:{}/%2f?frame_max={frame_max}{heartbeat}", target.ip(), target.port());
    let uri: AMQPUri = uri.parse().map_err(std::io::Error::other)?;
    let connect = async move |_: AMQPUri, runtime: Runtime<Kit>| {
        let socket = runtime.tcp_connect_addr(target.into()).await?;
        Ok(AsyncTcpStream::Plain(socket))
    };
    Connection::connector(uri, Runtime::new(kit), connect, ConnectionProperties::default()).await
}

/// What a session knows of its end.
struct Session {
    number: u32,
    line: Arc<Line>,
    /// The timeline has told it to end: what that is, in a word.
    ordered: Option<&'static str>,
    /// In a word, what lapin says the end is.
    error: Option<&'static str>,
}

impl Session {
    fn say(&self, report: Report) {
        say(self.number, self.line.pair(), report);
    }

    fn heard(&mut self, event: Event) {
        if let Event::Error(error) = event {
            self.failed(&error);
        }
    }

    fn failed(&mut self, error: &lapin::Error) {
        let why = match error.kind() {
            ErrorKind::MissingHeartbeatError => Some("heartbeat"),
            ErrorKind::ProtocolError(_) | ErrorKind::ParsingError(_) | ErrorKind::InvalidProtocolVersion(_) => {
                Some("protocol")
            }
            _ => None,
        };
        self.error = self.error.or(why);
        self.say(Report::Failed { error: error.to_string() });
    }

    /// connection.close; a connection that is not open yet has nothing to close in AMQP's terms, and gives up its socket.
    fn close(&mut self, connection: Option<&Arc<Connection>>) {
        match connection.cloned() {
            Some(connection) => {
                self.ordered = Some("protocol");
                // lapin closes the socket when the answer is there; whether it ever comes is not for us to wait for.
                tokio::spawn(async move { connection.close(SUCCESS, ShortString::from("OK")).await });
            }
            None => {
                self.ordered = Some("order");
                self.line.cut(false);
            }
        }
    }

    fn closed(&self, Closing { began_ns, closed_ns }: Closing) {
        let why = self.error.or(self.ordered).or(self.line.saw()).unwrap_or("error");
        let report = Report::Closed { why: why.into(), took: Some(Span(closed_ns - began_ns)) };
        say_of(closed_ns, self.number, self.line.pair(), report);
    }
}

/// A queue of its own: what is published to it comes back.
async fn work(
    number: u32,
    line: Arc<Line>,
    connection: Arc<Connection>,
    mut orders: mpsc::UnboundedReceiver<(u64, u64)>,
) {
    // Whatever fails here has been told as the connection's own failure.
    let Ok((channel, queue)) = prepare(number, line.clone(), &connection).await else { return };
    let (mut published, mut confirmed) = (0, 0);
    let report = |messages, confirmed| say(number, line.pair(), Report::Published { messages, confirmed });
    while let Some((messages, bytes)) = orders.recv().await {
        let body = vec![b'.'; usize::try_from(bytes).unwrap_or_default()];
        let mut confirms = Vec::new();
        for _ in 0..messages {
            let (exchange, key) = (ShortString::default(), queue.clone());
            let publish =
                channel.basic_publish(exchange, key, BasicPublishOptions::default(), &body, BasicProperties::default());
            let Ok(confirm) = publish.await else { break };
            published += 1;
            confirms.push(confirm);
        }
        report(published, confirmed);
        for confirm in confirms {
            if confirm.await.is_ok_and(|confirmation| confirmation.is_ack()) {
                confirmed += 1;
            }
        }
        report(published, confirmed);
    }
}

async fn prepare(number: u32, line: Arc<Line>, connection: &Connection) -> lapin::Result<(Channel, ShortString)> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let own = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare(ShortString::default(), own, FieldTable::default()).await?.name().clone();
    let (tag, options) = (ShortString::default(), BasicConsumeOptions::default());
    let mut consumer = channel.basic_consume(queue.clone(), tag, options, FieldTable::default()).await?;
    tokio::spawn(async move {
        let mut messages = 0;
        while let Some(Ok(delivery)) = std::future::poll_fn(|context| Pin::new(&mut consumer).poll_next(context)).await
        {
            messages += 1;
            say(number, line.pair(), Report::Consumed { messages });
            // An acknowledgement that fails is the connection's failure.
            let _ = delivery.ack(BasicAckOptions::default()).await;
        }
    });
    Ok((channel, queue))
}

/// The next event, once there are any.
async fn next<S: Stream<Item = Event>>(events: &mut Option<Pin<Box<S>>>) -> Event {
    match events {
        Some(stream) => match std::future::poll_fn(|context| stream.as_mut().poll_next(context)).await {
            Some(event) => event,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

/// An event that has happened already.
async fn at_once<S: Stream<Item = Event>>(events: &mut Option<Pin<Box<S>>>) -> Option<Event> {
    let stream = events.as_mut()?;
    std::future::poll_fn(|context| match stream.as_mut().poll_next(context) {
        std::task::Poll::Ready(event) => std::task::Poll::Ready(event),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}
