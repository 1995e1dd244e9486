//! How a proxy ended connections, as the wires saw it: what two proxies are compared by.

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddrV4};

use whyclosed::evidence::{Event, Fact, Point, Role};
use whyclosed::report::results::CaseResult;

/// A SYN, FIN or RST that a node put on a wire.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// When, seconds on the case's clock.
    pub at_s: f64,
    /// The nodes of its connection: who opened it, to whom.
    pub connection: [String; 2],
    /// Who sent it.
    pub node: String,
    /// Which.
    pub kind: &'static str,
}

impl Signal {
    /// What it is, without when it was.
    #[must_use]
    pub fn what(&self) -> String {
        format!("{} of {} on {}->{}", self.kind, self.node, self.connection[0], self.connection[1])
    }
}

/// Every signal of a case's proxies in the order of its sending; what other nodes send is their answer. Health checks are left out: how many there are is a matter of the moment.
#[must_use]
pub fn signals(case: &CaseResult, events: &[Event]) -> Vec<Signal> {
    let checks: HashSet<&str> = case.checks.iter().map(|check| check.name.as_str()).collect();
    let mut nodes: HashMap<Ipv4Addr, &str> = HashMap::new();
    let mut proxies: HashSet<&str> = HashSet::new();
    let mut connections: Vec<Seen> = Vec::new();
    let mut latest: HashMap<[SocketAddrV4; 2], usize> = HashMap::new();
    for event in events {
        match &event.fact {
            Fact::Node { node, address } => drop(nodes.insert(*address, node)),
            Fact::Program { node, role: Role::Proxy, .. } => drop(proxies.insert(node)),
            Fact::Segment(segment) if segment.point == Point::Sent => {
                let mut ends = [segment.from, segment.to];
                ends.sort();
                // Ports are used again: a SYN with another number opens another connection.
                let opens = (segment.flags.syn() && !segment.flags.ack()).then_some(segment.seq);
                let known = latest.get(&ends).copied();
                let index = known.filter(|index| opens.is_none() || connections[*index].opened == opens);
                let index = index.unwrap_or(connections.len());
                if index == connections.len() {
                    connections.push(Seen {
                        opened: opens,
                        opener: [segment.from, segment.to],
                        payload: false,
                        signals: Vec::new(),
                    });
                    latest.insert(ends, index);
                }
                let seen = &mut connections[index];
                seen.payload |= segment.payload > 0;
                if let Some(kind) = kind(segment) {
                    seen.signals.push((event.at_ns.seconds(), segment.from, kind));
                }
            }
            _ => {}
        }
    }
    let name =
        |address: &SocketAddrV4| nodes.get(address.ip()).map_or_else(|| address.to_string(), ToString::to_string);
    let mut signals = Vec::new();
    for seen in &connections {
        let connection = [name(&seen.opener[0]), name(&seen.opener[1])];
        if !seen.payload && checks.contains(connection.join("->").as_str()) {
            continue;
        }
        let own = seen.signals.iter();
        signals.extend(own.map(|(at_s, from, kind)| Signal {
            at_s: *at_s,
            connection: connection.clone(),
            node: name(from),
            kind,
        }));
    }
    signals.retain(|signal| proxies.contains(signal.node.as_str()));
    signals.sort_by(|one, other| one.at_s.total_cmp(&other.at_s));
    signals
}

/// A connection on the wires.
struct Seen {
    /// The number of the SYN that opened it.
    opened: Option<u32>,
    opener: [SocketAddrV4; 2],
    payload: bool,
    signals: Vec<(f64, SocketAddrV4, &'static str)>,
}

fn kind(segment: &whyclosed::evidence::Segment) -> Option<&'static str> {
    let flags = segment.flags;
    match () {
        () if flags.rst() => Some("RST"),
        () if flags.fin() => Some("FIN"),
        () if flags.syn() && !flags.ack() => Some("SYN"),
        () => None,
    }
}

/// The termination states that the proxy logged, in order.
#[must_use]
pub fn logged(events: &[Event]) -> Vec<String> {
    let state = |event: &Event| match &event.fact {
        Fact::ProxyLog(log) => Some(log.termination.clone()),
        _ => None,
    };
    events.iter().filter_map(state).collect()
}
