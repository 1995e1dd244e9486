//! One byte there and back, and the next when it is there.

use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::{give, take};
use crate::load::{End, Load, Next, Side};

/// The load.
#[derive(Default)]
pub struct Echoes {
    /// How long each took.
    pub times: Vec<Duration>,
}

impl Echoes {
    /// The time, µs, within which this part of them was there.
    pub fn percentile(&mut self, part: f64) -> f64 {
        self.times.sort_unstable();
        let place = ((self.times.len() as f64 * part) as usize).min(self.times.len().saturating_sub(1));
        self.times.get(place).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
    }
}

impl Load for Echoes {
    fn begin(&mut self, client: &mut End) -> Result<(), Errno> {
        client.since = Instant::now();
        give(&client.socket)
    }

    fn go_on(&mut self, end: &mut End) -> Result<Next, Errno> {
        match take(&end.socket)? {
            None => return Ok(Next::Wait),
            Some(1) => {}
            Some(_) => return Ok(Next::Close),
        }
        if end.side == Side::Client {
            let now = Instant::now();
            self.times.push(now - end.since);
            end.since = now;
        }
        give(&end.socket).map(|()| Next::Wait)
    }

    fn forget(&mut self) {
        self.times.clear();
    }
}
