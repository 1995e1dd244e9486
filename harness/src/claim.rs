//! Numbers that only one holder on this machine has at a time: slices of ports, processors.
//!
//! A number is claimed by binding an abstract Unix socket (unix(7)): the kernel lets go of it however its holder ends, and any
//! user can ask.

use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// A claimed number; it is free again when dropped.
#[derive(Debug)]
pub struct Claim {
    /// The number.
    pub number: usize,
    _socket: UnixDatagram,
}

/// Claims the first of `numbers` that nobody holds, or none.
///
/// # Errors
/// As socket(2) and bind(2), but for names that are taken.
pub fn try_claim(of: &str, numbers: &[usize]) -> std::io::Result<Option<Claim>> {
    for &number in numbers {
        let name = SocketAddr::from_abstract_name(format!("whyclosed-{of}-{number}"))?;
        match UnixDatagram::bind_addr(&name) {
            Ok(socket) => return Ok(Some(Claim { number, _socket: socket })),
            Err(e) if e.kind() == ErrorKind::AddrInUse => {}
            Err(e) => return Err(e),
        }
    }
    Ok(None)
}

/// Claims one of `numbers`, asking every `poll` while all are taken; `None` when `limit` is over.
///
/// # Errors
/// As [`try_claim`].
pub async fn claim(of: &str, numbers: &[usize], poll: Duration, limit: Duration) -> std::io::Result<Option<Claim>> {
    let deadline = tokio::time::Instant::now() + limit;
    loop {
        let claim = try_claim(of, numbers)?;
        if claim.is_some() || tokio::time::Instant::now() > deadline {
            return Ok(claim);
        }
        // The kernel does not tell when another process lets go of a name.
        tokio::time::sleep(poll).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_claims_get_two_numbers_and_a_third_gets_none() {
        let one = try_claim("test", &[4, 7]).expect("claiming").expect("a free number");
        let two = try_claim("test", &[4, 7]).expect("claiming").expect("a free number");
        assert_eq!((one.number, two.number), (4, 7));
        assert!(try_claim("test", &[4, 7]).expect("claiming").is_none());
    }

    #[test]
    fn a_dropped_claim_is_free_again() {
        drop(try_claim("test-again", &[1]).expect("claiming").expect("a free number"));
        assert!(try_claim("test-again", &[1]).expect("claiming").is_some());
    }
}
