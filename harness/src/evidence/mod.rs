//! Evidence: timestamped facts about one case, each from one source, on one clock.
//!
//! ```text
//! mod.rs      the list and its sources             (pure)
//! fact.rs     every kind of fact                   (pure)
//! tcp.rs, told.rs, spoken.rs, time.rs   what facts are made of (pure)
//! store.rs    where every collector puts its facts
//! wire.rs     segments, from the capture in the fabric
//! stream.rs, conversation.rs, protocols/   what programs say to each other, from segments (pure)
//! trace.rs, traceline.rs, routes.rs   the kernel's tracepoints
//! sockets.rs  socket options and socket tables
//! pcapng.rs   the capture as a file
//! ```
//!
//! The list is ordered, numbered and lossless: what a collector could not read is itself a fact ([`Fact::Gap`]).

pub mod conversation;
mod fact;
pub mod pcapng;
pub mod protocols;
pub mod routes;
pub mod sockets;
mod spoken;
pub mod store;
pub mod stream;
mod tcp;
mod time;
mod told;
pub mod trace;
mod traceline;
pub mod wire;

pub use fact::Fact;
pub use spoken::{Heartbeat, Meaning, ProtocolFrame, ProtocolSettings, ProtocolUnread, Reply};
pub use tcp::{Context, Flags, Pair, Point, Segment, TcpState};
pub use time::{Moment, Span};
pub use told::{
    BrokerLog, ClientLog, FirewallSettings, FirewallUnknown, Keepalive, ProxyLog, ProxyNotice, ProxyRules, ProxyServer,
    ProxyTimeouts, Report, Role, SocketOptions, UNNAMED, Why,
};

use std::collections::HashSet;
use std::net::SocketAddrV4;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One fact, in its place in the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Place in the list, from 1, without holes.
    pub n: u64,
    /// When it was true.
    pub at_ns: Moment,
    /// What it tells.
    #[serde(flatten)]
    pub fact: Fact,
}

/// The kinds of source; a firm verdict needs two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Segments seen at both ends of every wire.
    Wire,
    /// The kernel's tracepoints, process table and socket tables.
    Kernel,
    /// Sysctls, socket options, the proxy's timeouts in force.
    Settings,
    /// Logs and reports of services and clients.
    Log,
    /// What the harness itself did.
    Timeline,
}

impl Source {
    /// Every source that a verdict can lose; the timeline is the harness's own memory and is never lost.
    pub const ABLATABLE: [Source; 4] = [Source::Wire, Source::Kernel, Source::Settings, Source::Log];

    /// The name used in evidence and results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Source::Wire => "wire",
            Source::Kernel => "kernel",
            Source::Settings => "settings",
            Source::Log => "log",
            Source::Timeline => "timeline",
        }
    }
}

/// The list: facts with times of CLOCK_MONOTONIC put on a clock whose 0 is `start_ns`, ordered, numbered from 1. Facts of one
/// instant keep the order in which they came.
#[must_use]
pub fn list(mut facts: Vec<(i64, Fact)>, start_ns: i64) -> Vec<Event> {
    facts.sort_by_key(|(at, _)| *at);
    facts.into_iter().zip(1..).map(|((at, fact), n)| Event { n, at_ns: Moment(at - start_ns), fact }).collect()
}

/// Leaves out what the kernel said of connections of somebody else on this machine, in namespaces of his own with the same
/// addresses: of a connection between two nodes of this lab, a wire, a socket or a program tells too.
#[must_use]
pub fn own(facts: Vec<(i64, Fact)>) -> Vec<(i64, Fact)> {
    let known: HashSet<(SocketAddrV4, SocketAddrV4)> = facts
        .iter()
        .filter_map(|(_, fact)| match fact {
            Fact::Segment(segment) => Some(ends(segment.from, segment.to)),
            Fact::SocketOptions(options) => Some(ends(options.pair.local, options.pair.remote)),
            Fact::Application { pair: Some(pair), .. } => Some(ends(pair.local, pair.remote)),
            Fact::Standing { pair, .. } => Some(ends(pair.local, pair.remote)),
            Fact::ProxySession { server, .. } => Some(ends(server.local, server.remote)),
            _ => None,
        })
        .collect();
    let foreign = |fact: &Fact| fact.traced().is_some_and(|pair| !known.contains(&ends(pair.local, pair.remote)));
    facts.into_iter().filter(|(_, fact)| !foreign(fact)).collect()
}

fn ends(a: SocketAddrV4, b: SocketAddrV4) -> (SocketAddrV4, SocketAddrV4) {
    (a.min(b), a.max(b))
}

/// Saved evidence without one kind of source: what a verdict must survive without naming another mechanism.
#[must_use]
pub fn without(events: &[Event], source: Source) -> Vec<Event> {
    events.iter().filter(|event| event.fact.source() != source).cloned().collect()
}
