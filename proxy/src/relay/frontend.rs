//! A frontend: where clients come in.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::counters::Counters;
use super::log::Target;
use super::session::Limits;
use crate::config::{Acl, Bind, Condition, Ends, Keepalive, Logging, Rule, SessionFormat, Test, Variable};

/// A `frontend`, or a `listen` section's client side.
#[derive(Debug)]
pub struct Frontend {
    /// Its name.
    pub name: String,
    /// Its number (`id`).
    pub number: u32,
    /// The backends of its sessions, by their places.
    pub backends: Routes,
    /// Who is taken.
    pub rules: Rules,
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
    /// How its sessions are logged; `None`: only that they began.
    pub format: Option<SessionFormat>,
    /// How it is logged that a session could not begin, if it has a format of its own.
    pub error_format: Option<SessionFormat>,
    /// Which of them, and when.
    pub logging: Logging,
    /// Its sessions' lines so far.
    pub lines: u64,
}

/// Which backend takes a session.
#[derive(Debug, Default)]
pub struct Routes {
    /// Each with what must hold, in order.
    pub chosen: Vec<(Condition, usize)>,
    /// For whom none of these holds.
    pub default: usize,
}

/// Rules about clients.
#[derive(Debug, Default)]
pub struct Rules {
    /// The lists of tests that conditions name.
    pub acls: Vec<Acl>,
    /// They are followed as soon as a client has connected.
    pub connection: Vec<Rule>,
    /// They are followed when it has said whom it speaks for.
    pub session: Vec<Rule>,
}

impl Rules {
    /// Whether any of them asks for the address that the client came to.
    fn ask_for_destination(&self) -> bool {
        self.acls.iter().flat_map(|acl| &acl.tests).any(Test::asks_for_destination)
    }
}

impl Frontend {
    /// The backend for a client.
    #[must_use]
    pub fn backend(&self, ends: Ends) -> usize {
        let chosen = self.backends.chosen.iter().find(|(condition, _)| condition.holds(&self.rules.acls, ends));
        chosen.map_or(self.backends.default, |(_, backend)| *backend)
    }

    /// Whether anything asks for the address that a client came to.
    #[must_use]
    pub fn asks_for_destination(&self) -> bool {
        self.tells_listener() || self.rules.ask_for_destination()
    }

    /// Whether its lines tell the address that a client came to.
    fn tells_listener(&self) -> bool {
        self.tells(&[Variable::FrontendIp, Variable::FrontendPort])
            || self.format.is_none() && !self.logs.targets.is_empty()
    }

    /// Whether its lines tell the addresses of the server's connection.
    #[must_use]
    pub fn tells_upstream(&self) -> bool {
        use Variable::{BackendIp, BackendPort, ServerIp, ServerPort};
        self.tells(&[BackendIp, BackendPort, ServerIp, ServerPort])
    }

    fn tells(&self, variables: &[Variable]) -> bool {
        self.format.as_ref().is_some_and(|format| format.variables().any(|variable| variables.contains(&variable)))
    }
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
    /// Its name or number.
    pub name: Arc<str>,
    /// Its frontend, by its place.
    pub frontend: usize,
    /// Whether its clients say first for whom they speak (`accept-proxy`).
    pub accepts_proxy: bool,
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
    pub fn new(socket: OwnedFd, name: Arc<str>, frontend: usize, line: &Bind) -> Listener {
        let smaller_segments = line.mss.filter(|size| *size < 0).map(i32::unsigned_abs);
        Listener {
            socket,
            name,
            frontend,
            accepts_proxy: line.accept_proxy,
            paused: false,
            smaller_segments,
            maxconn: line.maxconn,
            sessions: 0,
        }
    }

    /// Whether it takes nobody until one of its own sessions has ended.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.maxconn.is_some_and(|most| self.sessions >= most)
    }
}
