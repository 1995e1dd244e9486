//! Bytes that go from one socket to another without being copied: through a pipe, by splice(2).
//!
//! What passes is pages, not bytes: the kernel hangs those that one socket received onto the other one's queue. That pays for a direction
//! that has much to move; a byte that comes alone is cheaper copied.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

/// What a pipe holds at most, bytes, as long as the sender's pages are full.
pub const PIPE: usize = 256 * 1024;
/// One pipe for so many descriptors that the process may have.
const SHARE: u64 = 64;
/// More than these are not had at once.
const MOST: u64 = 256;

/// A pipe and how many bytes are in it.
pub struct Pipe {
    out: OwnedFd,
    into: OwnedFd,
    held: usize,
}

impl Pipe {
    fn new() -> Result<Pipe, Errno> {
        let (out, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // Without the right to so many pages it has as many as there are.
        let _ = fcntl_setpipe_size(&into, PIPE);
        Ok(Pipe { out, into, held: 0 })
    }

    /// How many bytes are in it.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// Takes what a socket has, as much as there is room for; 0 is the peer's FIN.
    ///
    /// # Errors
    /// As splice(2); EAGAIN when there is nothing.
    pub fn fill(&mut self, from: impl AsFd) -> Result<usize, Errno> {
        let count = moved(|| splice(&from, None, &self.into, None, PIPE, FLAGS))?;
        self.held += count;
        Ok(count)
    }

    /// Gives a socket what it takes now; EAGAIN is that it takes nothing more.
    ///
    /// # Errors
    /// As splice(2).
    pub fn drain(&mut self, to: impl AsFd) -> Result<usize, Errno> {
        let count = moved(|| splice(&self.out, None, &to, None, self.held, FLAGS))?;
        self.held -= count.min(self.held);
        Ok(count)
    }
}

const FLAGS: SpliceFlags = SpliceFlags::MOVE.union(SpliceFlags::NONBLOCK);

fn moved(mut call: impl FnMut() -> Result<usize, Errno>) -> Result<usize, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes waiting in a pipe", self.held)
    }
}

/// Pipes that are not in use, and how many more there may be.
#[derive(Debug)]
pub struct Pipes {
    spare: Vec<Pipe>,
    left: u64,
}

impl Pipes {
    /// How many pipes a process with so many descriptors has at most.
    #[must_use]
    pub fn most(descriptors: u64) -> u64 {
        (descriptors / SHARE).min(MOST)
    }

    /// At most so many at once.
    #[must_use]
    pub fn new(most: u64) -> Pipes {
        Pipes { spare: Vec::new(), left: most }
    }

    /// An empty pipe; `None` when all are in use, or the machine has no more.
    pub fn take(&mut self) -> Option<Pipe> {
        if let Some(pipe) = self.spare.pop() {
            return Some(pipe);
        }
        let left = self.left.checked_sub(1)?;
        let pipe = Pipe::new().ok()?;
        self.left = left;
        Some(pipe)
    }

    /// Takes a pipe back; one with bytes that nobody wants any more is closed.
    pub fn give_back(&mut self, pipe: Pipe) {
        if pipe.held == 0 {
            self.spare.push(pipe);
        } else {
            self.left += 1;
        }
    }

    /// Closes those that are not in use.
    pub fn rest(&mut self) {
        self.left += self.spare.len() as u64;
        self.spare = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in() {
        let (mut sender, from) = UnixStream::pair().unwrap();
        let (to, mut receiver) = UnixStream::pair().unwrap();
        let mut pipe = Pipes::new(1).take().unwrap();
        sender.write_all(b"hello").unwrap();
        assert_eq!(pipe.fill(&from), Ok(5));
        assert_eq!(pipe.drain(&to), Ok(5));
        let mut got = [0; 5];
        receiver.read_exact(&mut got).unwrap();
        assert_eq!((&got, pipe.held()), (b"hello", 0));
    }

    #[test]
    fn there_are_no_more_pipes_than_may_be() {
        let mut pipes = Pipes::new(1);
        let one = pipes.take().unwrap();
        assert!(pipes.take().is_none());
        pipes.give_back(one);
        assert!(pipes.take().is_some());
    }

    #[test]
    fn a_pipe_with_bytes_that_nobody_wants_makes_room_for_another() {
        let (mut sender, from) = UnixStream::pair().unwrap();
        let mut pipes = Pipes::new(1);
        let mut pipe = pipes.take().unwrap();
        sender.write_all(b"unwanted").unwrap();
        pipe.fill(&from).unwrap();
        pipes.give_back(pipe);
        assert_eq!(pipes.take().map(|pipe| pipe.held()), Some(0));
    }
}
