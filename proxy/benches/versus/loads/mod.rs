//! What both ends of sessions do, for each kind of load.

mod connects;
mod echoes;
mod idle;
mod streams;

use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

pub use connects::Connects;
pub use echoes::Echoes;
pub use idle::Idle;
pub use streams::Streams;

/// Reads what is there, one byte as a rule; 0 is the peer's FIN, `None` nothing.
fn take(socket: impl AsFd) -> Result<Option<usize>, Errno> {
    match recv(socket, &mut [0; 64][..], RecvFlags::DONTWAIT) {
        Ok((count, _)) => Ok(Some(count)),
        Err(Errno::AGAIN) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Sends one byte.
fn give(socket: impl AsFd) -> Result<(), Errno> {
    send(socket, b".", SendFlags::NOSIGNAL).map(|_| ())
}
