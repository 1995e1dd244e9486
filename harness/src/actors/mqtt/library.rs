//! rumqttc's two versions of the protocol as one: what is ordered, what it tells.

use std::time::Duration;

use rumqttc::v5::mqttbytes as five;
use rumqttc::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS, StateError, v5};

use super::{Pingresp, Settings, Version};

/// Requests that wait for the library, and messages that wait for the broker's answer.
const WAITING: u16 = 100;
/// The largest packet that there is (MQTT 3.1.1 §2.2.3).
const LARGEST: u32 = 268_435_455;

/// What the library tells, and who uses it.
#[derive(Debug)]
pub enum Heard {
    /// CONNACK: the connection stands, with this keep-alive, seconds.
    Opened(u16),
    /// It has taken so many messages to publish.
    Published(u64),
    /// PUBACK.
    Confirmed,
    /// PUBLISH.
    Consumed,
    /// It has sent DISCONNECT.
    Disconnected,
    /// The connection is broken.
    Failed {
        /// In a word, why it ends: as [`crate::evidence::Report::Closed`] has it. `None` for what its socket tells better.
        why: Option<&'static str>,
        /// In its own words.
        error: String,
    },
    /// What is nothing to a connection's end.
    Else,
}

/// Gives it orders.
#[derive(Clone, Debug)]
pub enum Client {
    /// MQTT 3.1.1.
    Three(AsyncClient),
    /// MQTT 5.
    Five(v5::AsyncClient),
}

/// Does the work, as long as it is asked for what happens next.
pub enum Events {
    /// MQTT 3.1.1.
    Three(Box<EventLoop>, Pingresp),
    /// MQTT 5, and the keep-alive that is asked for.
    Five(Box<v5::EventLoop>, Pingresp, u16),
}

/// The library of one connection, which goes through this Unix socket.
pub fn library(settings: &Settings, number: u32, path: &str) -> (Client, Events) {
    let name = format!("{}-{number}", settings.name);
    let keep_alive = Duration::from_secs(settings.keep_alive_s.into());
    match settings.version {
        Version::V3 => {
            let mut options = MqttOptions::new(name, path, 0);
            options.set_transport(rumqttc::Transport::unix());
            options.set_keep_alive(keep_alive).set_inflight(WAITING);
            options.set_max_packet_size(LARGEST as usize, LARGEST as usize);
            let (client, events) = AsyncClient::new(options, WAITING.into());
            (Client::Three(client), Events::Three(Box::new(events), settings.pingresp))
        }
        Version::V5 => {
            let mut options = v5::MqttOptions::new(name, path, 0);
            options.set_transport(rumqttc::Transport::unix());
            options.set_keep_alive(keep_alive).set_outgoing_inflight_upper_limit(WAITING);
            options.set_max_packet_size(Some(LARGEST));
            let (client, events) = v5::AsyncClient::new(options, WAITING.into());
            (Client::Five(client), Events::Five(Box::new(events), settings.pingresp, settings.keep_alive_s))
        }
    }
}

impl Client {
    /// Has what is published to a topic delivered to it, at least once.
    pub async fn subscribe(&self, topic: &str) -> bool {
        match self {
            Client::Three(client) => client.subscribe(topic, QoS::AtLeastOnce).await.is_ok(),
            Client::Five(client) => client.subscribe(topic, five::QoS::AtLeastOnce).await.is_ok(),
        }
    }

    /// Publishes a message, at least once; says whether the library took it.
    pub async fn publish(&self, topic: &str, body: Vec<u8>) -> bool {
        match self {
            Client::Three(client) => client.publish(topic, QoS::AtLeastOnce, false, body).await.is_ok(),
            Client::Five(client) => client.publish(topic, five::QoS::AtLeastOnce, false, body).await.is_ok(),
        }
    }

    /// DISCONNECT.
    pub async fn disconnect(&self) -> bool {
        match self {
            Client::Three(client) => client.disconnect().await.is_ok(),
            Client::Five(client) => client.disconnect().await.is_ok(),
        }
    }
}

impl Events {
    /// Works until something has happened.
    pub async fn next(&mut self) -> Heard {
        match self {
            Events::Three(events, pingresp) => {
                let heard = match events.poll().await {
                    Ok(event) => three(&event, events.mqtt_options.keep_alive()),
                    Err(error) => Heard::Failed { why: why_three(&error), error: error.to_string() },
                };
                forget(&mut events.state.await_pingresp, *pingresp);
                heard
            }
            Events::Five(events, pingresp, asked_s) => {
                let heard = match events.poll().await {
                    Ok(event) => five(&event, *asked_s),
                    Err(error) => Heard::Failed { why: why_five(&error), error: error.to_string() },
                };
                forget(&mut events.state.await_pingresp, *pingresp);
                heard
            }
        }
    }
}

/// The library gives a connection up when a PINGREQ is due and this is set.
fn forget(await_pingresp: &mut bool, pingresp: Pingresp) {
    if pingresp == Pingresp::Ignored {
        *await_pingresp = false;
    }
}

fn three(event: &Event, keep_alive: Duration) -> Heard {
    match event {
        Event::Incoming(Packet::ConnAck(_)) => Heard::Opened(u16::try_from(keep_alive.as_secs()).unwrap_or(u16::MAX)),
        Event::Incoming(Packet::PubAck(_)) => Heard::Confirmed,
        Event::Incoming(Packet::Publish(_)) => Heard::Consumed,
        Event::Outgoing(Outgoing::Disconnect) => Heard::Disconnected,
        _ => Heard::Else,
    }
}

fn five(event: &v5::Event, asked_s: u16) -> Heard {
    match event {
        v5::Event::Incoming(five::v5::Packet::ConnAck(answer)) => {
            let wanted = answer.properties.as_ref().and_then(|properties| properties.server_keep_alive);
            Heard::Opened(wanted.unwrap_or(asked_s))
        }
        v5::Event::Incoming(five::v5::Packet::PubAck(_)) => Heard::Confirmed,
        v5::Event::Incoming(five::v5::Packet::Publish(_)) => Heard::Consumed,
        v5::Event::Outgoing(Outgoing::Disconnect) => Heard::Disconnected,
        _ => Heard::Else,
    }
}

fn why_three(error: &ConnectionError) -> Option<&'static str> {
    match error {
        ConnectionError::MqttState(StateError::AwaitPingResp) => Some("heartbeat"),
        ConnectionError::NetworkTimeout => Some("handshake-timeout"),
        ConnectionError::MqttState(StateError::ConnectionAborted | StateError::Io(_)) | ConnectionError::Io(_) => None,
        ConnectionError::MqttState(StateError::Deserialization(rumqttc::Error::Io(_))) => None,
        ConnectionError::FlushTimeout | ConnectionError::RequestsDone => Some("error"),
        _ => Some("protocol"),
    }
}

fn why_five(error: &v5::ConnectionError) -> Option<&'static str> {
    match error {
        v5::ConnectionError::MqttState(v5::StateError::AwaitPingResp) => Some("heartbeat"),
        v5::ConnectionError::Timeout(_) => Some("handshake-timeout"),
        v5::ConnectionError::MqttState(v5::StateError::ConnectionAborted | v5::StateError::Io(_))
        | v5::ConnectionError::Io(_)
        | v5::ConnectionError::MqttState(v5::StateError::Deserialization(five::Error::Io(_))) => None,
        v5::ConnectionError::RequestsDone => Some("error"),
        _ => Some("protocol"),
    }
}
