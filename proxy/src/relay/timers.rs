//! Who is to be woken when.
//!
//! An inactivity timer is set anew with every byte, and nearly never fires. So a timer's entry is left where it is when its time
//! moves further away: when the entry's turn comes, its owner is asked for the true time, and entered again. Setting a timer on
//! the data path costs nothing. A session that is gone takes its entry with it, so that the list is as long as there are sessions.

use std::collections::BTreeSet;

use super::moment::Moment;

/// The timers of owners that are known by `T`.
#[derive(Debug)]
pub struct Timers<T> {
    entries: BTreeSet<(Moment, T)>,
}

impl<T: Ord> Default for Timers<T> {
    fn default() -> Self {
        Timers { entries: BTreeSet::new() }
    }
}

impl<T: Ord + Copy> Timers<T> {
    /// Sees to it that `owner` is woken at `due` or before. `entered` is when it is to be woken already.
    pub fn wake(&mut self, owner: T, due: Moment, entered: &mut Moment) {
        if due < *entered {
            self.forget(owner, *entered);
            self.entries.insert((due, owner));
            *entered = due;
        }
    }

    /// An owner is gone that was to be woken at `entered`.
    pub fn forget(&mut self, owner: T, entered: Moment) {
        if entered.is_set() {
            self.entries.remove(&(entered, owner));
        }
    }

    /// When the next one is to be woken.
    #[must_use]
    pub fn next(&self) -> Moment {
        self.entries.first().map_or(Moment::NEVER, |(due, _)| *due)
    }

    /// Takes an owner whose time has come out of the list.
    pub fn due(&mut self, now: Moment) -> Option<T> {
        if self.next() > now {
            return None;
        }
        self.entries.pop_first().map(|(_, owner)| owner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(now: Moment, ms: u64) -> Moment {
        now.plus(Duration::from_millis(ms))
    }

    #[test]
    fn owners_are_woken_in_the_order_of_their_times() {
        let (now, mut timers) = (Moment::now(), Timers::default());
        for (owner, ms) in [(1, 30), (2, 10), (3, 20)] {
            timers.wake(owner, at(now, ms), &mut { Moment::NEVER });
        }
        let woken: Vec<i32> = std::iter::from_fn(|| timers.due(at(now, 25))).collect();
        assert_eq!(woken, [2, 3]);
    }

    #[test]
    fn a_time_that_moves_further_away_makes_no_second_entry() {
        let (now, mut timers, mut entered) = (Moment::now(), Timers::default(), Moment::NEVER);
        timers.wake(1, at(now, 10), &mut entered);
        timers.wake(1, at(now, 50), &mut entered);
        assert_eq!((entered, timers.due(at(now, 60)), timers.due(at(now, 60))), (at(now, 10), Some(1), None));
    }

    #[test]
    fn a_time_that_comes_nearer_takes_the_place_of_the_one_before() {
        let (now, mut timers, mut entered) = (Moment::now(), Timers::default(), Moment::NEVER);
        timers.wake(1, at(now, 50), &mut entered);
        timers.wake(1, at(now, 10), &mut entered);
        assert_eq!((entered, timers.due(at(now, 60)), timers.due(at(now, 60))), (at(now, 10), Some(1), None));
    }

    #[test]
    fn who_is_gone_is_woken_no_more() {
        let (now, mut timers, mut entered) = (Moment::now(), Timers::default(), Moment::NEVER);
        timers.wake(1, at(now, 10), &mut entered);
        timers.forget(1, entered);
        assert_eq!((timers.due(at(now, 60)), timers.next()), (None, Moment::NEVER));
    }
}
