//! From segments to what programs say to each other: each end of each wire is read by itself, so that what was sent and what was
//! delivered are two facts.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::SocketAddrV4;

use netns::Segment;

use super::protocols::{self, PROTOCOLS, Protocol, Reader, Said, Side};
use super::stream::{Lost, Stream};
use super::{Fact, Heartbeat, Pair, Point, ProtocolFrame, ProtocolSettings, ProtocolUnread};

/// How many bytes of a side are kept until the protocol is recognised; one that is not by then is none of ours.
const UNRECOGNISED: usize = 64 << 10;

/// A segment as it passed one end of a wire.
#[derive(Clone, Debug)]
pub struct Passed<'a> {
    /// When, in nanoseconds of any clock: facts have the same.
    pub at_ns: i64,
    /// The wire's name.
    pub wire: &'a str,
    /// The node at that end.
    pub node: &'a str,
    /// Sent by the node, or delivered to it.
    pub point: Point,
    /// The segment.
    pub segment: Segment<'a>,
}

/// What was said in the conversations that these segments, in the order in which they passed, are part of.
///
/// A conversation whose first segments are missing, or whose protocol is not one of [`PROTOCOLS`], gives nothing.
#[must_use]
pub fn read<'a>(segments: impl IntoIterator<Item = Passed<'a>>) -> Vec<(i64, Fact)> {
    let mut facts = Vec::new();
    let mut open: HashMap<(&str, &str, [SocketAddrV4; 2]), Conversation<'a>> = HashMap::new();
    let mut last_ns = 0;
    for passed in segments {
        last_ns = passed.at_ns;
        let Segment { from, to, flags, seq, .. } = passed.segment;
        let key = (passed.wire, passed.node, [from.min(to), from.max(to)]);
        let opens = flags.has(netns::Flags::SYN) && !flags.has(netns::Flags::ACK);
        if opens && open.get(&key).is_none_or(|known| known.opener != from || known.syn != seq) {
            if let Some(mut before) = open.insert(key, Conversation::new(&passed)) {
                before.finish(last_ns, &mut facts);
            }
        } else if let Some(conversation) = open.get_mut(&key) {
            conversation.take(&passed, &mut facts);
        }
    }
    let mut rest: Vec<_> = open.into_iter().collect();
    rest.sort_by_key(|(key, _)| *key);
    for (_, mut conversation) in rest {
        conversation.finish(last_ns, &mut facts);
    }
    facts
}

/// One connection at one end of a wire.
struct Conversation<'a> {
    wire: &'a str,
    node: &'a str,
    opener: SocketAddrV4,
    acceptor: SocketAddrV4,
    /// Sequence number of the opener's SYN.
    syn: u32,
    /// The node of this end is the one that opened it.
    at_opener: bool,
    directions: [Direction<'a>; 2],
    speaks: Speaks,
}

/// One side's part of a conversation.
#[derive(Default)]
struct Direction<'a> {
    /// Its SYN was seen.
    begun: bool,
    /// None before that, and when it was given up.
    stream: Option<Stream<'a>>,
    /// What was said before the protocol was recognised.
    unheard: Vec<u8>,
}

