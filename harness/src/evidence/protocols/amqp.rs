//! AMQP 0-9-1 (section numbers are those of its specification, amqp0-9-1.pdf; methods and fields are in amqp0-9-1.xml).
//!
//! Our own reader and not amq-protocol's: of all frames only the seven bytes before them are needed, and of methods only a few
//! fields of class `connection`. So message bodies need not be kept, memory has a bound, and what a library would refuse as a
//! whole (an unknown method, a table with a broker's own types) is still a frame with a name and a length.

use std::borrow::Cow;

use super::{Frame, Protocol, Reader, Said, Side};
use crate::evidence::{Heartbeat, Meaning, Reply};

/// The protocol header of 0-9-1 (4.2.2).
const HEADER: &[u8; 8] = b"AMQP\x00\x00\x09\x01";
/// Type, channel and size, before a frame's payload (4.2.3).
const FRAME_HEADER: usize = 7;
/// The octet behind a frame's payload (4.2.3).
const FRAME_END: u8 = 0xCE;
/// How much of a method's arguments is kept: those of `connection.start`, the longest that is looked into, take 0.5 kB.
const KEPT: usize = 16 << 10;
/// The class `connection`.
const CONNECTION: u16 = 10;

/// The protocol.
#[derive(Debug)]
pub struct Amqp;

impl Protocol for Amqp {
    fn name(&self) -> &'static str {
        "amqp-0-9-1"
    }

    fn recognises(&self, opening: &[u8]) -> Option<bool> {
        match opening.first_chunk::<8>() {
            Some(first) => Some(first == HEADER),
            None if HEADER.starts_with(opening) => None,
            None => Some(false),
        }
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Conversation::default())
    }
}

#[derive(Default)]
struct Conversation {
    directions: [Direction; 2],
    software: [Option<String>; 2],
    offered_s: u16,
}

impl Reader for Conversation {
    fn read(&mut self, from: Side, mut bytes: &[u8], said: &mut Vec<Said>) -> Result<(), String> {
        let side = usize::from(from == Side::Acceptor);
        while let Some(raw) = self.directions[side].next(&mut bytes)? {
            self.understand(side, &raw, said);
        }
        Ok(())
    }
}

impl Conversation {
    fn understand(&mut self, side: usize, raw: &Raw, said: &mut Vec<Said>) {
        let mut frame = Frame { name: raw.name(), channel: raw.channel, bytes: raw.bytes, means: None, reply: None };
        let arguments = || Arguments(&raw.kept).skip(4);
        let mut agreed = None;
        match (raw.kind, raw.method()) {
            (Kind::Header, _) if side == 0 => frame.means = Some(Meaning::Opens),
            (Kind::Heartbeat, _) => frame.means = Some(Meaning::Heartbeat),
            (Kind::Method, Some((CONNECTION, 10))) => {
                self.software[side] = arguments().and_then(|a| a.skip(2)?.product());
            }
            (Kind::Method, Some((CONNECTION, 11))) => self.software[side] = arguments().and_then(Arguments::product),
            (Kind::Method, Some((CONNECTION, 30))) => {
                self.offered_s = arguments().and_then(Arguments::heartbeat).unwrap_or_default();
            }
            (Kind::Method, Some((CONNECTION, 31))) => {
                agreed = arguments().and_then(Arguments::heartbeat).map(|in_force_s| Said::Agreed {
                    software: self.software.clone(),
                    heartbeat: Heartbeat { offered_s: self.offered_s, in_force_s },
                });
            }
            (Kind::Method, Some((CONNECTION, 41))) => frame.means = Some(Meaning::Opened),
            (Kind::Method, Some((CONNECTION, 50))) => {
                frame.means = Some(Meaning::Closes);
                frame.reply = arguments().and_then(Arguments::reply);
            }
            (Kind::Method, Some((CONNECTION, 51))) => frame.means = Some(Meaning::Closed),
            _ => {}
        }
        said.push(Said::Frame(frame));
        said.extend(agreed);
    }
}

/// What a frame is, by its type octet (4.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// No frame at all: the protocol header.
    Header,
    Method,
    ContentHeader,
    ContentBody,
    Heartbeat,
}

/// A whole frame: of its payload no more than is looked into.
#[derive(Debug)]
struct Raw {
    kind: Kind,
    channel: Option<u16>,
    bytes: u64,
    kept: Vec<u8>,
}

impl Raw {
    /// Class and method (4.2.4).
    fn method(&self) -> Option<(u16, u16)> {
        let ids = Arguments(&self.kept);
        if self.kind == Kind::Method { Some((ids.u16()?, ids.skip(2)?.u16()?)) } else { None }
    }

