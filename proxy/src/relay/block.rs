//! Memory for bytes on their way: taken only while they cannot go on.

use std::fmt;

/// What one read takes at most, bytes.
pub const BLOCK: usize = 64 * 1024;
/// Blocks that are kept for the next use.
const SPARE: usize = 64;

/// Bytes that were read and are not written yet.
pub struct Block {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Block {
    /// The bytes.
    #[must_use]
    pub fn waiting(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Takes the first bytes off: they are written.
    pub fn written(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes waiting", self.end - self.start)
    }
}

/// The block that is read into, and spare ones. A block goes with the bytes that cannot be written, and comes back.
#[derive(Debug)]
pub struct Blocks {
    reading: Box<[u8]>,
    spare: Vec<Box<[u8]>>,
}

impl Default for Blocks {
    fn default() -> Self {
        Blocks { reading: fresh(), spare: Vec::new() }
    }
}

impl Blocks {
    /// Where the next read goes.
    pub fn reading(&mut self) -> &mut [u8] {
        &mut self.reading
    }

    /// What was read last, as far as `end`.
    #[must_use]
    pub fn read(&self, end: usize) -> &[u8] {
        &self.reading[..end]
    }

    /// Keeps what was read from `start` to `end`: no byte is copied, the next read gets another block.
    pub fn keep(&mut self, start: usize, end: usize) -> Block {
        let next = self.spare.pop().unwrap_or_else(fresh);
        Block { bytes: std::mem::replace(&mut self.reading, next), start, end }
    }

    /// Gives the spare ones back to the system.
    pub fn rest(&mut self) {
        self.spare = Vec::new();
    }

    /// Takes a block back.
    pub fn give_back(&mut self, block: Block) {
        if self.spare.len() < SPARE {
            self.spare.push(block.bytes);
        }
    }
}

fn fresh() -> Box<[u8]> {
    vec![0; BLOCK].into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_stays_while_the_next_read_comes() {
        let mut blocks = Blocks::default();
        blocks.reading()[..5].copy_from_slice(b"hello");
        let mut kept = blocks.keep(1, 5);
        blocks.reading()[..5].copy_from_slice(b"world");
        assert_eq!(kept.waiting(), b"ello");
        kept.written(3);
        assert_eq!(kept.waiting(), b"o");
        kept.written(1);
        assert!(kept.waiting().is_empty());
    }
}
