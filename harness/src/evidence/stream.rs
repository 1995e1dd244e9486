//! One direction of a TCP connection at one place, put in order (RFC 9293 §3.4, §3.10.7.4).

use std::collections::BTreeMap;

/// How much may wait for what is missing: more than a receiver on Linux lets its peer send ahead (6 MiB, tcp(7) `tcp_rmem`).
pub const LIMIT: usize = 8 << 20;

/// More waits for a missing segment than a receiver would let its peer send: the segment passed unseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

/// Bytes in the order in which their sender wrote them, each once, however they were cut, repeated or reordered.
#[derive(Debug)]
pub struct Stream<'a> {
    /// Sequence number of the next byte.
    next: u32,
    /// How many bytes were given so far: the position of the next one.
    given: u64,
    /// What came before its turn, by position.
    waiting: BTreeMap<u64, &'a [u8]>,
    /// Bytes in `waiting`.
    held: usize,
    /// Position after the last byte, once a FIN was seen.
    end: Option<u64>,
    /// How far the receiver has acknowledged, as a position; a FIN counts as one.
    acknowledged: u64,
}

impl<'a> Stream<'a> {
    /// A direction whose SYN had this sequence number.
    #[must_use]
    pub fn after_syn(seq: u32) -> Stream<'a> {
        Stream { next: seq.wrapping_add(1), given: 0, waiting: BTreeMap::new(), held: 0, end: None, acknowledged: 0 }
    }

    /// Takes a segment's payload and gives what is now in order.
    ///
    /// # Errors
    /// [`Lost`] when too much waits for what is missing; what is given after that is not to be trusted.
    pub fn take(&mut self, seq: u32, payload: &'a [u8], mut give: impl FnMut(&'a [u8])) -> Result<(), Lost> {
        let Some(position) = self.position(seq) else {
            // It begins before the next byte: a retransmission, or a keepalive probe, perhaps with something new behind it.
            let known = usize::try_from(self.next.wrapping_sub(seq)).unwrap_or(usize::MAX);
            if let Some(fresh) = payload.get(known..) {
                self.pass(fresh, &mut give);
            }
            return Ok(());
        };
        if position == self.given {
            self.pass(payload, &mut give);
        } else if !payload.is_empty() {
            let known = self.waiting.get(&position).map_or(0, |known| known.len());
            if known < payload.len() {
                self.held += payload.len() - known;
                self.waiting.insert(position, payload);
            }
        }
        if self.held > LIMIT { Err(Lost) } else { Ok(()) }
    }

    /// A FIN with the sequence number behind its segment's payload.
    pub fn fin(&mut self, seq: u32) {
        if let Some(position) = self.position(seq) {
            self.end = Some(position);
        }
    }

    /// The receiver acknowledged all before this sequence number.
    pub fn acknowledge(&mut self, ack: u32) {
        if let Some(position) = self.position(ack) {
            self.acknowledged = self.acknowledged.max(position);
        }
    }

    /// Whether the receiver has acknowledged bytes that were not seen here.
    #[must_use]
    pub fn misses(&self) -> bool {
        let with_fin = u64::from(self.end == Some(self.given));
        self.acknowledged > self.given + with_fin
    }

    fn pass(&mut self, fresh: &'a [u8], give: &mut impl FnMut(&'a [u8])) {
        self.advance(fresh, give);
        while let Some(entry) = self.waiting.first_entry().filter(|entry| *entry.key() <= self.given) {
            let (position, payload) = entry.remove_entry();
            self.held -= payload.len();
            let known = usize::try_from(self.given - position).unwrap_or(usize::MAX);
            if let Some(fresh) = payload.get(known..) {
                self.advance(fresh, give);
            }
        }
    }

    fn advance(&mut self, fresh: &'a [u8], give: &mut impl FnMut(&'a [u8])) {
        if fresh.is_empty() {
            return;
        }
        give(fresh);
        // A segment is never as long as the sequence space; its length is at most 64 kB.
        self.next = self.next.wrapping_add(u32::try_from(fresh.len()).unwrap_or(0));
        self.given += u64::try_from(fresh.len()).unwrap_or(0);
    }

    /// The position of a sequence number at or behind the next byte; none before it.
    fn position(&self, seq: u32) -> Option<u64> {
        let ahead = seq.wrapping_sub(self.next);
        (ahead < 1 << 31).then(|| self.given + u64::from(ahead))
    }
}
