//! Where bytes are that were taken from one connection and not yet given to the other.

use super::block::{Block, Blocks};
use super::pipe::{Pipe, Pipes};

/// Bytes that wait.
#[derive(Debug)]
pub enum Waiting {
    /// In memory.
    Block(Block),
    /// In the kernel.
    Pipe(Pipe),
}

impl Waiting {
    /// How many they are.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Waiting::Block(block) => block.waiting().len(),
            Waiting::Pipe(pipe) => pipe.held(),
        }
    }
}

/// What all sessions take turns with.
#[derive(Debug)]
pub struct Buffers {
    /// Memory.
    pub blocks: Blocks,
    /// Pipes.
    pub pipes: Pipes,
}

impl Buffers {
    /// With so many pipes at most.
    #[must_use]
    pub fn new(pipes: u64) -> Buffers {
        Buffers { blocks: Blocks::default(), pipes: Pipes::new(pipes) }
    }

    /// Nobody has anything to move: what many needed is given back to the system.
    pub fn rest(&mut self) {
        self.blocks.rest();
        self.pipes.rest();
    }

    /// Takes back what bytes waited in.
    pub fn give_back(&mut self, waiting: Waiting) {
        match waiting {
            Waiting::Block(block) => self.blocks.give_back(block),
            Waiting::Pipe(pipe) => self.pipes.give_back(pipe),
        }
    }
}
