//! Fifty connections that begin in the same millisecond, through a proxy to two servers, and end in four ways: every join is
//! right.
//!
//! Each connection sends a number of bytes of its own, and the wire shows where those came out: that is the truth here, and no
//! part of what whyclosed joins by, which is what the proxy tells. The proxy's log, with the server of each client port, is a
//! second truth.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use whyclosed::evidence::{Event, Fact, Pair, Point, Report, Segment};
use whyclosed::run::REAL;
use whyclosed::verdict::Verdict;
use whyclosed_tests::program::run_text;
use whyclosed_tests::{Failure, Result, ensure, under_test};

const CONNECTIONS: u32 = 50;
const CLOSED: std::ops::RangeInclusive<u32> = 1..=12;
const RESET: std::ops::RangeInclusive<u32> = 13..=24;
/// Bytes of the first connection; each further one sends one more.
const FEWEST: u32 = 100;
/// The wire and the verdict may take the end's time from two sources.
const SAME_S: f64 = 0.002;

const LAB: &str = "title: Fifty connections in the same millisecond
nodes:
  client: { address: 172.19.19.10 }
  lb: { address: 172.19.19.91 }
  s1: { address: 172.19.19.79 }
  s2: { address: 172.19.19.80 }
wires:
  client-lb: { ends: [client, lb] }
  lb-s1: { ends: [lb, s1] }
  lb-s2: { ends: [lb, s2] }
services:
  s1: { node: s1, server: echo, port: 5672 }
  s2: { node: s2, server: echo, port: 5672 }
  lb:
    node: lb
    proxy: haproxy
    config: |
      listen broker
          bind 172.19.19.91:5672
          mode tcp
          log global
          option tcplog
          balance leastconn
          timeout connect 5s
          timeout client 5s
          timeout server 1h
          server s1 172.19.19.79:5672
          server s2 172.19.19.80:5672
