//! Sessions that wait for a place: at one server, or at any of a backend (`src/queue.c`).

use std::collections::VecDeque;

use super::poll::Key;

/// A queue.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: VecDeque<Waiting>,
    /// How many got a place out of it.
    served: u64,
}

/// A session that waits.
#[derive(Debug)]
struct Waiting {
    session: Key,
    /// When it came, counted over all queues of its backend.
    came: u64,
    /// How many had been served before.
    served: u64,
}

/// A session that waits no more, and the position that the log tells: how many were served out of the queue since it came, and itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// The session.
    pub session: Key,
    /// Its position.
    pub position: u32,
}

impl Queue {
    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// A session comes.
    pub fn enter(&mut self, session: Key, came: u64) {
        self.waiting.push_back(Waiting { session, came, served: self.served });
    }

    /// When the one came that has waited longest.
    #[must_use]
    pub fn first(&self) -> Option<u64> {
        self.waiting.front().map(|first| first.came)
    }

    /// The one that has waited longest gets a place.
    pub fn serve(&mut self) -> Option<Left> {
        let first = self.waiting.pop_front()?;
        let left = self.left(&first);
        self.served += 1;
        Some(left)
    }

    /// A session does not want to wait any more.
    pub fn leave(&mut self, session: Key) -> Option<Left> {
        let place = self.waiting.iter().position(|waiting| waiting.session == session)?;
        let gone = self.waiting.remove(place)?;
        Some(self.left(&gone))
    }

    fn left(&self, gone: &Waiting) -> Left {
        let position = u32::try_from(self.served - gone.served + 1).unwrap_or(u32::MAX);
        Left { session: gone.session, position }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(place: u32) -> Key {
        Key { place, serial: 1 }
    }

    #[test]
    fn positions_count_who_was_served_before_and_not_who_left() {
        let mut queue = Queue::default();
        (0..4).for_each(|place| queue.enter(key(place), place.into()));
        assert_eq!(queue.serve(), Some(Left { session: key(0), position: 1 }));
        assert_eq!(queue.leave(key(2)), Some(Left { session: key(2), position: 2 }));
        assert_eq!(queue.serve(), Some(Left { session: key(1), position: 2 }));
        assert_eq!(queue.serve(), Some(Left { session: key(3), position: 3 }));
        assert_eq!(queue.serve(), None);
    }
}
