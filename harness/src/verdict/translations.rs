//! Undoes what firewalls do to addresses: behind one that masquerades a connection bears other ones, and is the same connection.
//!
//! Two sources tell of it, so that one of them can be missing: the firewall's kernel, and the wire, where a SYN leaves a node with
//! the sequence number of one that came to it.

use std::borrow::Cow;
use std::net::SocketAddrV4;

use crate::evidence::{Event, Fact, Moment, Pair, Point, Segment};

use super::scene::INSTANT;

/// One connection's other address.
#[derive(Debug)]
struct Translation {
    at: Moment,
    /// Who opened it.
    opener: SocketAddrV4,
    /// Who seems to have.
    seems: SocketAddrV4,
    /// To whom.
    to: SocketAddrV4,
}

/// The evidence as it would be if no address had been changed.
#[must_use]
pub fn undone(events: &[Event]) -> Cow<'_, [Event]> {
    let translations = found(events);
    if translations.is_empty() {
        return Cow::Borrowed(events);
    }
    let mut events = events.to_vec();
    for event in &mut events {
        let at = event.at_ns;
        undo(&mut event.fact, |address, peer| {
            let fits = |t: &&Translation| t.seems == address && peer.is_none_or(|peer| peer == t.to);
            let mut fitting = translations.iter().filter(fits);
            let last = fitting.clone().rfind(|t| t.at <= at.after(INSTANT));
            last.or_else(|| fitting.next()).map_or(address, |t| t.opener)
        });
    }
    Cow::Owned(events)
}

/// All translations, in the order of their moments.
fn found(events: &[Event]) -> Vec<Translation> {
    let mut found = Vec::new();
    let mut came: Vec<(&Segment, Moment)> = Vec::new();
    for Event { at_ns: at, fact, .. } in events {
        match fact {
            Fact::Translated { before, after, .. } => {
                found.push(Translation { at: *at, opener: before.local, seems: after.local, to: after.remote });
            }
            Fact::Segment(segment) if segment.flags.syn() && !segment.flags.ack() => match segment.point {
                Point::Delivered => came.push((segment, *at)),
                Point::Sent => {
                    let same = |(other, when): &&(&Segment, Moment)| {
                        other.node == segment.node && other.seq == segment.seq && when.0 <= at.after(INSTANT).0
                    };
                    let Some((other, _)) = came.iter().rfind(same) else { continue };
                    if other.from != segment.from {
                        found.push(Translation { at: *at, opener: other.from, seems: segment.from, to: segment.to });
                    }
                }
            },
            _ => {}
        }
    }
    found
}

/// Changes every address in a fact; `plain` is given the address, and its peer's where there is one.
fn undo(fact: &mut Fact, plain: impl Fn(SocketAddrV4, Option<SocketAddrV4>) -> SocketAddrV4) {
    let ends = |a: &mut SocketAddrV4, b: &mut SocketAddrV4| {
        (*a, *b) = (plain(*a, Some(*b)), plain(*b, Some(*a)));
    };
    let pair = |pair: &mut Pair| ends(&mut pair.local, &mut pair.remote);
    match fact {
        Fact::Segment(segment) => ends(&mut segment.from, &mut segment.to),
        Fact::ProtocolFrame(frame) => ends(&mut frame.from, &mut frame.to),
        Fact::ProtocolUnread(unread) => ends(&mut unread.from, &mut unread.to),
        Fact::ProtocolSettings(settings) => pair(&mut settings.pair),
        Fact::SocketOptions(options) => pair(&mut options.pair),
        Fact::State { pair: p, .. }
        | Fact::SocketError { pair: p, .. }
        | Fact::ResetSent { pair: p, .. }
        | Fact::ResetReceived { pair: p, .. }
        | Fact::Retransmit { pair: p, .. }
        | Fact::Standing { pair: p, .. }
        | Fact::Application { pair: Some(p), .. } => pair(p),
        Fact::ProxySession { client, server, .. } => {
            pair(client);
            pair(server);
        }
        Fact::ProxyLog(log) => log.client = plain(log.client, None),
        Fact::BrokerLog(log) => log.client = log.client.map(|client| plain(client, None)),
        _ => {}
    }
}
