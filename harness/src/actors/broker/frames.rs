//! Octets to frames and back: amq-protocol's codec, within limits of our own.

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, WriteContext, gen_frame, parse_frame};
use amq_protocol::protocol::{AMQPClass, AMQPHardError, BasicProperties, constants};

use super::exception::Exception;

/// Type, channel and size stand before a frame's payload, bytes (AMQP 0-9-1, 4.2.3).
const HEADER: usize = 7;
/// A frame without payload, bytes.
const EMPTY: usize = HEADER + 1;
/// "AMQP", 0 and the version.
const PROTOCOL_HEADER: usize = 8;
/// Tables and arrays within each other. The codec descends into them by recursion, so what nests without end would be the end of
/// the process; nobody's client nests by more than a few.
const DEEPEST: usize = 64;
/// The class of `basic`, the only one with content.
const BASIC: u16 = 60;

/// What a client sends first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// "AMQP" and four octets: protocol id or 0, major, minor, revision.
    Version([u8; 4]),
    /// Something else.
    Other([u8; PROTOCOL_HEADER]),
}

/// Takes octets as they come and gives frames. Holds no more than one frame and what was read with it.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Octets of the buffer that were given already.
    taken: usize,
}

impl Decoder {
    /// Takes octets.
    pub fn feed(&mut self, octets: &[u8]) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.extend_from_slice(octets);
    }

    /// Whether nothing was ever fed that has not been given.
    pub fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    /// The protocol header, once it is whole.
    pub fn greeting(&mut self) -> Option<Greeting> {
        let octets: [u8; PROTOCOL_HEADER] = self.rest().first_chunk().copied()?;
        self.taken += PROTOCOL_HEADER;
        Some(match octets {
            [b'A', b'M', b'Q', b'P', version @ ..] => Greeting::Version(version),
            other => Greeting::Other(other),
        })
    }

    /// The next frame, once it is whole.
    ///
    /// # Errors
    /// A connection exception. FRAME_ERROR: where the next frame begins is not known any more, as this one is larger than
    /// `frame_max` (0: no limit) or is none. SYNTAX_ERROR: it does not hold what it should, and the next one can be read.
    pub fn frame(&mut self, frame_max: u32) -> Result<Option<AMQPFrame>, Exception> {
        let rest = self.rest();
        let Some(&[kind, _, _, a, b, c, d]) = rest.first_chunk::<HEADER>() else { return Ok(None) };
        let size = u32::from_be_bytes([a, b, c, d]) as usize;
        // RabbitMQ lets pass what is larger by an empty frame, as clients get this wrong (rabbit_reader.erl, FRAME_SIZE_FUDGE).
        if frame_max != 0 && size > frame_max as usize {
            let allowed = frame_max as usize - EMPTY;
            return Err(frame_error(kind, &[], &format!("{{frame_too_large,{size},{allowed}}}")));
        }
        let Some(octets) = rest.get(..size + EMPTY) else { return Ok(None) };
        let payload = &octets[HEADER..HEADER + size];
        let end = octets[HEADER + size];
        if end != constants::FRAME_END {
            return Err(frame_error(kind, payload, &format!("{{invalid_frame_end_marker,{end}}}")));
        }
        if !matches!(kind, constants::FRAME_METHOD..=constants::FRAME_BODY | constants::FRAME_HEARTBEAT) {
            return Err(frame_error(kind, payload, "unknown_frame"));
        }
        let frame = if kind != constants::FRAME_BODY && depth(payload) > DEEPEST {
            Err(Exception::hard(AMQPHardError::SYNTAXERROR, "tables are nested too deeply"))
        } else {
            parse_frame(octets).map(|(_, frame)| Some(frame)).map_err(|_| not_understood(kind, payload))
        };
        self.taken += size + EMPTY;
        frame
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.taken..]
    }
}

fn not_understood(kind: u8, payload: &[u8]) -> Exception {
    match payload.first_chunk() {
        Some(&[a, b, c, d]) if kind == constants::FRAME_METHOD => {
            let (class, method) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            Exception::hard(AMQPHardError::SYNTAXERROR, format!("cannot decode method {class}.{method}"))
        }
        _ => Exception::hard(AMQPHardError::SYNTAXERROR, format!("cannot decode frame of type {kind}")),
    }
}

/// 501, in RabbitMQ's words (rabbit_reader.erl, `frame_error/5`).
fn frame_error(kind: u8, payload: &[u8], what: &str) -> Exception {
    let (part, octets) = if payload.len() <= 16 { ("all", payload) } else { ("first 16", &payload[..16]) };
    let octets: Vec<_> = octets.iter().map(u8::to_string).collect();
    let explanation = format!("type {kind}, {part} octets = <<{}>>: {what}", octets.join(","));
    Exception::hard(AMQPHardError::FRAMEERROR, explanation)
}

/// At most how deep tables and arrays are nested: wherever an octet could begin one, with a length that fits, one is assumed.
fn depth(payload: &[u8]) -> usize {
    let mut ends: Vec<usize> = Vec::new();
    let mut deepest = 0;
    for (at, field) in payload.windows(5).enumerate() {
        let &[b'F' | b'A', a, b, c, d] = field else { continue };
        let end = at + 5 + u32::from_be_bytes([a, b, c, d]) as usize;
        if end <= payload.len() {
            ends.retain(|&outer| outer > at);
            ends.push(end);
            deepest = deepest.max(ends.len());
            if deepest > DEEPEST {
                break;
            }
        }
    }
    deepest
}

/// Appends a frame's octets.
pub fn encode(frame: &AMQPFrame, out: &mut Vec<u8>) {
    // Writing into memory does not fail; what cannot be written at all is left out whole, and never in part.
    if let Ok(written) = gen_frame::<Vec<u8>>(frame)(WriteContext::from(Vec::new())) {
        out.extend_from_slice(&written.into_inner().0);
    }
}

/// Appends a method with content, in frames of at most `frame_max` bytes (0: no limit).
pub fn encode_content(
    channel: u16,
    method: AMQPClass,
    properties: &BasicProperties,
    body: &[u8],
    frame_max: u32,
    out: &mut Vec<u8>,
) {
    encode(&AMQPFrame::Method(channel, method), out);
    let header = AMQPContentHeader { class_id: BASIC, body_size: body.len() as u64, properties: properties.clone() };
    encode(&AMQPFrame::Header(channel, header), out);
    let most = if frame_max == 0 { body.len().max(1) } else { (frame_max as usize).saturating_sub(EMPTY).max(1) };
    for part in body.chunks(most) {
        out.push(constants::FRAME_BODY);
        out.extend_from_slice(&channel.to_be_bytes());
        // A part is no longer than `frame_max`, or than the largest message.
        out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(part);
        out.push(constants::FRAME_END);
    }
}
