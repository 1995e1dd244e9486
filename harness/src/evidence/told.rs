//! What sockets, proxies and programs tell of themselves: settings, logs, reports.

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

use super::{Pair, Span};

/// `SO_KEEPALIVE` with its three numbers (tcp(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keepalive {
    /// `TCP_KEEPIDLE`, seconds.
    pub idle_s: u32,
    /// `TCP_KEEPINTVL`, seconds.
    pub interval_s: u32,
    /// `TCP_KEEPCNT`.
    pub probes: u32,
}

/// The options of one socket that can end its connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketOptions {
    /// The node.
    pub node: String,
    /// The service or client that owns it.
    pub process: String,
    /// The connection.
    #[serde(flatten)]
    pub pair: Pair,
    /// `SO_KEEPALIVE`, when on.
    pub keepalive: Option<Keepalive>,
    /// `TCP_USER_TIMEOUT`, milliseconds; 0 is off.
    pub user_timeout_ms: u32,
    /// `SO_LINGER`, seconds, when on.
    pub linger_s: Option<u32>,
}

/// What a firewall does with the connections that it tracks, beside its sysctls (`net.netfilter.nf_conntrack_*`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirewallSettings {
    /// The node.
    pub node: String,
    /// The box that it is a model of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What becomes of a segment that belongs to no connection that it knows.
    pub unknown: FirewallUnknown,
    /// After how long without payload it forgets a connection, milliseconds; `None` is never.
    pub payload_idle_ms: Option<u64>,
    /// What it passes on has its own address as the source.
    pub masquerade: bool,
}

/// What becomes of a segment of an unknown connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirewallUnknown {
    /// It vanishes.
    Drop,
    /// Its sender gets a RST.
    Reset,
}

/// What a service is, as far as a verdict may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Opens connections.
    Client,
    /// Accepts them.
    Server,
    /// Does both, and joins them to sessions.
    Proxy,
}

/// Timeouts of one listener of a proxy, milliseconds; `None` is infinite.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "HAProxy's manual, chapter 4, `timeout …`")]
pub struct ProxyTimeouts {
    pub connect: Option<u64>,
    pub client: Option<u64>,
    pub server: Option<u64>,
    pub tunnel: Option<u64>,
    pub client_fin: Option<u64>,
    pub server_fin: Option<u64>,
    pub queue: Option<u64>,
}

/// What a listener of a proxy does with sessions, besides its timeouts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyRules {
    /// `retries`: how often an attempt to connect to a server is made again.
    pub retries: u32,
    /// `option redispatch`: the last of them may go to another server.
    pub redispatch: bool,
    /// The most sessions that the listener takes at once; `None` is the process's own limit.
    pub maxconn: Option<u32>,
    /// `hard-stop-after`, milliseconds; `None` is never.
    pub hard_stop_after: Option<u64>,
    /// How long after the order to reload the old process is told to stop, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hands_over_ms: Option<u64>,
    /// Its servers.
    pub servers: Vec<ProxyServer>,
}

/// A server of a proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyServer {
    /// Its name in the configuration.
    pub name: String,
    /// Where it is.
    pub address: SocketAddrV4,
    /// `fall`: how many health checks in a row must fail before it counts as down; `None` without checks.
    pub fall: Option<u32>,
    /// `maxconn`: the most sessions it is given at once; the rest waits in a queue.
    pub maxconn: Option<u32>,
    /// `on-marked-down shutdown-sessions`.
    pub ends_sessions_when_down: bool,
    /// `on-marked-up shutdown-backup-sessions`.
    pub ends_backup_sessions_when_up: bool,
}

/// What a proxy logs besides sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "notice")]
pub enum ProxyNotice {
    /// A server counts as down.
    ServerDown {
        /// Its backend.
        backend: String,
        /// Its name.
        server: String,
    },
    /// A server counts as up.
    ServerUp {
        /// Its backend.
        backend: String,
        /// Its name.
        server: String,
    },
    /// A backend's last server went down.
    NoServer {
        /// The backend.
        backend: String,
    },
    /// A listener listens no more; its sessions go on.
    Stopped {
        /// The listener.
        proxy: String,
    },
    /// `hard-stop-after` has passed: all sessions are ended.
    HardStop,
}

