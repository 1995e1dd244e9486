//! Bytes from one leg to the other.
//!
//! What is read is written at once, from the same memory, or where there is much of it, through a pipe without being copied. Only what
//! the kernel does not take is kept, and the leg that it came from is read no further until it is gone: a slow peer slows the other one,
//! as it would without a proxy.

use super::{Cause, Leg, Session, Side};
use crate::relay::block::{BLOCK, Blocks};
use crate::relay::buffers::{Buffers, Waiting};
use crate::relay::moment::Moment;
use crate::relay::pipe::{Pipe, Pipes};

/// How many portions are moved before another session has its turn.
const TURN: usize = 4;

/// One direction.
#[derive(Debug, Default)]
pub struct Flow {
    /// Bytes that are read and not written.
    waiting: Option<Waiting>,
    /// Bytes that were read, in total.
    pub total: u64,
    /// There was much to read the last time.
    bulk: bool,
    /// When it is empty, its end is passed on.
    pub closing: bool,
    /// It ends as its sender's connection broke.
    pub broken: bool,
}

impl Flow {
    /// Whether no bytes wait to be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_none()
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.as_ref().map_or(0, Waiting::count)
    }

    /// What waits is wanted no more.
    pub fn drop_all(&mut self, buffers: &mut Buffers) {
        if let Some(waiting) = self.waiting.take() {
            buffers.give_back(waiting);
        }
    }

    /// Writes what waits; says whether all of it is gone.
    fn flush(&mut self, to: &mut Leg, buffers: &mut Buffers, now: Moment) -> bool {
        let Some(waiting) = &mut self.waiting else { return true };
        if to.can_write() && to.give(waiting) > 0 {
            to.was_written(now);
        }
        if waiting.count() > 0 {
            return false;
        }
        self.drop_all(buffers);
        to.has_taken_all();
        true
    }

    /// Reads a portion; how much of it is written already. `None`: there is nothing.
    fn portion(&mut self, from: &mut Leg, to: &mut Leg, buffers: &mut Buffers) -> Option<usize> {
        let pipe = if self.bulk { buffers.pipes.take() } else { None };
        let (count, sent) = match pipe {
            Some(pipe) => self.splice(from, to, pipe, &mut buffers.pipes)?,
            None => self.copy(from, to, &mut buffers.blocks)?,
        };
        self.total += count as u64;
        self.bulk = count >= BLOCK;
        Some(sent)
    }

    /// How much is read, and written.
    fn copy(&mut self, from: &mut Leg, to: &mut Leg, blocks: &mut Blocks) -> Option<(usize, usize)> {
        let count = from.receive(blocks.reading())?;
        let sent = if to.can_write() { to.transmit(blocks.read(count)) } else { 0 };
        if sent < count {
            self.waiting = Some(Waiting::Block(blocks.keep(sent, count)));
        }
        Some((count, sent))
    }

    fn splice(&mut self, from: &mut Leg, to: &mut Leg, mut pipe: Pipe, pipes: &mut Pipes) -> Option<(usize, usize)> {
        let Some(count) = from.fill(&mut pipe) else {
            pipes.give_back(pipe);
            return None;
        };
        let sent = if to.can_write() { to.drain(&mut pipe) } else { 0 };
        if sent < count {
            self.waiting = Some(Waiting::Pipe(pipe));
        } else {
            pipes.give_back(pipe);
        }
        Some((count, sent))
    }
}

impl Session {
    /// Moves the bytes that come from a side. Says whether there may be more than its turn allows.
    pub(super) fn transfer(&mut self, side: Side, buffers: &mut Buffers, now: Moment) -> bool {
        let (flow, from, to) = match side {
            Side::Client => (&mut self.up, &mut self.client, &mut self.server),
            Side::Server => (&mut self.down, &mut self.server, &mut self.client),
        };
        if !flow.flush(to, buffers, now) {
            if to.is_open() {
                to.is_waited_for(now);
            }
            return false;
        }
        from.goes_on(now);
        for _ in 0..TURN {
            if !from.can_read() {
                break;
            }
            let Some(sent) = flow.portion(from, to, buffers) else { break };
            from.was_read(now);
            if sent > 0 {
                to.was_written(now);
            }
            if !flow.is_empty() {
                from.holds_back();
                to.is_waited_for(now);
                return false;
            }
        }
        if from.finished() && !from.read_shut {
            flow.closing = true;
            from.shut_read();
            self.note(Cause::Fin(side));
            return false;
        }
        from.can_read()
    }
}
