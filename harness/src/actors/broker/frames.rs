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

#[cfg(test)]
mod tests {
    use amq_protocol::protocol::{AMQPErrorKind, basic, connection, queue};
    use amq_protocol::types::{AMQPValue, FieldArray, FieldTable};
    use proptest::prelude::*;

    use super::*;

    fn code(error: &Exception) -> u16 {
        error.kind.get_id()
    }

    fn octets(frame: &AMQPFrame) -> Vec<u8> {
        let mut out = Vec::new();
        encode(frame, &mut out);
        out
    }

    fn declare(arguments: FieldTable) -> AMQPFrame {
        let declare = queue::Declare { queue: "orders".into(), arguments, ..queue::Declare::default() };
        AMQPFrame::Method(1, AMQPClass::Queue(queue::AMQPMethod::Declare(declare)))
    }

    /// An array in an array in an array, as octets: deeper than the codec's own types can be made without its recursion.
    fn nested(levels: usize) -> Vec<u8> {
        let mut value = vec![b'V'];
        for _ in 0..levels {
            let mut outer = vec![b'A'];
            outer.extend_from_slice(&u32::try_from(value.len()).unwrap().to_be_bytes());
            outer.extend_from_slice(&value);
            value = outer;
        }
        let mut table = vec![1, b'x'];
        table.extend_from_slice(&value);
        let mut payload = vec![0, 50, 0, 10, 0, 0, 1, b'q', 0];
        payload.extend_from_slice(&u32::try_from(table.len()).unwrap().to_be_bytes());
        payload.extend_from_slice(&table);
        let mut frame = vec![1, 0, 1];
        frame.extend_from_slice(&u32::try_from(payload.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(&payload);
        frame.push(constants::FRAME_END);
        frame
    }

    fn one(octets: &[u8], frame_max: u32) -> Result<Option<AMQPFrame>, Exception> {
        let mut decoder = Decoder::default();
        decoder.feed(octets);
        decoder.frame(frame_max)
    }

    #[test]
    fn tables_within_tables_are_read_down_to_a_depth_that_nobody_needs() {
        let frame = one(&nested(DEEPEST - 1), 0).unwrap().unwrap();
        assert!(matches!(frame, AMQPFrame::Method(1, AMQPClass::Queue(_))));
    }

    #[test]
    fn tables_that_are_nested_deeper_are_a_syntax_error_and_not_the_end_of_the_process() {
        assert_eq!(code(&one(&nested(20_000), 0).unwrap_err()), 502);
    }

    #[test]
    fn a_frame_larger_than_agreed_is_refused_before_it_has_come() {
        let mut large = vec![3, 0, 1];
        large.extend_from_slice(&9000_u32.to_be_bytes());
        let error = one(&large, 8192).unwrap_err();
        assert_eq!(code(&error), 501);
        assert!(error.explanation.contains("{frame_too_large,9000,8184}"), "{}", error.explanation);
    }

    #[test]
    fn a_frame_without_its_end_marker_is_a_frame_error() {
        let mut frame = octets(&AMQPFrame::Heartbeat);
        frame[7] = 0;
        assert_eq!(code(&one(&frame, 8192).unwrap_err()), 501);
    }

    #[test]
    fn after_a_method_that_cannot_be_read_the_next_frame_can() {
        let mut decoder = Decoder::default();
        // Class 99 is none.
        decoder.feed(&[1, 0, 1, 0, 0, 0, 4, 0, 99, 0, 99, constants::FRAME_END]);
        decoder.feed(&octets(&AMQPFrame::Heartbeat));
        assert_eq!(code(&decoder.frame(8192).unwrap_err()), 502);
        assert_eq!(decoder.frame(8192), Ok(Some(AMQPFrame::Heartbeat)));
    }

    #[test]
    fn a_greeting_that_is_none_is_told_apart() {
        let mut decoder = Decoder::default();
        decoder.feed(b"GET / HTTP/1.1\r\n");
        assert_eq!(decoder.greeting(), Some(Greeting::Other(*b"GET / HT")));
    }

    fn value() -> impl Strategy<Value = AMQPValue> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(AMQPValue::Boolean),
            any::<i32>().prop_map(AMQPValue::LongInt),
            ".{0,20}".prop_map(|text: String| AMQPValue::LongString(text.into())),
        ];
        leaf.prop_recursive(4, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|values| {
                    let mut array = FieldArray::default();
                    values.into_iter().for_each(|value| array.push(value));
                    AMQPValue::FieldArray(array)
                }),
                prop::collection::btree_map("[a-z]{1,5}", inner, 0..4).prop_map(|values| {
                    let mut table = FieldTable::default();
                    for (key, value) in values {
                        table.insert(key.into(), value);
                    }
                    AMQPValue::FieldTable(table)
                }),
            ]
        })
    }

    fn frame() -> impl Strategy<Value = AMQPFrame> {
        let table = |value| {
            let mut table = FieldTable::default();
            table.insert("x".into(), value);
            table
        };
        prop_oneof![
            Just(AMQPFrame::Heartbeat),
            value().prop_map(move |value| declare(table(value))),
            any::<(u16, u32, u16)>().prop_map(|(channel_max, frame_max, heartbeat)| {
                let ok = connection::TuneOk { channel_max, frame_max, heartbeat };
                AMQPFrame::Method(0, AMQPClass::Connection(connection::AMQPMethod::TuneOk(ok)))
            }),
            ("[a-z.]{0,20}", any::<bool>()).prop_map(|(key, mandatory)| {
                let publish = basic::Publish { routing_key: key.into(), mandatory, ..basic::Publish::default() };
                AMQPFrame::Method(7, AMQPClass::Basic(basic::AMQPMethod::Publish(publish)))
            }),
            prop::collection::vec(any::<u8>(), 0..300).prop_map(|body| AMQPFrame::Body(7, body)),
        ]
    }

    /// All frames that a decoder gives when octets come in reads of this size, and how it ends.
    fn decoded(octets: &[u8], size: usize) -> (Vec<AMQPFrame>, Option<Exception>) {
        let (mut decoder, mut frames) = (Decoder::default(), Vec::new());
        for part in octets.chunks(size) {
            decoder.feed(part);
            loop {
                match decoder.frame(8192) {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break,
                    Err(error) => return (frames, Some(error)),
                }
            }
        }
        (frames, None)
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in_however_they_are_cut(
            frames in prop::collection::vec(frame(), 0..8),
            size in 1_usize..100,
        ) {
            let octets: Vec<u8> = frames.iter().flat_map(octets).collect();
            prop_assert_eq!(decoded(&octets, size), (frames, None));
        }

        #[test]
        fn octets_that_are_damaged_are_an_exception_or_other_frames_and_never_a_panic(
            frames in prop::collection::vec(frame(), 1..4),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let mut octets: Vec<u8> = frames.iter().flat_map(octets).collect();
            for (at, octet) in damage {
                let length = octets.len();
                octets[at.index(length)] = octet;
            }
            if let (_, Some(error)) = decoded(&octets, 64) {
                prop_assert!(matches!(error.kind, AMQPErrorKind::Hard(_)));
            }
        }

        #[test]
        fn octets_that_are_anything_are_no_panic(octets in prop::collection::vec(any::<u8>(), 0..2000)) {
            decoded(&octets, 1000);
        }

        #[test]
        fn content_is_cut_into_frames_of_the_agreed_size(
            body in prop::collection::vec(any::<u8>(), 0..5000),
            frame_max in 100_u32..9000,
        ) {
            let method = AMQPClass::Basic(basic::AMQPMethod::Deliver(basic::Deliver::default()));
            let mut out = Vec::new();
            encode_content(1, method, &BasicProperties::default(), &body, frame_max, &mut out);
            let (frames, error) = decoded(&out, 512);
            prop_assert_eq!(error, None);
            let parts: Vec<Vec<u8>> = frames
                .into_iter()
                .filter_map(|frame| if let AMQPFrame::Body(1, part) = frame { Some(part) } else { None })
                .collect();
            prop_assert!(parts.iter().all(|part| part.len() + EMPTY <= frame_max as usize));
            prop_assert_eq!(parts.concat(), body);
        }
    }
}
