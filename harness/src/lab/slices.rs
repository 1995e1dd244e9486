//! Slices of the ephemeral ports: how two cases on one kernel are told apart.
//!
//! Trace events carry ports but no namespace, so cases that run at the same time, in this run or another, must not use the same
//! ephemeral ports. A slice is claimed by an abstract Unix socket (unix(7)): the kernel lets go of it however its owner ends.

use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// First port of the range that is divided; it is Linux's own default range.
const FIRST: u16 = 32768;
/// Ports in a slice: the connections that one node of a case can have open at a time.
pub const SIZE: u16 = 512;
/// Number of slices: cases that can run at the same time on one kernel.
pub const COUNT: u16 = 55;

/// The first and the last port of all slices.
pub const RANGE: (u16, u16) = (FIRST, FIRST + COUNT * SIZE - 1);

/// A claimed slice; it is free again when dropped.
#[derive(Debug)]
pub struct Slice {
    /// Its number.
    pub number: u16,
    _claim: UnixDatagram,
}

impl Slice {
    /// Claims a free slice, waiting for one if all are taken.
    ///
    /// # Errors
    /// When none becomes free within `limit`.
    pub async fn claim(limit: Duration) -> std::io::Result<Slice> {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            if let Some(slice) = Slice::try_claim()? {
                return Ok(slice);
            }
            if tokio::time::Instant::now() > deadline {
                let message =
                    format!("{COUNT} cases already run on this kernel, and none ended within {} s", limit.as_secs());
                return Err(std::io::Error::new(ErrorKind::TimedOut, message));
            }
            // The kernel does not tell when another process lets go of a name.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn try_claim() -> std::io::Result<Option<Slice>> {
        for number in 0..COUNT {
            let name = SocketAddr::from_abstract_name(format!("whyclosed-ports-{number}"))?;
            match UnixDatagram::bind_addr(&name) {
                Ok(claim) => return Ok(Some(Slice { number, _claim: claim })),
                Err(e) if e.kind() == ErrorKind::AddrInUse => {}
                Err(e) => return Err(e),
            }
        }
        Ok(None)
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

    #[test]
    fn two_claims_get_two_slices() {
        let one = Slice::try_claim().expect("claiming").expect("a free slice");
        let two = Slice::try_claim().expect("claiming").expect("a free slice");
        assert_ne!(one.number, two.number);
    }
}
