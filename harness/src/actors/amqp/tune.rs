//! `heartbeat: off`: no heartbeats, whatever the broker proposes.
//!
//! Clients that are told so answer connection.tune with a heartbeat of 0 (pika's `heartbeat=0`, Java's
//! `setRequestedHeartbeat(0)`). lapin cannot be told: with a heartbeat of 0 it takes what the broker proposes (channel.rs,
//! `tune_connection_configuration`). So lapin is shown a proposal of 0, which it takes; all else it sees as it is.

use amq_protocol::protocol::constants;

use crate::actors::socket::Veil;

/// Type, channel and size.
const HEADER: usize = 7;
/// class 10, method 30.
const TUNE: [u8; 4] = [0, 10, 0, 30];
/// Where connection.tune has its heartbeat, after the identifiers, channel-max and frame-max.
const HEARTBEAT: std::ops::Range<usize> = 10..12;

/// Follows the frames that are read until it has seen connection.tune.
#[derive(Debug, Default)]
pub struct Tune {
    header: Vec<u8>,
    /// Octets of the payload so far, as many as say which method it is.
    method: Vec<u8>,
    /// The payload's octets so far.
    at: usize,
    done: bool,
}

impl Veil for Tune {
    /// Takes the heartbeat out of connection.tune, if it is among what was read.
    fn cover(&mut self, octets: &mut [u8]) {
        for octet in octets {
            if self.done {
                return;
            }
            self.one(octet);
        }
    }
}

impl Tune {
    fn one(&mut self, octet: &mut u8) {
        if self.header.len() < HEADER {
            self.header.push(*octet);
            return;
        }
        if self.at == self.size() {
            // The end marker: what follows is another frame.
            *self = Self::default();
            return;
        }
        if self.method.len() < TUNE.len() {
            self.method.push(*octet);
        }
        if self.header.first() == Some(&constants::FRAME_METHOD) && self.method == TUNE && HEARTBEAT.contains(&self.at)
        {
            *octet = 0;
            self.done = self.at + 1 == HEARTBEAT.end;
        }
        self.at += 1;
    }

    fn size(&self) -> usize {
        match self.header[..] {
            [_, _, _, a, b, c, d] => u32::from_be_bytes([a, b, c, d]) as usize,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use amq_protocol::frame::{AMQPFrame, WriteContext, gen_frame};
    use amq_protocol::protocol::{AMQPClass, connection};

    fn octets(heartbeat: u16) -> Vec<u8> {
        let start = connection::AMQPMethod::Start(connection::Start::default());
        let tune = |heartbeat| {
            connection::AMQPMethod::Tune(connection::Tune { channel_max: 2047, frame_max: 131_072, heartbeat })
        };
        let mut octets = Vec::new();
        for method in [start, tune(heartbeat), tune(60)] {
            let frame = AMQPFrame::Method(0, AMQPClass::Connection(method));
            octets = gen_frame(&frame)(WriteContext::from(octets)).unwrap().into_inner().0;
        }
        octets
    }

    #[test]
    fn the_first_tune_is_silenced_however_it_is_cut_into_reads() {
        for size in 1..40 {
            let mut read = octets(60);
            let mut tune = Tune::default();
            for part in read.chunks_mut(size) {
                tune.cover(part);
            }
            assert_eq!(read, octets(0), "read {size} octets at a time");
        }
    }
}
