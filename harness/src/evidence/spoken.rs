//! What programs say to each other in a protocol of their own, as read from the bytes on the wire.

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

use super::{Pair, Point};

/// A frame of an application's protocol, at the moment at which its last byte passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolFrame {
    /// The wire's name.
    pub wire: String,
    /// The node at the end where it was seen.
    pub node: String,
    /// Sent by that node, or delivered to it.
    pub point: Point,
    /// Who said it.
    pub from: SocketAddrV4,
    /// To whom.
    pub to: SocketAddrV4,
    /// The protocol: `amqp-0-9-1`, `mqtt`.
    pub protocol: String,
    /// The frame's name in the protocol's own words: `connection.tune`, `PINGREQ`.
    pub name: String,
    /// The channel it is on, in a protocol that has channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<u16>,
    /// How many frames of this name one segment completed; those that mean something to a verdict are told one by one.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u32,
    /// Their length in bytes, all that frames them included.
    pub bytes: u64,
    /// What it means, whatever the protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub means: Option<Meaning>,
    /// What a frame that closes gives as its reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
}

/// What a frame means to a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Meaning {
    /// The handshake of the protocol begins.
    Opens,
    /// It is over: the protocol's connection stands.
    Opened,
    /// Its sender closes the protocol's connection.
    Closes,
    /// The answer to that.
    Closed,
    /// A sign of life, and nothing else.
    Heartbeat,
}

/// Why a protocol's connection is closed, as the frame that closes it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The reply code (AMQP 0-9-1, 1.2 constants: 200 is a regular end), or MQTT's return or reason code.
    pub code: u16,
    /// The reply text.
    pub text: String,
    /// The class of AMQP's method that failed; 0 when none did.
    pub class: u16,
    /// That method.
    pub method: u16,
}

/// What two programs agreed on in their protocol's handshake, from the moment at which it is in force at this endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolSettings {
    /// The node.
    pub node: String,
    /// The connection.
    #[serde(flatten)]
    pub pair: Pair,
    /// The protocol.
    pub protocol: String,
    /// What this endpoint calls itself: the product that its program named in the handshake.
    pub software: Option<String>,
    /// The heartbeat.
    pub heartbeat: Heartbeat,
}

/// A heartbeat, or MQTT's keep-alive, as negotiated; 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// What was offered, seconds: by the accepting side in AMQP, by the opening side in MQTT (CONNECT).
    pub offered_s: u16,
    /// The value in force, seconds: what the other side answered. In MQTT that is the offer, unless CONNACK has a Server Keep Alive.
    pub in_force_s: u16,
}

/// A direction of a conversation that could not be read to its end: that a frame is not told of says nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolUnread {
    /// The node at whose end of the wire it was read.
    pub node: String,
    /// Sent by that node, or delivered to it.
    pub point: Point,
    /// Who speaks in this direction.
    pub from: SocketAddrV4,
    /// To whom.
    pub to: SocketAddrV4,
    /// The protocol.
    pub protocol: String,
    /// Why it was given up.
    pub why: String,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_one(count: &u32) -> bool {
    *count == 1
}
