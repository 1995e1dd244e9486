//! Protocols of applications, read from a conversation's bytes. A further one is one file here and one line in [`PROTOCOLS`].

mod amqp;
mod mqtt;

use std::borrow::Cow;
use std::fmt::Debug;

use super::{Heartbeat, Meaning, Reply};

/// The protocols that are recognised.
pub const PROTOCOLS: &[&dyn Protocol] = &[&amqp::Amqp, &mqtt::Mqtt];

/// A protocol that two programs can speak over TCP.
pub trait Protocol: Debug + Sync {
    /// Its name in evidence.
    fn name(&self) -> &'static str;

    /// Whether a connection speaks it, by the first bytes of the side that opened it; none while they are too few to tell.
    fn recognises(&self, opening: &[u8]) -> Option<bool>;

    /// Reads one conversation from its first byte.
    fn reader(&self) -> Box<dyn Reader>;
}

/// Reads one conversation; both directions, as what one side answers depends on what the other has said.
///
/// It keeps no more than a bounded part of one frame of each direction, whatever the bytes are.
pub trait Reader {
    /// Takes the next bytes of one direction, in order, and adds what they complete to `said`.
    ///
    /// # Errors
    /// Why this direction cannot be read any further; it is not asked of it again.
    fn read(&mut self, from: Side, bytes: &[u8], said: &mut Vec<Said>) -> Result<(), String>;
}

/// Which side of a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that opened it.
    Opener,
    /// The one that accepted it.
    Acceptor,
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A whole frame.
    Frame(Frame),
    /// What the two sides have agreed on with the frame before.
    Agreed {
        /// What each side calls itself: the opener, the acceptor.
        software: [Option<String>; 2],
        /// The heartbeat.
        heartbeat: Heartbeat,
    },
}

/// A frame, as its protocol has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in ProtocolFrame, the fact that it becomes")]
pub struct Frame {
    pub name: Cow<'static, str>,
    pub channel: Option<u16>,
    pub bytes: u64,
    pub means: Option<Meaning>,
    pub reply: Option<Reply>,
}
