//! One connection: opens, subscribes to a topic of its own, publishes to it when ordered to, and ends.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::super::{What, orders, say, say_of};
use super::Settings;
use super::bridge::Bridge;
use super::library::{Client, Events, Heard, library};
use crate::actors::socket::{Closing, Line, Way};
use crate::evidence::{Report, Span};

/// Plays one connection to its end.
pub async fn play(number: u32, way: Way, settings: Settings, mut ordered: mpsc::Receiver<What>) {
    let (closing, mut closed) = oneshot::channel();
    let line = Arc::new(Line::new(closing));
    let bridge = match Bridge::new(number) {
        Ok(bridge) => bridge,
        Err(error) => return say(number, None, Report::ConnectFailed { errno: error.to_string() }),
    };
    let (client, events) = library(&settings, number, &bridge.path);
    let (tell, mut heard) = mpsc::unbounded_channel();
    tokio::spawn(work(events, tell.clone()));
    tokio::spawn(bridge.carry(number, way, line.clone()));
    let (publish, to_publish) = mpsc::unbounded_channel();
    let topic = format!("whyclosed/{}/{number}", settings.name);
    let publisher = Publisher { client: client.clone(), topic, orders: to_publish, tell };
    let mut session = Session {
        number,
        line,
        client,
        publisher: Some(publisher),
        published: 0,
        confirmed: 0,
        consumed: 0,
        ordered: None,
        error: None,
    };
    let closing = loop {
        tokio::select! {
            // What rumqttc says of the end comes before the end of its socket.
            biased;
            Some(heard) = heard.recv() => session.hear(heard),
            closing = &mut closed => match closing {
                Ok(closing) => break closing,
                // Without a socket, connect(2) has failed and that is all; unless it was given up, for this reason.
                Err(_) => {
                    if let Some(why) = session.error {
                        session.say(Report::Closed { why: why.into(), took: None });
                    }
                    return;
                }
            },
            order = orders::next(&mut ordered) => match order {
                What::Publish { messages, bytes } => drop(publish.send((messages, bytes))),
                What::Close => session.close(),
                What::Reset => {
                    session.ordered = Some("order");
                    session.line.cut(true);
                }
                // What is not MQTT's; the scenario's reader does not let this through.
                What::Send { .. } | What::HalfClose | What::StopReading | What::ResumeReading => {}
            },
        }
    };
    while let Ok(heard) = heard.try_recv() {
        session.hear(heard);
    }
    session.closed(closing);
}

/// Has rumqttc work until the connection is over; asked once more, it would open another one.
async fn work(mut events: Events, tell: mpsc::UnboundedSender<Heard>) {
    loop {
        let heard = events.next().await;
        let over = matches!(heard, Heard::Failed { .. } | Heard::Disconnected);
        // Its side of the socket is closed when it goes, and why is to be known by then.
        let _ = tell.send(heard);
        if over {
            return;
        }
    }
}

/// A topic of its own: what is published to it comes back.
struct Publisher {
    client: Client,
    topic: String,
    orders: mpsc::UnboundedReceiver<(u64, u64)>,
    tell: mpsc::UnboundedSender<Heard>,
}

impl Publisher {
    async fn run(mut self) {
        // Whatever fails here has been told as the connection's own failure.
        if !self.client.subscribe(&self.topic).await {
            return;
        }
        while let Some((messages, bytes)) = self.orders.recv().await {
            let body = vec![b'.'; usize::try_from(bytes).unwrap_or_default()];
            for _ in 0..messages {
                if !self.client.publish(&self.topic, body.clone()).await {
                    return;
                }
            }
            let _ = self.tell.send(Heard::Published(messages));
        }
    }
}

/// What a session knows of itself and its end.
struct Session {
    number: u32,
    line: Arc<Line>,
    client: Client,
    /// Until the connection stands.
    publisher: Option<Publisher>,
    published: u64,
    confirmed: u64,
    consumed: u64,
    /// The timeline has told it to end: what that is, in a word.
    ordered: Option<&'static str>,
    /// In a word, what rumqttc says the end is.
    error: Option<&'static str>,
}

impl Session {
    fn say(&self, report: Report) {
        say(self.number, self.line.pair(), report);
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Opened(keep_alive_s) => {
                self.say(Report::Opened { heartbeat_s: Some(keep_alive_s.into()) });
                if let Some(publisher) = self.publisher.take() {
                    tokio::spawn(publisher.run());
                }
            }
            Heard::Published(messages) => {
                self.published += messages;
                self.say(Report::Published { messages: self.published, confirmed: self.confirmed });
            }
            Heard::Confirmed => {
                self.confirmed += 1;
                self.say(Report::Published { messages: self.published, confirmed: self.confirmed });
            }
            Heard::Consumed => {
                self.consumed += 1;
                self.say(Report::Consumed { messages: self.consumed });
            }
            Heard::Failed { why, error } => {
                self.error = self.error.or(why);
                self.say(Report::Failed { error });
            }
            Heard::Disconnected | Heard::Else => {}
        }
    }

    /// DISCONNECT; a connection that is not open yet has nothing to close in MQTT's terms, and gives up its socket.
    fn close(&mut self) {
        if self.publisher.is_none() {
            self.ordered = Some("protocol");
            let client = self.client.clone();
            tokio::spawn(async move { client.disconnect().await });
        } else {
            self.ordered = Some("order");
            self.line.cut(false);
        }
    }

    fn closed(&self, Closing { began_ns, closed_ns }: Closing) {
        let why = self.error.or(self.ordered).or(self.line.saw()).unwrap_or("error");
        let report = Report::Closed { why: why.into(), took: Some(Span(closed_ns - began_ns)) };
        say_of(closed_ns, self.number, self.line.pair(), report);
    }
}
