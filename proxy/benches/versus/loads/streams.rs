//! Bytes from server to client, as many as go through: neither end touches them, so that it is the proxy that is slowest.

use std::os::fd::OwnedFd;

use rustix::event::epoll::EventFlags;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create, sendfile};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::load::{End, Load, Next, Side};

/// What is sent at a time, bytes.
const PORTION: usize = 1 << 20;

/// The load.
pub struct Streams {
    /// What servers send from.
    source: OwnedFd,
    /// Room that nothing is written to.
    room: Vec<u8>,
    /// Bytes that clients received.
    pub received: u64,
}

impl Streams {
    pub fn new() -> crate::Result<Streams> {
        let source = memfd_create("source", MemfdFlags::CLOEXEC)?;
        ftruncate(&source, PORTION as u64)?;
        Ok(Streams { source, room: vec![0; PORTION], received: 0 })
    }
}

impl Load for Streams {
    const SERVER: EventFlags = EventFlags::OUT;

    fn begin(&mut self, _client: &mut End) -> Result<(), Errno> {
        Ok(())
    }

    fn go_on(&mut self, end: &mut End) -> Result<Next, Errno> {
        match end.side {
            Side::Server => match sendfile(&end.socket, &self.source, Some(&mut 0), PORTION) {
                Ok(_) | Err(Errno::AGAIN) => Ok(Next::Wait),
                Err(error) => Err(error),
            },
            // With MSG_TRUNC a TCP socket throws bytes away (tcp(7)).
            Side::Client => match recv(&end.socket, &mut self.room[..], RecvFlags::DONTWAIT | RecvFlags::TRUNC) {
                Ok((_, 0)) => Ok(Next::Close),
                Ok((_, count)) => {
                    self.received += count as u64;
                    Ok(Next::Wait)
                }
                Err(Errno::AGAIN) => Ok(Next::Wait),
                Err(error) => Err(error),
            },
        }
    }
}
