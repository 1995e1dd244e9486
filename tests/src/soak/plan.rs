//! What a session does: it follows from the seed and the session's number.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

impl Side {
    pub fn name(self) -> &'static str {
        match self {
            Side::Client => "client",
            Side::Server => "server",
        }
    }
}

/// How a session is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// This side closes when it has sent and heard everything.
    Closes(Side),
    /// This side sends FIN behind its last byte, and hears the rest.
    HalfCloses(Side),
    /// This side resets in the middle of what it sends.
    Resets(Side),
    /// Both have said everything and do nothing any more: the proxy's timer ends it.
    Silence,
}

/// A session.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub id: u64,
    pub end: End,
    up: Speech,
    down: Speech,
}

/// What one side sends.
#[derive(Clone, Copy, Debug)]
pub struct Speech {
    /// Bytes.
    pub length: u64,
    /// Bytes at a time.
    pub portion: u64,
    /// Before each portion.
    pub pause: Duration,
}

/// The most portions of a speech.
const PORTIONS: u64 = 8;

impl Plan {
    pub fn of(seed: u64, id: u64) -> Plan {
        let mut chance = SmallRng::seed_from_u64(mixed(seed ^ mixed(id)));
        let end = match chance.random_range(0..100) {
            0..20 => End::Closes(Side::Client),
            20..40 => End::Closes(Side::Server),
            40..55 => End::HalfCloses(Side::Client),
            55..70 => End::HalfCloses(Side::Server),
            70..80 => End::Resets(Side::Client),
            80..90 => End::Resets(Side::Server),
            _ => End::Silence,
        };
        Plan { seed, id, end, up: speech(&mut chance), down: speech(&mut chance) }
    }

    pub fn speech(&self, of: Side) -> Speech {
        match of {
            Side::Client => self.up,
            Side::Server => self.down,
        }
    }

    /// The byte at a place of what a side sends.
    pub fn byte(&self, of: Side, place: u64) -> u8 {
        let side = if of == Side::Client { 1 } else { 2 };
        let word = mixed(self.seed ^ mixed(self.id * 4 + side).wrapping_add(place / 8));
        word.to_le_bytes()[(place % 8) as usize]
    }
}

fn speech(chance: &mut SmallRng) -> Speech {
    // As many of one byte to ten as of a thousand to ten thousand; few that fill every buffer on the way.
    let magnitudes = if chance.random_ratio(1, 100) { 5.0..5.7 } else { 0.0..4.3 };
    let length = 10f64.powf(chance.random_range(magnitudes)) as u64;
    let pause = match chance.random_range(0..100) {
        0..60 => Duration::ZERO,
        60..85 => Duration::from_millis(chance.random_range(1..2000)),
        85..97 => Duration::from_millis(chance.random_range(2000..20_000)),
        _ => Duration::from_millis(chance.random_range(20_000..90_000)),
    };
    Speech { length, portion: (length / PORTIONS).max(chance.random_range(1..2000)), pause }
}

/// Spreads a number over all 64 bits (splitmix64's finalizer).
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