    fn name(&self) -> Cow<'static, str> {
        match (self.kind, self.method()) {
            (Kind::Header, _) => "protocol-header".into(),
            (Kind::ContentHeader, _) => "content-header".into(),
            (Kind::ContentBody, _) => "content-body".into(),
            (Kind::Heartbeat, _) => "heartbeat".into(),
            (Kind::Method, Some((class, method))) => {
                let named = METHODS.iter().find(|(c, m, _)| (*c, *m) == (class, method));
                named.map_or_else(|| format!("method {class}.{method}").into(), |(.., name)| (*name).into())
            }
            (Kind::Method, None) => "method".into(),
        }
    }
}

/// One direction: where in a frame it stands.
#[derive(Default)]
struct Direction {
    /// Anything was read.
    begun: bool,
    /// Of the header, what has come so far.
    head: Vec<u8>,
    /// The frame whose payload is being read, and how much of payload and end is missing.
    body: Option<(Raw, u64)>,
}

impl Direction {
    /// The next frame that `bytes` complete; what was used is taken off them.
    fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Raw>, String> {
        if self.body.is_none() && !self.begin(bytes)? {
            return Ok(None);
        }
        let Some((raw, missing)) = &mut self.body else { return Ok(None) };
        let here = usize::try_from(*missing).unwrap_or(usize::MAX).min(bytes.len());
        let (mine, rest) = bytes.split_at(here);
        *bytes = rest;
        *missing -= u64::try_from(here).unwrap_or(0);
        if raw.kind == Kind::Method {
            let room = KEPT.saturating_sub(raw.kept.len());
            raw.kept.extend(mine.iter().take(room));
        }
        if *missing > 0 {
            return Ok(None);
        }
        if raw.kind != Kind::Header && mine.last() != Some(&FRAME_END) {
            return Err(format!("a frame of {} bytes does not end as one of AMQP's", raw.bytes));
        }
        Ok(self.body.take().map(|(raw, _)| raw))
    }

    /// Reads the bytes before a payload; says whether they are complete.
    fn begin(&mut self, bytes: &mut &[u8]) -> Result<bool, String> {
        let header = self.head.first().or(bytes.first()) == Some(&HEADER[0]) && !self.begun;
        let wanted = if header { HEADER.len() } else { FRAME_HEADER };
        let here = (wanted - self.head.len()).min(bytes.len());
        let (mine, rest) = bytes.split_at(here);
        self.head.extend_from_slice(mine);
        *bytes = rest;
        if self.head.len() < wanted {
            return Ok(false);
        }
        let head = std::mem::take(&mut self.head);
        self.begun = true;
        if header {
            self.body = Some((Raw { kind: Kind::Header, channel: None, bytes: 8, kept: Vec::new() }, 0));
            return Ok(true);
        }
        let kind = match head[0] {
            1 => Kind::Method,
            2 => Kind::ContentHeader,
            3 => Kind::ContentBody,
            8 => Kind::Heartbeat,
            other => return Err(format!("{other} is no type of AMQP's frames")),
        };
        let channel = Arguments(&head).skip(1).and_then(Arguments::u16);
        let size = Arguments(&head).skip(3).and_then(Arguments::u32).unwrap_or_default();
        let missing = u64::from(size) + 1;
        let bytes = missing + 7;
        self.body = Some((Raw { kind, channel, bytes, kept: Vec::new() }, missing));
        Ok(true)
    }
}

/// Fields in the order in which they stand (4.2.5); nothing is read beyond their end.
#[derive(Clone, Copy)]
struct Arguments<'a>(&'a [u8]);

