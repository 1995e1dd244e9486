//! A frontend: where clients come in.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::log::Target;
use super::session::Limits;
use crate::config::{Keepalive, Logging};

/// A `frontend`, or a `listen` section's client side.
#[derive(Debug)]
pub struct Frontend {
    /// Its name.
    pub name: String,
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
    /// Its sessions so far.
    pub taken: u64,
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
    /// It is not asked while the frontend or the process is full: clients wait in the kernel's backlog.
    pub paused: bool,
}
