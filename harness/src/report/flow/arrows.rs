//! Segments → arrows: what was sent, whether it came, and what it was for.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddrV4;

use super::places::Places;
use crate::evidence::{Event, Fact, Meaning, Moment, Point, ProtocolFrame, Segment, Span};

/// Segments of one direction that follow each other as closely as this are one burst.
const BURST: Span = Span::millis(50);
/// A RST and what the kernel's trace says of it are of one moment.
const SAME: Span = Span::millis(1);
/// Names of frames that fit on an arrow.
const NAMES: usize = 3;

/// One segment, or a burst of them, on one wire.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrow {
    /// When the first was sent.
    pub at: Moment,
    /// Which connection, as its verdict is numbered.
    pub connection: usize,
    /// The place of the node that sent it.
    pub from: usize,
    /// The place of the node at the other end of the wire.
    pub to: usize,
    /// What it is.
    pub kind: Kind,
    /// How many segments.
    pub count: u32,
    /// Payload, bytes.
    pub payload: u64,
    /// What is in it, or why it was sent, in the words of its protocol or of the kernel.
    pub names: Vec<String>,
    /// How long it was on its way; `None` if it did not come.
    pub took: Option<Span>,
}

/// What a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SYN.
    Syn,
    /// SYN, ACK.
    SynAck,
    /// Payload.
    Data,
    /// Payload, a SYN or a FIN that was sent before.
    Again,
    /// An acknowledgement, and nothing else.
    Ack,
    /// A keepalive probe; whether it was answered.
    Probe(bool),
    /// A window probe; whether it was answered.
    WindowProbe(bool),
    /// The answer to a probe.
    Answer,
    /// A sign of life of an application's protocol.
    Heartbeat,
    /// FIN.
    Fin,
    /// RST.
    Rst,
}

impl Arrow {
    /// Whether it came.
    #[must_use]
    pub fn came(&self) -> bool {
        self.took.is_some()
    }

    /// Whether it says nothing new: a probe that was answered, the answer, a heartbeat.
    #[must_use]
    pub fn is_routine(&self) -> bool {
        let routine = matches!(
            self.kind,
            Kind::Probe(true) | Kind::WindowProbe(true) | Kind::Answer | Kind::Heartbeat | Kind::Ack
        );
        routine && self.came()
    }

    /// Whether it is an acknowledgement that came.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.kind == Kind::Ack && self.came()
    }
}

/// One direction of a connection on one wire.
type Way = (usize, String, SocketAddrV4);

/// What is known of a direction.
#[derive(Default)]
struct Known {
    /// The sequence number after everything sent.
    next: Option<u32>,
    /// Whether its last window was closed.
    shut: bool,
    /// The probe that waits for an answer from the other direction.
    probe: Option<usize>,
}

/// All arrows of connections that have a verdict, in the order of time, and when each other connection (a health check) began.
#[must_use]
pub fn arrows(places: &Places, events: &[Event]) -> (Vec<Arrow>, Vec<Moment>) {
    let mut came = deliveries(events);
    let frames = frames(events);
    let mut known: HashMap<Way, Known> = HashMap::new();
    let (mut arrows, mut checks) = (Vec::<Arrow>::new(), Vec::new());
    for event in events {
        let Fact::Segment(segment) = &event.fact else { continue };
        if segment.point != Point::Sent {
            continue;
        }
        let Some(connection) = places.connection(segment.from, segment.to) else {
            if segment.flags.syn() && !segment.flags.ack() {
                checks.push(event.at_ns);
            }
            continue;
        };
        let Some(from) = places.node(&segment.node) else { continue };
        let Some(to) = places.across(&segment.wire, from) else { continue };
        let delivered = came.get_mut(&key(segment)).and_then(VecDeque::pop_front);
        let found = frames.get(&(segment.wire.as_str(), segment.node.as_str(), segment.from, event.at_ns));
        let found = found.map_or(&[][..], Vec::as_slice);
        let there: Way = (connection, segment.wire.clone(), segment.to);
        let shut = known.get(&there).is_some_and(|known| known.shut);
        let asked = known.get(&there).and_then(|known| known.probe);
        let way = known.entry((connection, segment.wire.clone(), segment.from)).or_default();
        let kind = kind(segment, way, shut, asked.is_some(), found);
        if matches!(kind, Kind::Probe(_) | Kind::WindowProbe(_)) {
            way.probe = Some(arrows.len());
        } else if let Some(asked) = asked {
            // A probe is no answer to a probe: both ends may send one at the same time.
            if let Kind::Probe(answered) | Kind::WindowProbe(answered) = &mut arrows[asked].kind {
                *answered = kind == Kind::Answer;
            }
            known.entry(there).or_default().probe = None;
        }
        arrows.push(Arrow {
            at: event.at_ns,
            connection,
            from,
            to,
            kind,
            count: 1,
            payload: segment.payload.into(),
            names: names(found),
            took: delivered.map(|at| at.since(event.at_ns)),
        });
    }
    reasons(places, events, &mut arrows);
    (bursts(arrows), checks)
}