impl<'a> Arguments<'a> {
    fn skip(self, bytes: usize) -> Option<Arguments<'a>> {
        self.0.get(bytes..).map(Arguments)
    }

    fn u8(self) -> Option<u8> {
        self.0.first().copied()
    }

    fn u16(self) -> Option<u16> {
        self.0.first_chunk().copied().map(u16::from_be_bytes)
    }

    fn u32(self) -> Option<u32> {
        self.0.first_chunk().copied().map(u32::from_be_bytes)
    }

    /// A short string, without its length octet.
    fn short(self) -> Option<&'a [u8]> {
        let length = usize::from(self.u8()?);
        self.0.get(1..1 + length)
    }

    /// Of `tune` and `tune-ok`: channel-max, frame-max, heartbeat.
    fn heartbeat(self) -> Option<u16> {
        self.skip(6)?.u16()
    }

    /// Of `close`: reply-code, reply-text, class-id, method-id.
    fn reply(self) -> Option<Reply> {
        let text = self.skip(2)?.short()?;
        let failed = self.skip(3 + text.len())?;
        Some(Reply {
            code: self.u16()?,
            text: String::from_utf8_lossy(text).into_owned(),
            class: failed.u16()?,
            method: failed.skip(2)?.u16()?,
        })
    }

    /// The field `product` of a table of properties (4.2.5.5; the types are those that RabbitMQ's errata list).
    fn product(self) -> Option<String> {
        let length = usize::try_from(self.u32()?).ok()?;
        let fields = self.skip(4)?.0;
        let mut table = Arguments(&fields[..length.min(fields.len())]);
        loop {
            let name = table.short()?;
            let value = table.skip(1 + name.len())?;
            let (kind, value) = (value.u8()?, value.skip(1)?);
            let long = |value: Arguments<'_>| usize::try_from(value.u32()?).ok()?.checked_add(4);
            let length = match kind {
                b'V' => 0,
                b't' | b'b' | b'B' => 1,
                b's' | b'u' | b'U' => 2,
                b'i' | b'I' | b'f' => 4,
                b'D' => 5,
                b'l' | b'L' | b'd' | b'T' => 8,
                b'S' | b'x' | b'A' | b'F' => long(value)?,
                _ => return None,
            };
            if name == b"product" && kind == b'S' {
                return Some(String::from_utf8_lossy(value.0.get(4..length)?).into_owned());
            }
            table = value.skip(length)?;
        }
    }
}

/// The methods of amqp0-9-1.xml and of RabbitMQ's extensions to it: class, method, name.
const METHODS: &[(u16, u16, &str)] = &[
    (10, 10, "connection.start"),
    (10, 11, "connection.start-ok"),
    (10, 20, "connection.secure"),
    (10, 21, "connection.secure-ok"),
    (10, 30, "connection.tune"),
    (10, 31, "connection.tune-ok"),
    (10, 40, "connection.open"),
    (10, 41, "connection.open-ok"),
    (10, 50, "connection.close"),
    (10, 51, "connection.close-ok"),
    (10, 60, "connection.blocked"),
    (10, 61, "connection.unblocked"),
    (10, 70, "connection.update-secret"),
    (10, 71, "connection.update-secret-ok"),
    (20, 10, "channel.open"),
    (20, 11, "channel.open-ok"),
    (20, 20, "channel.flow"),
    (20, 21, "channel.flow-ok"),
    (20, 40, "channel.close"),
    (20, 41, "channel.close-ok"),
    (40, 10, "exchange.declare"),
    (40, 11, "exchange.declare-ok"),
    (40, 20, "exchange.delete"),
    (40, 21, "exchange.delete-ok"),
    (40, 30, "exchange.bind"),
    (40, 31, "exchange.bind-ok"),
    (40, 40, "exchange.unbind"),
    (40, 51, "exchange.unbind-ok"),
    (50, 10, "queue.declare"),
    (50, 11, "queue.declare-ok"),
    (50, 20, "queue.bind"),
    (50, 21, "queue.bind-ok"),
    (50, 30, "queue.purge"),
    (50, 31, "queue.purge-ok"),
    (50, 40, "queue.delete"),
    (50, 41, "queue.delete-ok"),
    (50, 50, "queue.unbind"),
    (50, 51, "queue.unbind-ok"),
    (60, 10, "basic.qos"),
    (60, 11, "basic.qos-ok"),
    (60, 20, "basic.consume"),
    (60, 21, "basic.consume-ok"),
    (60, 30, "basic.cancel"),
    (60, 31, "basic.cancel-ok"),
    (60, 40, "basic.publish"),
    (60, 50, "basic.return"),
    (60, 60, "basic.deliver"),
    (60, 70, "basic.get"),
    (60, 71, "basic.get-ok"),
    (60, 72, "basic.get-empty"),
    (60, 80, "basic.ack"),
    (60, 90, "basic.reject"),
    (60, 100, "basic.recover-async"),
    (60, 110, "basic.recover"),
    (60, 111, "basic.recover-ok"),
    (60, 120, "basic.nack"),
    (85, 10, "confirm.select"),
    (85, 11, "confirm.select-ok"),
    (90, 10, "tx.select"),
    (90, 11, "tx.select-ok"),
    (90, 20, "tx.commit"),
    (90, 21, "tx.commit-ok"),
    (90, 30, "tx.rollback"),
    (90, 31, "tx.rollback-ok"),
];
