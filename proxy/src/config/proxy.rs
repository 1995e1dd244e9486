//! A proxy's settings as they are in force.

use std::time::Duration;

use super::{BindAddress, Position, SectionKind, ServerAddress};

/// A `listen`, `frontend` or `backend` section together with the `defaults` that it starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Which of the three.
    pub kind: SectionKind,
    /// Its name.
    pub name: String,
    /// Where it starts.
    pub position: Position,
    /// `mode`: `tcp` unless set.
    pub mode: String,
    /// Its timers.
    pub timeouts: Timeouts,
    /// Keepalive on the clients' connections (`option clitcpka`).
    pub client_keepalive: Keepalive,
    /// Keepalive on the servers' connections (`option srvtcpka`).
    pub server_keepalive: Keepalive,
    /// What it listens on.
    pub binds: Vec<Bind>,
    /// Its servers.
    pub servers: Vec<Server>,
    /// `balance`: `roundrobin` unless set. Its arguments are not kept.
    pub balance: String,
    /// How often a connection to a server is tried again: 3 unless set.
    pub retries: u32,
    /// Whether a retry may go to another server.
    pub redispatch: bool,
    /// The most connections that the frontend takes; `None` means the process's own limit.
    pub maxconn: Option<u32>,
    /// Whether it logs to the targets of the `global` section.
    pub log_global: bool,
    /// Whether sessions are logged as [`crate::log`] reads them (`option tcplog`).
    pub tcplog: bool,
    /// The backend of sessions that no rule sends elsewhere.
    pub default_backend: Option<String>,
    /// The rules that choose a backend.
    pub use_backends: Vec<UseBackend>,
}

impl Proxy {
    /// The values that the manual documents for a proxy without any line.
    pub(super) fn documented(kind: SectionKind, name: String, position: Position) -> Proxy {
        Proxy {
            kind,
            name,
            position,
            mode: "tcp".to_owned(),
            timeouts: Timeouts::default(),
            client_keepalive: Keepalive::default(),
            server_keepalive: Keepalive::default(),
            binds: Vec::new(),
            servers: Vec::new(),
            balance: "roundrobin".to_owned(),
            retries: 3,
            redispatch: false,
            maxconn: None,
            log_global: false,
            tcplog: false,
            default_backend: None,
            use_backends: Vec::new(),
        }
    }
}

/// A proxy's inactivity timers; `None` means that there is none, so that a session may last for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timeouts {
    /// For a health check's answer, once connected.
    pub check: Option<Duration>,
    /// For the client to send or take payload.
    pub client: Option<Duration>,
    /// Instead of `client`, once one direction is shut.
    pub client_fin: Option<Duration>,
    /// For a connection to a server to be established.
    pub connect: Option<Duration>,
    /// For a place at a server.
    pub queue: Option<Duration>,
    /// For the server to send or take payload.
    pub server: Option<Duration>,
    /// Instead of `server`, once one direction is shut.
    pub server_fin: Option<Duration>,
    /// Instead of both `client` and `server`, even where it is longer, as soon as nothing analyses the content any more: in
    /// TCP mode without content rules from the beginning. HAProxy logs it as `cD` or `sD`, with no letter of its own.
    pub tunnel: Option<Duration>,
}

/// What the `global` section says about the ends of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Global {
    /// The most connections that the process takes at once.
    pub maxconn: Option<u32>,
    /// How long after a soft stop the remaining sessions are ended.
    pub hard_stop_after: Option<Duration>,
}

/// TCP keepalive on one side of a proxy. What is `None` is the system's (`net.ipv4.tcp_keepalive_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keepalive {
    /// Whether it is on (SO_KEEPALIVE).
    pub on: bool,
    /// TCP_KEEPIDLE.
    pub idle: Option<Duration>,
    /// TCP_KEEPINTVL.
    pub interval: Option<Duration>,
    /// TCP_KEEPCNT.
    pub probes: Option<u32>,
}

/// Something that a proxy listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// The address and ports.
    pub address: BindAddress,
    /// The settings behind the address, as written.
    pub settings: Vec<String>,
    /// Where it is.
    pub position: Position,
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: ServerAddress,
    /// Its health check; `None` if it has none.
    pub check: Option<Check>,
    /// Whether its sessions are ended when it is marked down (`on-marked-down shutdown-sessions`).
    pub shutdown_sessions_when_down: bool,
    /// Whether the sessions of backup servers are ended when it comes up (`on-marked-up shutdown-backup-sessions`).
    pub shutdown_backup_sessions_when_up: bool,
    /// Whether it is used only when no other is there.
    pub backup: bool,
    /// The most sessions that it takes at once.
    pub maxconn: Option<u32>,
    /// Where it is.
    pub position: Position,
}

/// A server's health check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// Between two checks.
    pub interval: Duration,
    /// Between two checks while the server's state is changing; `interval` unless set.
    pub fast_interval: Option<Duration>,
    /// Between two checks while the server is down; `interval` unless set.
    pub down_interval: Option<Duration>,
    /// How many good checks in a row bring a server up.
    pub rise: u32,
    /// How many failed checks in a row take it down.
    pub fall: u32,
}

impl Default for Check {
    /// The documented values: every 2 s, 2 to rise, 3 to fall.
    fn default() -> Check {
        Check { interval: Duration::from_secs(2), fast_interval: None, down_interval: None, rise: 2, fall: 3 }
    }
}

/// A rule that sends sessions to a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UseBackend {
    /// The backend.
    pub backend: String,
    /// What must hold, as written behind the name (`if …`, `unless …`); `None` if nothing must.
    pub condition: Option<String>,
}