clients:
  many: { node: client, connect: \"lb:5672\", protocol: tcp, connections: 50 }
timeline:
";

fn scenario() -> String {
    let mut text = LAB.to_string();
    for connection in 1..=CONNECTIONS {
        let bytes = FEWEST + connection;
        let _ = writeln!(text, "  - send: {{ client: many, connection: {connection}, bytes: {bytes} }}");
    }
    for connection in CLOSED {
        let _ = writeln!(text, "  - close: {{ client: many, connection: {connection} }}");
    }
    for connection in RESET {
        let _ = writeln!(text, "  - reset: {{ client: many, connection: {connection} }}");
    }
    text.push_str("  - kill: s2\n  - wait: { until: closed, at most: 20s }\n");
    text
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn fifty_connections_of_one_millisecond_are_joined_as_the_wire_shows() -> Result {
    let run = run_text(under_test!(), REAL, &scenario(), &[])?.expect_code(0)?;
    let found = run.found()?;
    let case = found.results.cases.first().ok_or_else(|| run.failure("no case was run"))?;
    let truth = Truth::of(&found.evidence(case)?)?;
    truth.check(&case.connections).map_err(|failure| run.failure(&format!("{failure:?}")))
}

/// What the wire and the proxy's log show of each connection, by its number.
struct Truth {
    sessions: BTreeMap<u32, Session>,
}

struct Session {
    /// The server that the log names.
    logged: String,
    /// The node at whose address its bytes came out.
    server: String,
    /// When the first FIN or RST was on each leg, seconds.
    ends_s: [f64; 2],
}

impl Truth {
    fn of(events: &[Event]) -> Result<Truth> {
        let ports: BTreeMap<u32, Pair> = events.iter().filter_map(client_end).collect();
        ensure!(ports.len() == CONNECTIONS as usize, "{} connections were made", ports.len());
        let mut sessions = BTreeMap::new();
        for (number, client) in &ports {
            let logged = events.iter().find_map(|event| match &event.fact {
                Fact::ProxyLog(log) if log.client == client.local => log.server.clone(),
                _ => None,
            });
            let sent = u64::from(FEWEST + number);
            // One port of the proxy's can have connections to both servers.
            let legs: BTreeSet<Pair> = segments(events)
                .filter(|(_, segment)| segment.node == "lb" && segment.point == Point::Sent)
                .filter(|(_, segment)| segment.to.port() == 5672 && u64::from(segment.payload) == sent)
                .map(|(_, segment)| ends(segment))
                .collect();
            let leg = *legs.first().filter(|_| legs.len() == 1).ok_or_else(|| {
                Failure::new(format!("{} legs carried the {sent} bytes of connection {number}", legs.len()))
            })?;
            let server = segments(events).find(|(_, s)| ends(s) == leg && s.point == Point::Delivered);
            sessions.insert(
                *number,
                Session {
                    logged: logged.unwrap_or_default(),
                    server: server.map(|(_, segment)| segment.node.clone()).unwrap_or_default(),
                    ends_s: [end(events, *client)?, end(events, leg)?],
                },
            );
        }
        Ok(Truth { sessions })
    }

    fn check(&self, verdicts: &[Verdict]) -> Result {
        ensure!(verdicts.len() == 2 * self.sessions.len(), "{} verdicts for 50 sessions", verdicts.len());
        for (number, session) in &self.sessions {
            let label = format!("many#{number:02} ");
            let legs: Vec<_> = verdicts.iter().filter(|verdict| verdict.name.starts_with(&label)).collect();
            let [client, server] = legs.as_slice() else {
                return Err(Failure::new(format!("{label}has {} legs: it was not joined", legs.len())));
            };
            ensure!(client.session.is_some() && client.session == server.session, "{label}is two sessions");
            ensure!(server.to == session.server, "{label}went to {}, joined to {}", session.server, server.to);
            ensure!(session.server == session.logged, "{label}went to {}, logged {}", session.server, session.logged);
            for (verdict, end) in [(client, session.ends_s[0]), (server, session.ends_s[1])] {
                let at = verdict.at_s.unwrap_or_default();
                ensure!((at - end).abs() < SAME_S, "{} ended at {end} s, joined to one of {at} s", verdict.name);
            }
            let mechanisms = [client.mechanism.as_str(), server.mechanism.as_str()];
            let expected = session.mechanisms(*number);
            let doubts = [&client.doubts, &server.doubts];
            ensure!(mechanisms == expected, "{label}: {mechanisms:?}, not {expected:?}: {doubts:?}");
        }
        Ok(())
    }
}

impl Session {
    fn mechanisms(&self, number: u32) -> [&'static str; 2] {
        if CLOSED.contains(&number) {
            ["app-close", "proxy-relayed"]
        } else if RESET.contains(&number) {
            ["app-abort", "proxy-relayed"]
        } else if self.server == "s2" {
            ["proxy-relayed", "process-exit"]
        } else {
            ["proxy-timeout-client", "proxy-timeout-client"]
        }
    }
}

/// One of the client's connections, as the client sees it.
fn client_end(event: &Event) -> Option<(u32, Pair)> {
    match &event.fact {
        Fact::Application { process, connection, pair, report: Report::Connected, .. } if process == "many" => {
            Some((*connection, (*pair)?))
        }
        _ => None,
    }
}

fn segments(events: &[Event]) -> impl Iterator<Item = (f64, &Segment)> {
    events.iter().filter_map(|event| match &event.fact {
        Fact::Segment(segment) => Some((event.at_ns.seconds(), segment)),
        _ => None,
    })
}

fn ends(segment: &Segment) -> Pair {
    Pair { local: segment.from, remote: segment.to }
}

/// When the first FIN or RST of a connection was on the wire.
fn end(events: &[Event], pair: Pair) -> Result<f64> {
    let of_leg = |segment: &Segment| ends(segment) == pair || ends(segment) == pair.flipped();
    let mut sent = segments(events).filter(|(_, segment)| segment.point == Point::Sent && of_leg(segment));
    let end = sent.find(|(_, segment)| segment.flags.fin() || segment.flags.rst());
    end.map(|(at, _)| at).ok_or_else(|| Failure::new(format!("{pair:?} never ended on the wire")))
}
