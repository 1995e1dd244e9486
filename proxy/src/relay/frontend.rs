//! A frontend: where clients come in.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::counters::Counters;
use super::log::Target;
use super::session::Limits;
use crate::config::{Bind, Keepalive, Logging};

/// A `frontend`, or a `listen` section's client side.
#[derive(Debug)]
pub struct Frontend {
    /// Its name.
    pub name: String,
    /// Its number (`id`).
    pub number: u32,
    /// The backend of its sessions, by its place.
    pub backend: usize,
    /// `timeout client`, `timeout client-fin`.
    pub limits: Limits,
    /// Keepalive on the connections of its clients.
    pub keepalive: Keepalive,
    /// The most sessions that it has at once.
    pub maxconn: u32,
    /// Its sessions.
    pub sessions: u32,
    /// What is counted of it.
    pub counters: Counters,
    /// Where its lines go.
    pub logs: Logs,
    /// Whether its sessions are logged at all, and which.
    pub tcplog: bool,
    /// Which of them.
    pub logging: Logging,
}

/// Targets that several proxies share, and the name in their lines.
#[derive(Clone, Debug, Default)]
pub struct Logs {
    /// The targets.
    pub targets: Vec<Arc<Target>>,
    /// The program's name.
    pub tag: String,
}

/// A socket that is listened on.
#[derive(Debug)]
pub struct Listener {
    /// The socket.
    pub socket: OwnedFd,
    /// Its frontend, by its place.
    pub frontend: usize,
    /// It is not asked while it, the frontend or the process is full: clients wait in the kernel's backlog.
    pub paused: bool,
    /// By how many bytes the segments of its clients are smaller than they would be.
    pub smaller_segments: Option<u32>,
    /// The most sessions that it has at once.
    pub maxconn: Option<u32>,
    /// Its sessions.
    pub sessions: u32,
}

impl Listener {
    /// A socket for the clients of this frontend, with what its `bind` line says.
    #[must_use]
    pub fn new(socket: OwnedFd, frontend: usize, line: &Bind) -> Listener {
        let smaller_segments = line.mss.filter(|size| *size < 0).map(i32::unsigned_abs);
        Listener { socket, frontend, paused: false, smaller_segments, maxconn: line.maxconn, sessions: 0 }
    }

    /// Whether it takes nobody until one of its own sessions has ended.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.maxconn.is_some_and(|most| self.sessions >= most)
    }
}
