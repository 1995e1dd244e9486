//! Finds the connection and the endpoint that a fact is about.

use std::collections::HashMap;
use std::net::SocketAddrV4;

use super::model::{Connection, Endpoint, Model, Seen, Spoken, StateChange};
use crate::evidence::{Event, Fact, Moment, Pair, Point, Role, TcpState};

/// Finds the connection that a fact is about.
#[derive(Default)]
pub struct Links {
    /// By the addresses in the order (smaller, larger).
    by_pair: HashMap<(SocketAddrV4, SocketAddrV4), usize>,
}

impl Links {
    /// Puts a fact where it belongs.
    pub fn add(&mut self, model: &mut Model, event: &Event) {
        let at = event.at_ns;
        match &event.fact {
            Fact::Segment(segment) => {
                let pair = Pair { local: segment.from, remote: segment.to };
                let opens = segment.flags.syn() && !segment.flags.ack();
                if opens {
                    // A SYN with another number is the first of a second connection between the same ports.
                    self.forget(model, pair, |opener| {
                        opener.sent.iter().any(|s| s.flags.syn() && s.seq != segment.seq)
                    });
                }
                let Some(index) = self.connection(model, pair, at, Some(opens)) else { return };
                let own = own(segment.from, segment.to, segment.point == Point::Sent);
                let seen = Seen {
                    at,
                    flags: segment.flags,
                    seq: segment.seq,
                    ack: segment.ack,
                    window: segment.window,
                    payload: segment.payload,
                };
                let endpoint = endpoint(&mut model.connections[index], own);
                match segment.point {
                    Point::Sent => endpoint.sent.push(seen),
                    Point::Delivered => endpoint.delivered.push(seen),
                }
            }
            Fact::ProtocolFrame(frame) => {
                let sent = frame.point == Point::Sent;
                let reply = frame.reply.as_ref().map(|reply| format!("{} {}", reply.code, reply.text));
                let spoken = Spoken { at, sent, name: frame.name.clone(), means: frame.means, reply };
                self.on(model, own(frame.from, frame.to, sent), |endpoint| endpoint.frames.push(spoken));
            }
            Fact::ProtocolUnread(unread) => {
                let own = own(unread.from, unread.to, unread.point == Point::Sent);
                self.on(model, own, |endpoint| endpoint.unread = true);
            }
            Fact::ProtocolSettings(settings) => {
                if let Some(index) = self.connection(model, settings.pair, at, None) {
                    endpoint(&mut model.connections[index], settings.pair).agreed = Some((at, settings.clone()));
                }
            }
            Fact::State { pair, old, new, context, .. } => {
                let opens =
                    (*new == TcpState::SynSent).then_some(true).or((*old == TcpState::SynRecv).then_some(false));
                let Some(index) = self.connection(model, *pair, at, opens) else { return };
                let change = StateChange { n: event.n, at, old: *old, new: *new, context: context.clone() };
                endpoint(&mut model.connections[index], *pair).states.push(change);
            }
            Fact::SocketError { pair, errno, .. } => {
                self.on(model, *pair, |endpoint| endpoint.errors.push((at, errno.clone())));
            }
            Fact::ResetSent { pair, state, reason, .. } => {
                self.on(model, *pair, |endpoint| endpoint.resets_sent.push((at, *state, reason.clone())));
            }
            Fact::ResetReceived { pair, .. } => self.on(model, *pair, |endpoint| endpoint.resets_received.push(at)),
            Fact::Retransmit { pair, .. } => self.on(model, *pair, |endpoint| endpoint.retransmits.push(at)),
            Fact::Standing { pair, state, .. } => self.on(model, *pair, |endpoint| endpoint.standing = Some(*state)),
            Fact::SocketOptions(options) => {
                if let Some(index) = self.connection(model, options.pair, at, None) {
                    let endpoint = endpoint(&mut model.connections[index], options.pair);
                    if endpoint.keepalive() != options.keepalive {
                        endpoint.keepalive_by = Some(at);
                    }
                    endpoint.options = Some(options.clone());
                }
            }
            // The kernel's trace does not have a proxy's connect(2): at that moment its socket has no port yet.
            Fact::ProxySession { server, .. } => {
                self.connection(model, *server, at, Some(true));
            }
            Fact::Application { process, connection, pair, report, .. } => {
                let Some(pair) = pair else { return };
                let Some(index) = self.connection(model, *pair, at, None) else { return };
                let endpoint = endpoint(&mut model.connections[index], *pair);
                endpoint.program = Some(process.clone());
                endpoint.number = Some(*connection);
                endpoint.reports.push((at, report.clone()));
            }
            _ => {}
        }
    }

    /// What follows is about another connection between the same ports, if the known one has been opened before.
    fn forget(&mut self, model: &Model, pair: Pair, opened: impl FnOnce(&Endpoint) -> bool) {
        let Some(index) = self.by_pair.get(&key(pair)) else { return };
        let opener = model.connections[*index].endpoints.iter().find(|endpoint| endpoint.pair == pair);
        if opener.is_some_and(opened) {
            self.by_pair.remove(&key(pair));
        }
    }

    fn on(&self, model: &mut Model, pair: Pair, then: impl FnOnce(&mut Endpoint)) {
        if let Some(index) = self.by_pair.get(&key(pair)) {
            then(endpoint(&mut model.connections[*index], pair));
        }
    }

    /// The connection of these addresses, made when it is the first fact of it. `opens` says whether `pair.local` is known to
    /// be the end that opened (or accepted) it.
    fn connection(&mut self, model: &mut Model, pair: Pair, at: Moment, opens: Option<bool>) -> Option<usize> {
        if let Some(index) = self.by_pair.get(&key(pair)) {
            if opens == Some(true) && model.connections[*index].endpoints[0].pair != pair {
                model.connections[*index].endpoints.reverse();
            }
            return Some(*index);
        }
        let (local, remote) = (model.nodes.get(pair.local.ip())?.clone(), model.nodes.get(pair.remote.ip())?.clone());
        // Without a SYN or a state that tells, the end with the service's port is the one that accepted.
        let serves = |node: &str, port| {
            model.programs.iter().any(|p| p.node == node && p.port == Some(port) && p.role != Role::Client)
        };
        let local_opens = opens.unwrap_or_else(|| !serves(&local, pair.local.port()));
        let mut endpoints = [Endpoint::new(local, pair), Endpoint::new(remote, pair.flipped())];
        if !local_opens {
            endpoints.reverse();
        }
        model.connections.push(Connection { endpoints, began: at });
        self.by_pair.insert(key(pair), model.connections.len() - 1);
        Some(model.connections.len() - 1)
    }
}

/// The addresses as the node sees them at whose end of a wire something passed.
fn own(from: SocketAddrV4, to: SocketAddrV4, sent: bool) -> Pair {
    let pair = Pair { local: from, remote: to };
    if sent { pair } else { pair.flipped() }
}

fn key(pair: Pair) -> (SocketAddrV4, SocketAddrV4) {
    (pair.local.min(pair.remote), pair.local.max(pair.remote))
}

fn endpoint(connection: &mut Connection, pair: Pair) -> &mut Endpoint {
    let index = usize::from(connection.endpoints[0].pair != pair);
    &mut connection.endpoints[index]
}
