//! Segments, from the capture in the fabric: each one where its sender put it on the wire, and again where it was delivered; and
//! at the capture's end, what programs said to each other with them.

use std::sync::{Arc, Mutex, PoisonError};

use netns::{Capture, Frame, Network};

use super::conversation::{self, Passed};
use super::store::Ledger;
use super::{Fact, Flags, Point, Segment, Source};
use crate::Case;

/// Beyond this the wall clock was set during the case, and the times of frames are wrong.
const CLOCK_STEP_LIMIT_NS: i64 = 1_000_000;

/// A running capture that fills a ledger.
pub struct Wiretap {
    case: Arc<Case>,
    capture: Capture,
    frames: Arc<Mutex<Vec<Frame>>>,
    ledger: Ledger,
}

impl Wiretap {
    /// Starts to capture all wires of a network.
    ///
    /// # Errors
    /// When the capture cannot be opened (CAP_NET_RAW).
    pub fn open(network: &Network, case: &Arc<Case>, ledger: &Ledger) -> Result<Wiretap, netns::Error> {
        let frames = Arc::new(Mutex::new(Vec::new()));
        let buffer = case.capture_buffer.and_then(|buffer| usize::try_from(buffer.0).ok());
        let capture = Capture::with_buffer(network, buffer.unwrap_or(netns::RECEIVE_BUFFER), {
            let (case, ledger, frames) = (case.clone(), ledger.clone(), frames.clone());
            move |frame| {
                ledger.put(frame.at_monotonic_ns, fact(&case, &frame));
                frames.lock().unwrap_or_else(PoisonError::into_inner).push(frame);
            }
        })?;
        Ok(Wiretap { case: case.clone(), capture, frames, ledger: ledger.clone() })
    }

    /// Ends the capture and gives all its frames; what is missing becomes a fact.
    ///
    /// # Errors
    /// When frames could not be read.
    pub fn stop(self) -> Result<Vec<Frame>, netns::Error> {
        let end = self.capture.stop()?;
        let gap = |what| self.ledger.put_now(Fact::Gap { from: Source::Wire, what });
        if end.dropped > 0 {
            gap(format!("the capture lost {} of {} frames", end.dropped, end.frames + end.dropped));
        }
        if end.clock_step_ns.abs() > CLOCK_STEP_LIMIT_NS {
            gap(format!("the wall clock was set by {} ns during the capture", end.clock_step_ns));
        }
        let frames = std::mem::take(&mut *self.frames.lock().unwrap_or_else(PoisonError::into_inner));
        for (at, fact) in conversation::read(frames.iter().filter_map(|frame| passed(&self.case, frame))) {
            self.ledger.put(at, fact);
        }
        Ok(frames)
    }
}

fn point(frame: &Frame) -> Point {
    match frame.point {
        netns::Point::Sent => Point::Sent,
        netns::Point::Delivered => Point::Delivered,
    }
}

/// A frame as a segment of a conversation.
fn passed<'a>(case: &'a Case, frame: &'a Frame) -> Option<Passed<'a>> {
    Some(Passed {
        at_ns: frame.at_monotonic_ns,
        wire: case.wires[frame.wire].name.as_str(),
        node: case.nodes[frame.node].name.as_str(),
        point: point(frame),
        segment: netns::Segment::parse(&frame.bytes)?,
    })
}

fn fact(case: &Case, frame: &Frame) -> Fact {
    let wire = case.wires[frame.wire].name.to_string();
    let node = case.nodes[frame.node].name.to_string();
    let point = point(frame);
    let length = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    match netns::Segment::parse(&frame.bytes) {
        Some(segment) => Fact::Segment(Segment {
            wire,
            node,
            point,
            from: segment.from,
            to: segment.to,
            flags: Flags(segment.flags.0),
            seq: segment.seq,
            ack: segment.ack,
            window: segment.window,
            payload: length(segment.payload.len()),
            frame: length(segment.frame_len),
        }),
        None => Fact::Frame { wire, node, point, what: kind(&frame.bytes), frame: length(frame.bytes.len()) },
    }
}

/// What a frame is that holds no TCP segment.
fn kind(frame: &[u8]) -> String {
    match frame.get(12..14) {
        // RFC 826: ares_op$request and ares_op$reply.
        Some([0x08, 0x06]) => match frame.get(20..22) {
            Some([0, 1]) => "ARP request".into(),
            Some([0, 2]) => "ARP reply".into(),
            _ => "ARP".into(),
        },
        Some([0x08, 0x00]) => match frame.get(23) {
            Some(1) => "ICMP".into(),
            Some(17) => "UDP".into(),
            Some(protocol) => format!("IPv4 protocol {protocol}"),
            None => "IPv4".into(),
        },
        Some([high, low]) => format!("EtherType {high:02x}{low:02x}"),
        _ => "a short frame".into(),
    }
}
