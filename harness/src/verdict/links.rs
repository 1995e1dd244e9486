//! Finds the connection and the endpoint that a fact is about.
//!
//! Ports are used again. The end that opens a second connection between the same ports is at the second one from then on; the other
//! end may still have its socket of the first, and never hear of the second. So each end is followed by itself, and on the wire and
//! in its kernel apart: a SYN that reaches a node does not end the socket that it meets there (RFC 9293 §3.5.1).

use std::collections::HashMap;
use std::net::SocketAddrV4;

use super::model::{Connection, Endpoint, Model, Seen, Spoken, StateChange};
use super::way::Passed;
use crate::evidence::{Event, Fact, Moment, Pair, Point, Role, Segment, TcpState};

/// Finds the connection that a fact is about.
#[derive(Default)]
pub struct Links {
    /// The connection whose segments pass at an end's wire.
    wire: HashMap<Pair, usize>,
    /// The connection that an end's socket is of.
    socket: HashMap<Pair, usize>,
}

impl Links {
    /// Puts a fact where it belongs.
    pub fn add(&mut self, model: &mut Model, event: &Event) {
        let at = event.at_ns;
        match &event.fact {
            Fact::Segment(segment) => {
                let own = own(segment.from, segment.to, segment.point == Point::Sent);
                if is_between(model, own, &segment.node) {
                    self.pass(model, segment, at);
                    return;
                }
                self.follow(model, segment, own);
                let opens = segment.flags.syn() && !segment.flags.ack() && segment.point == Point::Sent;
                let Some(index) = self.passing(model, own, at, opens.then_some(true)) else { return };
                let endpoint = endpoint(&mut model.connections[index], own);
                match segment.point {
                    Point::Sent => endpoint.sent.push(seen(segment, at)),
                    Point::Delivered => endpoint.delivered.push(seen(segment, at)),
                }
            }
            Fact::ProtocolFrame(frame) => {
                let sent = frame.point == Point::Sent;
                let own = own(frame.from, frame.to, sent);
                if is_between(model, own, &frame.node) {
                    return;
                }
                let reply = frame.reply.as_ref().map(|reply| format!("{} {}", reply.code, reply.text));
                let spoken = Spoken { at, sent, name: frame.name.clone(), means: frame.means, reply };
                self.on_wire(model, own, |endpoint| endpoint.frames.push(spoken));
            }
            Fact::ProtocolUnread(unread) => {
                let own = own(unread.from, unread.to, unread.point == Point::Sent);
                if !is_between(model, own, &unread.node) {
                    self.on_wire(model, own, |endpoint| endpoint.unread = true);
                }
            }
            Fact::ProtocolSettings(settings) => {
                if is_between(model, settings.pair, &settings.node) {
                    return;
                }
                if let Some(index) = self.passing(model, settings.pair, at, None) {
                    endpoint(&mut model.connections[index], settings.pair).agreed = Some((at, settings.clone()));
                }
            }
            Fact::State { pair, old, new, context, .. } => {
                let either = |state| *old == state || *new == state;
                let opens = either(TcpState::SynSent).then_some(true).or(either(TcpState::SynRecv).then_some(false));
                if opens.is_some() {
                    self.renew(model, *pair);
                }
                let Some(index) = self.owned(model, *pair, at, opens) else { return };
                let change = StateChange { n: event.n, at, old: *old, new: *new, context: context.clone() };
                endpoint(&mut model.connections[index], *pair).states.push(change);
            }
            Fact::SocketError { pair, errno, .. } => {
                self.on(model, *pair, |endpoint| endpoint.errors.push((at, errno.clone())));
            }
            // A kernel between the endpoints speaks for neither.
            Fact::ResetSent { node, pair, .. } if is_between(model, *pair, node) => {}
            // A kernel without a socket answers the segment that came.
            Fact::ResetSent { pair, state: None, reason, .. } => {
                self.on_wire(model, *pair, |endpoint| endpoint.resets_sent.push((at, None, reason.clone())));
            }
            Fact::ResetSent { pair, state, reason, .. } => {
                self.on(model, *pair, |endpoint| endpoint.resets_sent.push((at, *state, reason.clone())));
            }
            Fact::ResetReceived { pair, .. } => self.on(model, *pair, |endpoint| endpoint.resets_received.push(at)),
            Fact::Retransmit { pair, .. } => self.on(model, *pair, |endpoint| endpoint.retransmits.push(at)),
            Fact::Standing { pair, state, .. } => self.on(model, *pair, |endpoint| endpoint.standing = Some(*state)),
            Fact::SocketOptions(options) => {
                if let Some(index) = self.owned(model, options.pair, at, None) {
                    let endpoint = endpoint(&mut model.connections[index], options.pair);
                    if endpoint.keepalive() != options.keepalive {
                        endpoint.keepalive_by = Some(at);
                    }
                    endpoint.options = Some(options.clone());
                }
            }
            // The kernel's trace does not have a proxy's connect(2): at that moment its socket has no port yet.
            Fact::ProxySession { server, .. } => {
                self.owned(model, *server, at, Some(true));
            }
            Fact::Application { process, connection, pair, report, .. } => {
                let Some(pair) = pair else { return };
                let Some(index) = self.owned(model, *pair, at, None) else { return };
                let endpoint = endpoint(&mut model.connections[index], *pair);
                endpoint.program = Some(process.clone());
                endpoint.number = Some(*connection);
                endpoint.reports.push((at, report.clone()));
            }
            _ => {}
        }
    }

