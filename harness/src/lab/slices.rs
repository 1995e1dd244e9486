//! Slices of the ephemeral ports: how two cases on one kernel are told apart.
//!
//! Trace events carry ports but no namespace, so cases that run at the same time, in this run or another, must not use the same
//! ephemeral ports.

use std::io::ErrorKind;
use std::time::Duration;

use crate::claim::{Claim, claim};

/// First port of the range that is divided; it is Linux's own default range.
const FIRST: u16 = 32768;
/// Ports in a slice: the connections that one node of a case can have open at a time.
pub const SIZE: u16 = 512;
/// Number of slices: cases that can run at the same time on one kernel.
pub const COUNT: u16 = 55;

/// The first and the last port of all slices.
pub const RANGE: (u16, u16) = (FIRST, FIRST + COUNT * SIZE - 1);

/// How often a slice is asked for while all are taken.
const POLL: Duration = Duration::from_millis(100);

/// A claimed slice; it is free again when dropped.
#[derive(Debug)]
pub struct Slice {
    /// Its number.
    pub number: u16,
    _claim: Claim,
}

impl Slice {
    /// Claims a free slice, waiting for one if all are taken.
    ///
    /// # Errors
    /// When none becomes free within `limit`.
    pub async fn claim(limit: Duration) -> std::io::Result<Slice> {
        let numbers: Vec<usize> = (0..usize::from(COUNT)).collect();
        let claim = claim("ports", &numbers, POLL, limit).await?.ok_or_else(|| {
            let waited = limit.as_secs();
            let message = format!("{COUNT} cases already run on this kernel, and none ended within {waited} s");
            std::io::Error::new(ErrorKind::TimedOut, message)
        })?;
        Ok(Slice { number: u16::try_from(claim.number).unwrap_or_default(), _claim: claim })
    }

    /// The value for `net.ipv4.ip_local_port_range`.
    #[must_use]
    pub fn port_range(&self) -> String {
        let first = FIRST + self.number * SIZE;
        format!("{first} {}", first + SIZE - 1)
    }
}

/// The slice that a port is in.
#[must_use]
pub fn of_port(port: u16) -> Option<u16> {
    let slice = port.checked_sub(FIRST)? / SIZE;
    (slice < COUNT).then_some(slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slices_fill_the_default_ephemeral_range_and_no_more() {
        assert_eq!(of_port(32767), None);
        assert_eq!(of_port(32768), Some(0));
        assert_eq!(of_port(60927), Some(54));
        assert_eq!(of_port(60928), None);
    }
}
