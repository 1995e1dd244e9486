//! Every kind of fact, and the kind of source that it comes from.

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

use super::{
    BrokerLog, ClientLog, Context, FirewallSettings, Pair, Point, ProtocolFrame, ProtocolSettings, ProtocolUnread,
    ProxyLog, ProxyNotice, ProxyRules, ProxyTimeouts, Report, Role, Segment, SocketOptions, Source, Span, TcpState,
};

/// What a fact tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub enum Fact {
    /// A TCP segment.
    Segment(Segment),
    /// A frame that is not TCP over IPv4 (ARP, ICMP, …).
    Frame {
        /// The wire.
        wire: String,
        /// The node at the end where it was seen.
        node: String,
        /// Sent or delivered.
        point: Point,
        /// EtherType or IP protocol, readable.
        what: String,
        /// Length in bytes.
        frame: u32,
    },
    /// A frame of an application's protocol, put together from segments.
    ProtocolFrame(ProtocolFrame),
    /// A conversation that could not be read to its end.
    ProtocolUnread(ProtocolUnread),

    /// A socket changed its state (`sock:inet_sock_set_state`).
    State {
        /// The node.
        node: String,
        /// The connection.
        #[serde(flatten)]
        pair: Pair,
        /// From.
        old: TcpState,
        /// To.
        new: TcpState,
        /// In whose time.
        context: Context,
    },
    /// A socket's error was set (`sock:inet_sk_error_report`).
    SocketError {
        /// The node.
        node: String,
        /// The connection.
        #[serde(flatten)]
        pair: Pair,
        /// The error's name, as errno(3) has it.
        errno: String,
    },
    /// A RST was made (`tcp:tcp_send_reset`).
    ResetSent {
        /// The node.
        node: String,
        /// The connection.
        #[serde(flatten)]
        pair: Pair,
        /// The socket's state; `None` when there was no socket.
        state: Option<TcpState>,
        /// Why (Linux ≥ 6.12, include/net/rstreason.h).
        reason: Option<String>,
    },
    /// A firewall gave a connection another address (ctnetlink, conntrack new).
    Translated {
        /// The firewall.
        node: String,
        /// Who opened it, and to whom.
        before: Pair,
        /// Who seems to have opened it, and to whom.
        after: Pair,
    },
    /// A RST was taken by a socket (`tcp:tcp_receive_reset`).
    ResetReceived {
        /// The node.
        node: String,
        /// The connection.
        #[serde(flatten)]
        pair: Pair,
    },
    /// A segment was sent again (`tcp:tcp_retransmit_skb`).
    Retransmit {
        /// The node.
        node: String,
        /// The connection.
        #[serde(flatten)]
        pair: Pair,
    },
    /// A thread of the lab ended (`sched:sched_process_exit`); with the last of its process, its sockets are closed.
    ProcessExit {
        /// The node.
        node: String,
        /// The service or client.
        process: String,
        /// Its command name.
        comm: String,
        /// Its thread id in the initial PID namespace.
        pid: i32,
    },
    /// A socket that stands at the end of the case (sock_diag(7)).
    Standing {
        /// The node.
        node: String,
        /// The connection.
        #[serde(flatten)]
        pair: Pair,
        /// Its state.
        state: TcpState,
    },
    /// The socket tables of all nodes were read to the end: what they do not show does not exist.
    SocketTables,

    /// A kernel's constants.
    Kernel {
        /// `uname -r`.
        release: String,
        /// Ticks per second (CONFIG_HZ): the grain of its timers.
        hz: u32,
        /// Where its timer wheel stands (virtual clock): the time from a multiple of 2^21 ticks to the case's moment 0, rounded
        /// down by less than a tick.
        #[serde(default)]
        wheel: Option<Span>,
    },
    /// A node and its address.
    Node {
        /// The node.
        node: String,
        /// Its one address.
        address: std::net::Ipv4Addr,
    },
    /// A service or client, and where it runs.
    Program {
        /// Its name in the scenario.
        name: String,
        /// The node it runs on.
        node: String,
        /// What it is.
        role: Role,
        /// Its kind: `echo`, `haproxy`, `tcp`, …
        kind: String,
        /// The port it is known by: where a service listens, where a client connects to.
        port: Option<u16>,
    },
    /// A sysctl of a node, read back.
    Sysctl {
        /// The node.
        node: String,
        /// Dotted name.
        name: String,
        /// Its value.
        value: String,
    },
    /// What a firewall does, beside its sysctls.
    Firewall(FirewallSettings),
    /// The options of a socket (getsockopt(2) on the socket itself).
    SocketOptions(SocketOptions),
    /// The timeouts in force of a proxy's listener.
    ProxySettings {
        /// The proxy.
        service: String,
        /// The frontend (or `listen` section).
        frontend: String,
        /// The ports it listens on.
        ports: Vec<u16>,
        /// Where it sends sessions to.
        servers: Vec<SocketAddrV4>,
        /// Its timeouts; `client` of the frontend, `server` of its backend.
        timeouts: ProxyTimeouts,
        /// How much earlier than its value a timer of it may fire, milliseconds, since it is not moved for less.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lazy_ms: Option<u64>,
        /// What else it does with sessions; `None` in evidence that does not tell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rules: Option<ProxyRules>,
    },
    /// What two programs agreed on in their protocol's handshake.
    ProtocolSettings(ProtocolSettings),
    /// The settings of a broker, or of a client with such, that can end a connection.
    BrokerSettings {
        /// The broker, or the client.
        service: String,
        /// How long the protocol's handshake may take, milliseconds: after the accept, at a client after the attempt to connect;
        /// `None` is for ever.
        handshake_timeout_ms: Option<u64>,
        /// How often it looks at its clients' timers, milliseconds, if it is not woken by each.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        checks_every_ms: Option<u64>,
    },

    /// Both legs of a session, as the proxy itself tells (`show sess all`).
    ProxySession {
        /// The proxy.
        service: String,
        /// The client's leg, as the proxy sees it.
        client: Pair,
        /// The server's leg, as the proxy sees it.
        server: Pair,
    },
    /// A session's end, as the proxy logged it.
    ProxyLog(ProxyLog),
    /// What a proxy logged of itself or of its servers.
    ProxyNotice {
        /// The proxy.
        service: String,
        /// What it tells.
        #[serde(flatten)]
        notice: ProxyNotice,
        /// The line.
        line: String,
    },
    /// What a broker's log says of a connection's end.
    BrokerLog(BrokerLog),
    /// A line of a client's output that says why its library ended a connection.
    ClientLog(ClientLog),
    /// A line of a program's output or log.
    ServiceLog {
        /// The program.
        service: String,
        /// `stdout`, `stderr` or `syslog`.
        stream: String,
        /// The line.
        line: String,
    },
    /// What a program reports of its own connection.
    Application {
        /// The program.
        process: String,
        /// Its node.
        node: String,
        /// Which of its connections, from 1.
        connection: u32,
        /// The connection's addresses, when it has any.
        pair: Option<Pair>,
        /// What it reports.
        #[serde(flatten)]
        report: Report,
    },

    /// A step of the timeline began or was done.
    Step {
        /// Its number, from 1.
        step: u32,
        /// Its verb.
        verb: String,
        /// The step as written.
        text: String,
        /// Whether it is done.
        done: bool,
    },
    /// What a step did, to what.
    Injected {
        /// The verb.
        verb: String,
        /// The wire, node, service or client it was done to.
        target: String,
    },
    /// How late this machine woke a timer of the harness, at the worst, during the case.
    Canary {
        /// Lateness in nanoseconds.
        worst: Span,
    },
    /// Something was not seen: the case is inconclusive.
    Gap {
        /// Which source.
        from: Source,
        /// What is missing.
        what: String,
    },
}