/// What a conversation is in.
enum Speaks {
    NotYetKnown,
    NothingOfOurs,
    Protocol(&'static dyn Protocol, Box<dyn Reader>),
}

impl<'a> Conversation<'a> {
    fn new(passed: &Passed<'a>) -> Conversation<'a> {
        let Segment { from, to, seq, .. } = passed.segment;
        let opener = Direction { begun: true, stream: Some(Stream::after_syn(seq)), ..Direction::default() };
        Conversation {
            wire: passed.wire,
            node: passed.node,
            opener: from,
            acceptor: to,
            syn: seq,
            at_opener: passed.point == Point::Sent,
            directions: [opener, Direction::default()],
            speaks: Speaks::NotYetKnown,
        }
    }

    fn take(&mut self, passed: &Passed<'a>, facts: &mut Vec<(i64, Fact)>) {
        if matches!(self.speaks, Speaks::NothingOfOurs) {
            return;
        }
        let segment = &passed.segment;
        let side = usize::from(segment.from != self.opener);
        if segment.flags.has(netns::Flags::ACK)
            && let Some(other) = &mut self.directions[1 - side].stream
        {
            other.acknowledge(segment.ack);
        }
        if segment.flags.has(netns::Flags::SYN) {
            // A SYN, ACK that is sent again changes nothing.
            let direction = &mut self.directions[side];
            if !direction.begun {
                *direction =
                    Direction { begun: true, stream: Some(Stream::after_syn(segment.seq)), ..Direction::default() };
            }
            return;
        }
        if segment.flags.has(netns::Flags::RST) {
            return;
        }
        let Some(stream) = &mut self.directions[side].stream else { return };
        let mut pieces = Vec::new();
        let taken = stream.take(segment.seq, segment.payload, |bytes| pieces.push(bytes));
        if segment.flags.has(netns::Flags::FIN) {
            // A segment's payload is never longer than 64 kB.
            let length = u32::try_from(segment.payload.len()).unwrap_or_default();
            stream.fin(segment.seq.wrapping_add(length));
        }
        let (mut said, mut failed) = (Vec::new(), Vec::new());
        if let Err(Lost) = taken {
            failed.push((side, "a segment of it was not seen".to_string()));
        }
        for bytes in pieces {
            self.hear(side, bytes, &mut said, &mut failed);
        }
        self.tell(passed.at_ns, said, facts);
        for (side, why) in failed {
            self.give_up(passed.at_ns, side, why, facts);
        }
    }

    /// Hears the next bytes of one side, in order.
    fn hear(&mut self, side: usize, bytes: &[u8], said: &mut Vec<(usize, Said)>, failed: &mut Vec<(usize, String)>) {
        if failed.iter().any(|(given_up, _)| *given_up == side) {
            return;
        }
        if let Speaks::Protocol(_, reader) = &mut self.speaks {
            failed.extend(listen(reader.as_mut(), side, bytes, said));
            return;
        }
        self.directions[side].unheard.extend_from_slice(bytes);
        let opening = &self.directions[0].unheard;
        let recognised = |protocol: &&&dyn Protocol| protocol.recognises(opening) == Some(true);
        if let Some(protocol) = PROTOCOLS.iter().find(recognised) {
            let mut reader = protocol.reader();
            for (side, direction) in self.directions.iter_mut().enumerate() {
                failed.extend(listen(reader.as_mut(), side, &std::mem::take(&mut direction.unheard), said));
            }
            self.speaks = Speaks::Protocol(*protocol, reader);
            return;
        }
        let undecided = PROTOCOLS.iter().any(|protocol| protocol.recognises(opening).is_none());
        if !undecided || self.directions.iter().any(|direction| direction.unheard.len() > UNRECOGNISED) {
            self.speaks = Speaks::NothingOfOurs;
            self.directions = [Direction::default(), Direction::default()];
        }
    }

    /// Makes facts of what one segment completed: what a verdict asks for frame by frame, the rest counted by name.
    fn tell(&self, at_ns: i64, said: Vec<(usize, Said)>, facts: &mut Vec<(i64, Fact)>) {
        let Speaks::Protocol(protocol, _) = &self.speaks else { return };
        let mut told: Vec<Fact> = Vec::new();
        let mut counted: HashMap<(usize, Option<u16>, Cow<'static, str>), usize> = HashMap::new();
        for (side, said) in said {
            let frame = match said {
                Said::Frame(frame) => frame,
                Said::Agreed { software, heartbeat } => {
                    told.push(Fact::ProtocolSettings(self.settings(*protocol, &software, heartbeat)));
                    continue;
                }
            };
            let key = frame.means.is_none().then(|| (side, frame.channel, frame.name.clone()));
            let same = key.as_ref().and_then(|key| counted.get(key)).and_then(|index| told.get_mut(*index));
            if let Some(Fact::ProtocolFrame(same)) = same {
                same.count += 1;
                same.bytes += frame.bytes;
                continue;
            }
            counted.extend(key.map(|key| (key, told.len())));
            told.push(Fact::ProtocolFrame(self.frame(*protocol, side, frame)));
        }
        facts.extend(told.into_iter().map(|fact| (at_ns, fact)));
    }

    fn settings(
        &self,
        protocol: &dyn Protocol,
        software: &[Option<String>; 2],
        heartbeat: Heartbeat,
    ) -> ProtocolSettings {
        let own = usize::from(!self.at_opener);
        let (local, remote) = self.ends(own);
        ProtocolSettings {
            node: self.node.into(),
            pair: Pair { local, remote },
            protocol: protocol.name().into(),
            software: software[own].clone(),
            heartbeat,
        }
    }

    fn frame(&self, protocol: &dyn Protocol, side: usize, frame: protocols::Frame) -> ProtocolFrame {
        let (from, to) = self.ends(side);
        ProtocolFrame {
            wire: self.wire.into(),
            node: self.node.into(),
            point: self.point(side),
            from,
            to,
            protocol: protocol.name().into(),
            name: frame.name.into_owned(),
            channel: frame.channel,
            count: 1,
            bytes: frame.bytes,
            means: frame.means,
            reply: frame.reply,
        }
    }

    fn give_up(&mut self, at_ns: i64, side: usize, why: String, facts: &mut Vec<(i64, Fact)>) {
        self.directions[side] = Direction { begun: true, ..Direction::default() };
        if let Speaks::Protocol(protocol, _) = &self.speaks {
            let (from, to) = self.ends(side);
            let unread = ProtocolUnread {
                node: self.node.into(),
                point: self.point(side),
                from,
                to,
                protocol: protocol.name().into(),
                why,
            };
            facts.push((at_ns, Fact::ProtocolUnread(unread)));
        }
    }

    /// The end of a conversation: what its receiver had and this end of the wire did not show makes it unread.
    fn finish(&mut self, at_ns: i64, facts: &mut Vec<(i64, Fact)>) {
        for side in 0..2 {
            if self.directions[side].stream.as_ref().is_some_and(Stream::misses) {
                self.give_up(at_ns, side, "a segment of it was not seen".into(), facts);
            }
        }
    }

    fn ends(&self, side: usize) -> (SocketAddrV4, SocketAddrV4) {
        if side == 0 { (self.opener, self.acceptor) } else { (self.acceptor, self.opener) }
    }

    fn point(&self, side: usize) -> Point {
        if (side == 0) == self.at_opener { Point::Sent } else { Point::Delivered }
    }
}

/// Lets one side's next bytes be read; gives the side and why, if it cannot be read any further.
fn listen(
    reader: &mut dyn Reader,
    side: usize,
    bytes: &[u8],
    said: &mut Vec<(usize, Said)>,
) -> Option<(usize, String)> {
    let mut new = Vec::new();
    let read = reader.read(if side == 0 { Side::Opener } else { Side::Acceptor }, bytes, &mut new);
    said.extend(new.into_iter().map(|said| (side, said)));
    read.err().map(|why| (side, why))
}