    /// A segment passes a node on its way: it is its sender's.
    fn pass(&self, model: &mut Model, segment: &Segment, at: Moment) {
        let sender = Pair { local: segment.from, remote: segment.to };
        let Some(index) = self.wire.get(&sender) else { return };
        let (node, point, from) = (segment.node.clone(), segment.point, segment.from);
        model.connections[*index].passed.push(Passed { node, point, from, seen: seen(segment, at) });
    }

    /// A SYN says where an end of these ports is from now on.
    fn follow(&mut self, model: &Model, segment: &Segment, own: Pair) {
        let flags = segment.flags;
        match (segment.point, flags.syn(), flags.ack()) {
            (Point::Sent, true, false) => {
                let other = |seen: &Seen| seen.flags.syn() && seen.seq != segment.seq;
                if self.wire.get(&own).is_some_and(|index| end(model, *index, own).sent.iter().any(other)) {
                    self.forget(own);
                }
            }
            (Point::Delivered, true, false) => {
                if let Some(index) = self.wire.get(&own.flipped()).copied() {
                    self.wire.insert(own, index);
                }
            }
            // Only a listener answers so: a socket that stands answers a SYN by an ACK.
            (Point::Sent, true, true) => {
                if let Some(index) = self.wire.get(&own).copied() {
                    self.socket.insert(own, index);
                }
            }
            _ => {}
        }
    }

    /// A socket begins: if the known one of these ports is closed, it is another one's.
    fn renew(&mut self, model: &Model, pair: Pair) {
        let Some(index) = self.socket.get(&pair).copied() else { return };
        let closed = |index| end(model, index, pair).states.iter().any(|change| change.new == TcpState::Close);
        if !closed(index) {
            return;
        }
        let others = [self.wire.get(&pair).copied(), self.socket.get(&pair.flipped()).copied()];
        match others.into_iter().flatten().find(|other| *other != index && !closed(*other)) {
            Some(other) => drop(self.socket.insert(pair, other)),
            None => self.forget(pair),
        }
    }

    /// What follows at this end is of a connection that is not known yet.
    fn forget(&mut self, own: Pair) {
        self.wire.remove(&own);
        self.socket.remove(&own);
    }

    fn on(&self, model: &mut Model, pair: Pair, then: impl FnOnce(&mut Endpoint)) {
        if let Some(index) = self.socket.get(&pair) {
            then(endpoint(&mut model.connections[*index], pair));
        }
    }

    fn on_wire(&self, model: &mut Model, pair: Pair, then: impl FnOnce(&mut Endpoint)) {
        if let Some(index) = self.wire.get(&pair) {
            then(endpoint(&mut model.connections[*index], pair));
        }
    }

    /// The connection whose segments pass at this end's wire, made when it is the first fact of it. `opens` says whether
    /// `pair.local` is known to be the end that opened (or accepted) it.
    fn passing(&mut self, model: &mut Model, pair: Pair, at: Moment, opens: Option<bool>) -> Option<usize> {
        let known = self.wire.get(&pair).copied();
        self.known_or_new(known, model, pair, at, opens)
    }

    /// The connection that this end's socket is of, as [`Links::passing`].
    fn owned(&mut self, model: &mut Model, pair: Pair, at: Moment, opens: Option<bool>) -> Option<usize> {
        let known = self.socket.get(&pair).copied();
        self.known_or_new(known, model, pair, at, opens)
    }

    fn known_or_new(
        &mut self,
        known: Option<usize>,
        model: &mut Model,
        pair: Pair,
        at: Moment,
        opens: Option<bool>,
    ) -> Option<usize> {
        if let Some(index) = known {
            if opens == Some(true) && model.connections[index].endpoints[0].pair != pair {
                model.connections[index].endpoints.reverse();
            }
            return Some(index);
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
        model.connections.push(Connection { endpoints, passed: Vec::new(), began: at });
        let index = model.connections.len() - 1;
        for ends in [&mut self.wire, &mut self.socket] {
            ends.entry(pair).or_insert(index);
            ends.entry(pair.flipped()).or_insert(index);
        }
        Some(index)
    }
}

/// The addresses as the node sees them at whose end of a wire something passed.
fn own(from: SocketAddrV4, to: SocketAddrV4, sent: bool) -> Pair {
    let pair = Pair { local: from, remote: to };
    if sent { pair } else { pair.flipped() }
}

/// Whether what was seen at `node` was on its way there: it is not the node that has this end's address.
fn is_between(model: &Model, own: Pair, node: &str) -> bool {
    model.nodes.get(own.local.ip()).is_some_and(|end| end != node)
}

fn seen(segment: &Segment, at: Moment) -> Seen {
    let Segment { flags, seq, ack, window, payload, .. } = *segment;
    Seen { at, flags, seq, ack, window, payload }
}

fn end(model: &Model, index: usize, pair: Pair) -> &Endpoint {
    let endpoints = &model.connections[index].endpoints;
    &endpoints[usize::from(endpoints[0].pair != pair)]
}

fn endpoint(connection: &mut Connection, pair: Pair) -> &mut Endpoint {
    let index = usize::from(connection.endpoints[0].pair != pair);
    &mut connection.endpoints[index]
}