impl Fact {
    /// The connection that an event of the kernel's trace is about.
    #[must_use]
    pub fn traced(&self) -> Option<Pair> {
        match self {
            Fact::State { pair, .. }
            | Fact::SocketError { pair, .. }
            | Fact::ResetSent { pair, .. }
            | Fact::ResetReceived { pair, .. }
            | Fact::Retransmit { pair, .. } => Some(*pair),
            _ => None,
        }
    }

    /// The kind of source this fact comes from.
    #[must_use]
    pub fn source(&self) -> Source {
        match self {
            Fact::Segment(_) | Fact::Frame { .. } | Fact::ProtocolFrame(_) => Source::Wire,
            Fact::State { .. }
            | Fact::SocketError { .. }
            | Fact::ResetSent { .. }
            | Fact::ResetReceived { .. }
            | Fact::Retransmit { .. }
            | Fact::Translated { .. }
            | Fact::ProcessExit { .. }
            | Fact::Standing { .. }
            | Fact::SocketTables => Source::Kernel,
            Fact::Sysctl { .. }
            | Fact::Firewall(_)
            | Fact::SocketOptions(_)
            | Fact::ProxySettings { .. }
            | Fact::ProtocolSettings(_)
            | Fact::BrokerSettings { .. } => Source::Settings,
            Fact::ProxySession { .. }
            | Fact::ProxyLog(_)
            | Fact::BrokerLog(_)
            | Fact::ClientLog(_)
            | Fact::ProxyNotice { .. }
            | Fact::ServiceLog { .. }
            | Fact::Application { .. } => Source::Log,
            Fact::Kernel { .. }
            | Fact::Node { .. }
            | Fact::Program { .. }
            | Fact::Step { .. }
            | Fact::Injected { .. }
            | Fact::Canary { .. }
            | Fact::ProtocolUnread(_)
            | Fact::Gap { .. } => Source::Timeline,
        }
    }
}
