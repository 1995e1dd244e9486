//! What opens connections. A further protocol is one file here and one line in [`PROTOCOLS`].

pub mod amqp;
pub mod command;
mod library_words;
pub mod mqtt;
pub mod tcp;

use std::fmt::Debug;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::actors::What;
use crate::lab::enter::Place;
use crate::lab::process::ReadLine;
use crate::scenario::{Client, Word};

/// One client of a scenario, as its protocol decoded it.
pub trait Protocol: Debug + Send + Sync {
    /// The protocol's name, as evidence has it.
    fn name(&self) -> &'static str;

    /// Whether it reports and takes orders as [`crate::actors`] says; a foreign program does not.
    fn is_actor(&self) -> bool {
        true
    }

    /// What to do instead, if it does not take such an order.
    fn refuses(&self, what: What) -> Option<&'static str>;

    /// How long after an attempt to connect it waits for the end of its protocol's handshake; `None` is for ever.
    fn handshake_timeout(&self) -> Option<Duration> {
        None
    }

    /// How its output is read.
    fn reads(&self) -> ReadLine {
        Arc::new(|_, _| None)
    }

    /// What to run.
    ///
    /// # Errors
    /// When it cannot be written down.
    fn place(&self, client: &Client<Arc<dyn Protocol>>, way: &Way<'_>) -> std::io::Result<Place>;
}

/// Where a client connects from and to.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// Its node's address.
    pub source: Ipv4Addr,
    /// The target's address and port.
    pub target: SocketAddrV4,
    /// The scenario's folder.
    pub directory: &'a Path,
}

impl<'a> Way<'a> {
    /// No way at all: for whoever only looks at what would be run.
    #[must_use]
    pub fn nowhere(directory: &'a Path) -> Way<'a> {
        Way { source: Ipv4Addr::UNSPECIFIED, target: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0), directory }
    }
}

/// The protocols that there are.
pub const PROTOCOLS: &[Word<Arc<dyn Protocol>>] = &[tcp::WORD, amqp::WORD, mqtt::WORD, command::WORD];
