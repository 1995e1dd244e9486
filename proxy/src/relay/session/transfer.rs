//! Bytes from one leg to the other.
//!
//! What is read is written at once, from the same memory. Only what the kernel does not take is kept, and the leg that it came
//! from is read no further until it is gone: a slow peer slows the other one, as it would without a proxy.

use super::{Cause, Leg, Session, Side};
use crate::relay::block::{Block, Blocks};
use crate::relay::moment::Moment;

/// How many blocks are moved before another session has its turn.
const TURN: usize = 4;

/// One direction.
#[derive(Debug, Default)]
pub struct Flow {
    /// Bytes that are read and not written.
    waiting: Option<Block>,
    /// Bytes that were read, in total.
    pub total: u64,
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
        self.waiting.as_ref().map_or(0, |block| block.waiting().len())
    }

    /// What waits is wanted no more.
    pub fn drop_all(&mut self, blocks: &mut Blocks) {
        if let Some(block) = self.waiting.take() {
            blocks.give_back(block);
        }
    }

    /// Writes what waits; says whether all of it is gone.
    fn flush(&mut self, to: &mut Leg, blocks: &mut Blocks, now: Moment) -> bool {
        let Some(block) = &mut self.waiting else { return true };
        if to.can_write() {
            let sent = to.transmit(block.waiting());
            if sent > 0 {
                block.written(sent);
                to.was_written(now);
            }
        }
        if !block.is_empty() {
            return false;
        }
        self.drop_all(blocks);
        to.has_taken_all();
        true
    }
}

impl Session {
    /// Moves the bytes that come from a side. Says whether there may be more than its turn allows.
    pub(super) fn transfer(&mut self, side: Side, blocks: &mut Blocks, now: Moment) -> bool {
        let (flow, from, to) = match side {
            Side::Client => (&mut self.up, &mut self.client, &mut self.server),
            Side::Server => (&mut self.down, &mut self.server, &mut self.client),
        };
        if !flow.flush(to, blocks, now) {
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
            let Some(count) = from.receive(blocks.reading()) else { break };
            flow.total += count as u64;
            from.was_read(now);
            let sent = if to.can_write() { to.transmit(blocks.read(count)) } else { 0 };
            if sent > 0 {
                to.was_written(now);
            }
            if sent < count {
                flow.waiting = Some(blocks.keep(sent, count));
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