/// One ended session as the proxy logged it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyLog {
    /// The proxy.
    pub service: String,
    /// The client's address.
    pub client: SocketAddrV4,
    /// Frontend.
    pub frontend: String,
    /// Backend.
    pub backend: String,
    /// Server; `None` when none was chosen.
    pub server: Option<String>,
    /// How long the session lasted (HAProxy's Tt), milliseconds; `None` when it does not tell.
    pub total_ms: Option<u64>,
    /// Bytes sent to the client.
    pub bytes: u64,
    /// HAProxy's termination state (manual, 8.5): `cD`, `sD`, `CD`, …; of another proxy the state that its own words amount to.
    pub termination: String,
    /// Why the session ended, in the words of a proxy that has no such states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// Which session it is to the proxy, if it may log more than one line of it; the last one then says how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// How often the attempt to connect to a server was made again; `None` in evidence that does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// Whether a connection to a server was ever established; `None` in evidence that does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected: Option<bool>,
    /// The line.
    pub line: String,
}

impl ProxyLog {
    /// Why the session ended, as the proxy itself puts it.
    #[must_use]
    pub fn said(&self) -> &str {
        self.words.as_deref().unwrap_or(&self.termination)
    }
}

/// Whose connection it is in the log of a broker that has heard no name from it yet: of any of them.
pub const UNNAMED: &str = "<unknown>";

/// What one line of a broker's log says of a connection's end; a broker may say it in two lines of one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerLog {
    /// The broker.
    pub service: String,
    /// Which of its processes says so: lines of one process belong together.
    pub process: String,
    /// The client's address, if this line tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<SocketAddrV4>,
    /// Why the connection ended, if this line tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
}

/// What one line of a foreign client's output says of a connection's end, in words that its library is known by. It names no address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientLog {
    /// The client.
    pub client: String,
    /// Why the connection ended.
    pub why: Why,
    /// The library's words.
    pub words: String,
}

/// Why a program that speaks a protocol ended a connection, in its own words made alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The peer missed its heartbeats.
    Heartbeat,
    /// The protocol's handshake was not finished in time.
    HandshakeTimeout,
    /// The protocol's connection was closed in order, by whichever side.
    ProtocolClose,
    /// The peer ended the TCP connection without closing the protocol's.
    Peer,
    /// Something else, and none of these.
    Other,
}

/// What a program reports of one of its own connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "report")]
pub enum Report {
    /// `connect` or `accept` returned.
    Connected,
    /// `connect` failed.
    ConnectFailed {
        /// The error's name, as errno(3) has it.
        errno: String,
    },
    /// The protocol above TCP is open: AMQP's connection.open-ok was sent or received.
    Opened {
        /// The heartbeat that was agreed on, seconds; 0 is none. `None` where the protocol has none.
        heartbeat_s: Option<u32>,
    },
    /// Messages were published, in total.
    Published {
        /// Handed to the client's library.
        messages: u64,
        /// Confirmed by the broker.
        confirmed: u64,
    },
    /// Messages were consumed, in total.
    Consumed {
        /// Total so far.
        messages: u64,
    },
    /// The client's library says that the connection is broken.
    Failed {
        /// In its own words.
        error: String,
    },
    /// Bytes were written to the socket, in total.
    Sent {
        /// Total so far.
        bytes: u64,
    },
    /// Bytes were read from the socket, in total.
    Received {
        /// Total so far.
        bytes: u64,
    },
    /// `read` returned 0: the peer sent FIN.
    Eof,
    /// `read` or `write` failed.
    Error {
        /// The error's name, as errno(3) has it.
        errno: String,
    },
    /// It stopped reading, or reads again.
    Reading {
        /// Whether it reads from now on.
        on: bool,
    },
    /// It shut the sending side of the socket; the report is of the moment at which shutdown(2) had returned.
    HalfClosed {
        /// How long before the report it had begun to.
        took: Span,
    },
    /// It closed the socket; the report is of the moment at which close(2) had returned.
    Closed {
        /// Why: `order` (the timeline said so), `eof`, `error`; of AMQP also `heartbeat` (missed), `handshake-timeout`,
        /// `protocol` (connection.close was said by either side, or what was said was none of the protocol).
        why: String,
        /// How long before the report it had begun to: whatever the kernel did for this close, it did since then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        took: Option<Span>,
    },
}
