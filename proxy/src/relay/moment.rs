//! The clock of the proxy's timers.

use std::time::{Duration, SystemTime};

use rustix::time::{ClockId, Timespec, clock_gettime};

/// In nanoseconds.
const MILLISECOND: u64 = 1_000_000;

/// A moment of CLOCK_MONOTONIC, to the nanosecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// Later than any other: a timer that does not run.
    pub const NEVER: Moment = Moment(u64::MAX);

    /// What the clock says now.
    #[must_use]
    pub fn now() -> Moment {
        let time = clock_gettime(ClockId::Monotonic);
        // The monotonic clock is never negative (clock_gettime(2)).
        let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
        Moment(seconds.unwrap_or(0) * 1_000_000_000 + nanoseconds.unwrap_or(0))
    }

    /// The moment at which a timer of this limit fires that is set now: the next whole millisecond, so that timers of a session that
    /// were set together fire together, as HAProxy's do, which counts milliseconds.
    #[must_use]
    pub fn after(self, limit: Limit) -> Moment {
        if limit.is_set() {
            Moment((self.0 + u64::from(limit.0) * MILLISECOND).next_multiple_of(MILLISECOND))
        } else {
            Moment::NEVER
        }
    }

    /// This much later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The time from an earlier moment to this one; nothing if it is later.
    #[must_use]
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// As timerfd_settime(2) takes it; a timer that does not run is set to zero.
    #[must_use]
    pub fn timespec(self) -> Timespec {
        if !self.is_set() {
            return Moment::unset();
        }
        let part = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Timespec { tv_sec: part(self.0 / 1_000_000_000), tv_nsec: part(self.0 % 1_000_000_000) }
    }

    /// No time.
    #[must_use]
    pub fn unset() -> Timespec {
        Timespec { tv_sec: 0, tv_nsec: 0 }
    }

    /// Whether a timer set for this moment runs at all.
    #[must_use]
    pub fn is_set(self) -> bool {
        self != Moment::NEVER
    }
}

/// The second of the wall's clock, in which HAProxy counts how long a server has been up.
#[must_use]
pub fn wall_second() -> u64 {
    // No clock stands before 1970.
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The limit of an inactivity timer in whole milliseconds; HAProxy's are signed 32-bit counts of them, so it fits. None is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit(u32);

impl Limit {
    /// Whether there is one.
    #[must_use]
    pub fn is_set(self) -> bool {
        self.0 != 0
    }

    /// How long it is, if there is one.
    #[must_use]
    pub fn duration(self) -> Option<Duration> {
        self.is_set().then(|| Duration::from_millis(self.0.into()))
    }
}

impl From<Option<Duration>> for Limit {
    fn from(limit: Option<Duration>) -> Limit {
        // A limit of less than a millisecond is one of a millisecond: zero would be none.
        Limit(limit.map_or(0, |limit| u32::try_from(limit.as_millis()).unwrap_or(u32::MAX).max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_limit_a_timer_never_fires() {
        assert_eq!(Moment::now().after(Limit::from(None)), Moment::NEVER);
    }

    #[test]
    fn a_timer_fires_never_early_and_less_than_a_millisecond_late() {
        let now = Moment::now();
        let elapsed = now.after(Limit::from(Some(Duration::from_secs(200)))).since(now);
        assert!((Duration::from_secs(200)..Duration::from_millis(200_001)).contains(&elapsed), "{elapsed:?}");
    }

    #[test]
    fn timers_that_are_set_within_a_millisecond_fire_together() {
        let (one, other) = (Moment(5_000_000_001), Moment(5_000_999_999));
        let limit = Limit::from(Some(Duration::from_secs(1)));
        assert_eq!(one.after(limit), other.after(limit));
    }
}
