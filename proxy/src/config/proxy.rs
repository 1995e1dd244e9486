//! A proxy's settings as they are in force.

use std::time::Duration;

use super::{
    Acl, Balance, Bind, Condition, HashType, LogTarget, Position, Rule, SectionKind, Server, SessionFormat, Source,
};

/// A `listen`, `frontend` or `backend` section together with the `defaults` that it starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Which of the three.
    pub kind: SectionKind,
    /// Its name.
    pub name: String,
    /// Where it starts.
    pub position: Position,
    /// `mode`.
    pub mode: Mode,
    /// Its number (`id`).
    pub id: Option<u32>,
    /// A text that describes it.
    pub description: Option<String>,
    /// Whether it is switched off (`disabled`): it takes no clients and checks no servers.
    pub disabled: bool,
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
    /// How the server of a session is chosen.
    pub balance: Balance,
    /// How the hash of `balance source` is made and used.
    pub hash_type: HashType,
    /// How often a connection to a server is tried again: 3 unless set.
    pub retries: u32,
    /// Whether a retry may go to another server.
    pub redispatch: bool,
    /// Which retries may: every n-th for a positive n; the n-th before the last for a negative one, so that -1 is the last;
    /// 0: none.
    pub redispatch_interval: i32,
    /// Whether all backup servers are used when no other is there, and not only the first (`option allbackups`).
    pub all_backups: bool,
    /// The most connections that the frontend takes; `None` means the process's own limit.
    pub maxconn: Option<u32>,
    /// How many connections may wait to be accepted; `None` means `maxconn`.
    pub backlog: Option<u32>,
    /// The load at which servers with `minconn` take `maxconn` sessions.
    pub fullconn: Option<u32>,
    /// What connections to servers come from.
    pub source: Option<Source>,
    /// Whether sockets are closed without waiting for what is still to be sent (SO_LINGER of 0: a RST).
    pub nolinger: bool,
    /// Whether the kernel may hold back its ACK of a client's first bytes (`option tcp-smart-accept`).
    pub smart_accept: bool,
    /// Where its lines go. `log global` has copied the targets that `global` had up to there.
    pub logs: Vec<LogTarget>,
    /// Whether it logs to the targets of the `global` section.
    pub log_global: bool,
    /// The program's name in its log lines; `None` means that of `global`.
    pub log_tag: Option<String>,
    /// How sessions are logged: by `option tcplog` as [`crate::log`] reads them, or by `log-format`. `None`: only that they began.
    pub log_format: Option<SessionFormat>,
    /// How it is logged that a session could not begin (`error-log-format`).
    pub error_log_format: Option<SessionFormat>,
    /// Which sessions and events are logged, and when.
    pub logging: Logging,
    /// Its lists of tests, which conditions name by their place.
    pub acls: Vec<Acl>,
    /// Who is taken, judged as soon as it has connected (`tcp-request connection`).
    pub connection_rules: Vec<Rule>,
    /// Who is taken, judged when it has said whom it speaks for (`tcp-request session`).
    pub session_rules: Vec<Rule>,
    /// The backend of sessions that no rule sends elsewhere.
    pub default_backend: Option<String>,
    /// The rules that choose a backend, in order.
    pub use_backends: Vec<UseBackend>,
}

impl Proxy {
    /// The values that the manual documents for a proxy without any line.
    pub(super) fn documented(kind: SectionKind, name: String, position: Position) -> Proxy {
        Proxy {
            kind,
            name,
            position,
            mode: Mode::Tcp,
            id: None,
            description: None,
            disabled: false,
            timeouts: Timeouts::default(),
            client_keepalive: Keepalive::default(),
            server_keepalive: Keepalive::default(),
            binds: Vec::new(),
            servers: Vec::new(),
            balance: Balance::RoundRobin,
            hash_type: HashType::default(),
            retries: 3,
            redispatch: false,
            redispatch_interval: -1,
            all_backups: false,
            maxconn: None,
            backlog: None,
            fullconn: None,
            source: None,
            nolinger: false,
            smart_accept: false,
            logs: Vec::new(),
            log_global: false,
            log_tag: None,
            log_format: None,
            error_log_format: None,
            logging: Logging::default(),
            acls: Vec::new(),
            connection_rules: Vec::new(),
            session_rules: Vec::new(),
            default_backend: None,
            use_backends: Vec::new(),
        }
    }

    /// The backend that handles its sessions, by name: that of the first rule without a condition, or else `default_backend`,
    /// or else itself. `None` if there is none, and for a `backend`. Rules with conditions do not count.
    #[must_use]
    pub fn session_backend(&self) -> Option<&str> {
        let rule = self.use_backends.iter().find(|rule| rule.condition.is_none()).map(|rule| &rule.backend);
        let own = (self.kind == SectionKind::Listen).then_some(&self.name);
        let named = rule.or(self.default_backend.as_ref()).or(own);
        named.filter(|_| self.takes_clients()).map(String::as_str)
    }

    /// Whether it takes clients: a `listen` or `frontend`.
    #[must_use]
    pub fn takes_clients(&self) -> bool {
        self.kind != SectionKind::Backend
    }

    /// Whether it has servers: a `listen` or `backend`.
    #[must_use]
    pub fn has_servers(&self) -> bool {
        self.kind != SectionKind::Frontend
    }
}

/// What a proxy understands of its sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Nothing: it passes bytes on.
    #[default]
    Tcp,
    /// HTTP.
    Http,
}

/// Which sessions and events a proxy logs, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Logging {
    /// Not the sessions in which the client sent nothing (`option dontlognull`).
    pub dontlognull: bool,
    /// Not the sessions that ended as they should (`option dontlog-normal`).
    pub dontlog_normal: bool,
    /// Sessions as soon as the server is connected, with a `+` before times and sizes (`option logasap`).
    pub asap: bool,
    /// Sessions that ended otherwise than they should with a higher importance (`option log-separate-errors`).
    pub separate_errors: bool,
    /// Every change of a health check's result (`option log-health-checks`).
    pub health_checks: bool,
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

/// A rule that sends sessions to a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UseBackend {
    /// The backend.
    pub backend: String,
    /// What must hold (`if …`, `unless …`); `None` if nothing must.
    pub condition: Option<Condition>,
    /// Where the backend is named.
    pub position: Position,
}