fn kind(segment: &Segment, way: &mut Known, shut: bool, asked: bool, frames: &[&ProtocolFrame]) -> Kind {
    let flags = segment.flags;
    let length = segment.payload + u32::from(flags.syn()) + u32::from(flags.fin());
    let end = segment.seq.wrapping_add(length);
    // Sequence numbers go round: what is less than half a round behind is before (RFC 9293 §3.4).
    let before = |a: u32, b: u32| a.wrapping_sub(b) > u32::MAX / 2;
    let old = way.next.is_some_and(|next| length > 0 && before(segment.seq, next));
    let probe = length == 0 && way.next == Some(segment.seq.wrapping_add(1));
    if way.next.is_none_or(|next| before(next, end)) && !flags.rst() {
        way.next = Some(end);
    }
    way.shut = segment.window == 0 && !flags.rst();
    match () {
        () if flags.rst() => Kind::Rst,
        () if old => Kind::Again,
        () if flags.syn() && flags.ack() => Kind::SynAck,
        () if flags.syn() => Kind::Syn,
        () if flags.fin() => Kind::Fin,
        () if probe && shut => Kind::WindowProbe(false),
        () if probe => Kind::Probe(false),
        () if !frames.is_empty() && frames.iter().all(|frame| frame.means == Some(Meaning::Heartbeat)) => {
            Kind::Heartbeat
        }
        () if segment.payload > 0 => Kind::Data,
        () if asked => Kind::Answer,
        () => Kind::Ack,
    }
}

/// What makes two sights of a segment those of one.
type Key<'a> = (&'a str, SocketAddrV4, SocketAddrV4, u8, u32, u32, u32);

fn key(segment: &Segment) -> Key<'_> {
    (&segment.wire, segment.from, segment.to, segment.flags.0, segment.seq, segment.ack, segment.payload)
}

/// When each segment came, for those that came.
fn deliveries(events: &[Event]) -> HashMap<Key<'_>, VecDeque<Moment>> {
    let mut came: HashMap<_, VecDeque<_>> = HashMap::new();
    for event in events {
        if let Fact::Segment(segment) = &event.fact
            && segment.point == Point::Delivered
        {
            came.entry(key(segment)).or_default().push_back(event.at_ns);
        }
    }
    came
}

/// The frames that a segment completed: by wire, node, sender and moment.
fn frames(events: &[Event]) -> HashMap<(&str, &str, SocketAddrV4, Moment), Vec<&ProtocolFrame>> {
    let mut frames: HashMap<_, Vec<_>> = HashMap::new();
    for event in events {
        if let Fact::ProtocolFrame(frame) = &event.fact
            && frame.point == Point::Sent
        {
            let place = (frame.wire.as_str(), frame.node.as_str(), frame.from, event.at_ns);
            frames.entry(place).or_default().push(frame);
        }
    }
    frames
}

fn names(frames: &[&ProtocolFrame]) -> Vec<String> {
    let name = |frame: &&ProtocolFrame| match frame.count {
        1 => frame.name.clone(),
        count => format!("{} ×{count}", frame.name),
    };
    // The content of a message follows the method that brings it (AMQP 0-9-1, 4.2.6), and says nothing that it does not.
    let mut names: Vec<String> = frames.iter().filter(|frame| !frame.name.starts_with("content-")).map(name).collect();
    names.dedup();
    names
}

/// Puts the kernel's reason for a RST on the RST.
fn reasons(places: &Places, events: &[Event], arrows: &mut [Arrow]) {
    for event in events {
        let Fact::ResetSent { node, pair, reason: Some(reason), .. } = &event.fact else { continue };
        let (node, connection) = (places.node(node), places.of_pair(*pair));
        let rst = arrows.iter_mut().find(|arrow| {
            let here = Some(arrow.from) == node && Some(arrow.connection) == connection;
            let now = arrow.at.since(event.at_ns);
            arrow.kind == Kind::Rst && here && arrow.names.is_empty() && now >= Span(0) && now <= SAME
        });
        if let Some(rst) = rst {
            rst.names.push(reason.clone());
        }
    }
}

/// Makes one arrow of segments with payload that follow each other; acknowledgements of them do not come between.
fn bursts(arrows: Vec<Arrow>) -> Vec<Arrow> {
    let mut merged: Vec<Arrow> = Vec::new();
    // Of each connection on each wire, the arrow that can still grow and when it last did.
    let mut open: HashMap<(usize, usize, usize), (usize, Moment)> = HashMap::new();
    for arrow in arrows {
        let wire = (arrow.connection, arrow.from.min(arrow.to), arrow.from.max(arrow.to));
        if arrow.is_quiet() {
            merged.push(arrow);
            continue;
        }
        let last = open.get_mut(&wire).and_then(|(index, until)| {
            let last = merged.get_mut(*index)?;
            let same = (last.from, last.kind, last.came()) == (arrow.from, arrow.kind, arrow.came());
            (same && arrow.kind == Kind::Data && arrow.at.since(*until) <= BURST).then_some((last, until))
        });
        if let Some((last, until)) = last {
            last.count += arrow.count;
            last.payload += arrow.payload;
            last.names.extend(arrow.names);
            last.names.dedup();
            *until = arrow.at;
        } else {
            open.insert(wire, (merged.len(), arrow.at));
            merged.push(arrow);
        }
    }
    for arrow in &mut merged {
        if arrow.names.len() > NAMES {
            arrow.names.truncate(NAMES - 1);
            arrow.names.push("…".into());
        }
    }
    merged
}
