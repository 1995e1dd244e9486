//! When the kernel's TCP timers fire: Linux's timer wheel, arming by arming.
//!
//! A kernel timer never fires early and nearly always fires late, since a timer that is far away lies in a coarse bucket of
//! the wheel (`kernel/time/timer.c`). How late depends on when it was armed, counted in ticks (*jiffies*) since boot, which
//! on the real clock is not known. The functions here follow the timers of `net/ipv4/tcp_timer.c` as of Linux ≥ 6.5 through
//! all their armings, and give the [`Window`] in which the end must lie.
//!
//! Everything is pure: times are counted from an event, and `hz` is the kernel's CONFIG_HZ (250 on Debian).

mod handshake;
mod keepalive;
mod orphan;
mod retransmission;
#[cfg(test)]
mod simulation;
mod window_probe;

use std::ops::Range;
use std::time::Duration;

pub use handshake::{syn_ack_death, syn_death};
pub use keepalive::{Keepalive, keepalive_death};
pub use orphan::{fin_wait2_end, orphan_retries};
pub use retransmission::{Retransmission, busy_user_timeout_death, first_rto, model_timeout, retransmission_death};
pub use window_probe::window_probe_death;

/// Where a timer may end, as spans counted from one event. The window is half-open, `earliest < t <= latest`: a tick runs
/// its timers at its beginning, while an event may lie anywhere behind the beginning of its own tick.
///
/// The time that the machine takes to run an expired timer is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// What the settings say, as if the clock had no ticks.
    pub nominal: Duration,
    /// The end comes after this.
    pub earliest: Duration,
    /// The end comes at this at the latest.
    pub latest: Duration,
}

impl Window {
    /// Whether an end that was observed so long after the event can be this timer's, when the machine may have been late by
    /// `delay`.
    #[must_use]
    pub fn contains(&self, observed: Duration, delay: Duration) -> bool {
        self.earliest < observed && observed <= self.latest + delay
    }

    /// The same window, counted from an event that came earlier by this.
    #[must_use]
    pub fn after(self, later: Duration) -> Window {
        Window { nominal: self.nominal, earliest: self.earliest + later, latest: self.latest + later }
    }

    /// The smallest window around two; the nominal time is the first one's.
    #[must_use]
    pub fn union(self, other: Window) -> Window {
        Window {
            nominal: self.nominal,
            earliest: self.earliest.min(other.earliest),
            latest: self.latest.max(other.latest),
        }
    }
}

/// What is known of the tick count at the moment in which a timer is armed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing, as on the real clock.
    Unknown,
    /// The time since a multiple of [`ROUND`] ticks, of which only the part of a tick is unknown, as on a virtual clock that
    /// starts each case at a known distance from such a multiple: the moment lies within one tick from here.
    Known(Duration),
}

impl Phase {
    /// The phase at a moment that lies so many nanoseconds behind (or, if negative, before) a multiple of [`ROUND`] ticks, as
    /// far as clocks tell: it may as well lie a little earlier, in the tick before.
    #[must_use]
    pub fn known(since_ns: i64, hz: u32) -> Phase {
        let since_ns = i128::from(since_ns) - i128::from(READING_NS);
        let since = (since_ns * i128::from(hz)).rem_euclid(i128::from(ROUND * PARTS));
        Phase::Known(span(Moment::try_from(since).unwrap_or(0), hz))
    }
}

/// After so many ticks all levels are in the same phase that a timer of TCP can lie in: the longest one is TCP_KEEPIDLE's,
/// 32767 s (MAX_TCP_KEEPIDLE, include/net/tcp.h).
///
/// It divides 2^32, so that neither the count's beginning, which is -300 s as 32 bits (INITIAL_JIFFIES, include/linux/jiffies.h),
/// nor the 32 bits of it that TCP reckons with (`tcp_jiffies32`) change a phase when they overflow, five minutes after boot.
pub const ROUND: u64 = 1 << 21;

/// How far the known time of an event may be from the true one: the trace prints whole microseconds, rounded.
const READING_NS: i64 = 1000;

/// How many bits of the tick count each level leaves out (`LVL_CLK_SHIFT`).
const LEVEL_SHIFT: u32 = 3;
/// How many buckets each level has (`LVL_SIZE`).
const LEVEL_SIZE: u64 = 64;
/// How many levels there are with HZ > 100 (`LVL_DEPTH`).
const LEVELS: u32 = 9;

/// The tick at which a timer fires that is put into the wheel when its clock stands at `clock` (`base->clk`), to fire at
/// `expires`: the first tick of the bucket behind the one that holds `expires`.
///
/// The clock is the tick count for a timer that is armed by a system call or a packet. It is one ahead for one that is armed
/// by an expired timer's own function (`__run_timers`).
///
/// Source: `calc_wheel_index` and `calc_index` in `kernel/time/timer.c`.
#[must_use]
pub fn expiry(clock: u64, expires: u64) -> u64 {
    let Some(delay) = expires.checked_sub(clock) else { return clock };
    let level = level(delay);
    let longest = ((LEVEL_SIZE - 1) << (LEVEL_SHIFT * (LEVELS - 1))) - granularity(LEVELS - 1);
    let expires = if delay < level_start(LEVELS) { expires } else { clock + longest };
    ((expires >> (LEVEL_SHIFT * level)) + 1) << (LEVEL_SHIFT * level)
}

/// The level of a timer that is so many ticks away.
fn level(delay: u64) -> u32 {
    (0..LEVELS - 1).find(|level| delay < level_start(level + 1)).unwrap_or(LEVELS - 1)
}

/// The shortest delay that is put into a level (`LVL_START`).
fn level_start(level: u32) -> u64 {
    (LEVEL_SIZE - 1) << (LEVEL_SHIFT * (level - 1))
}

/// The ticks between two buckets of a level (`LVL_GRAN`).
fn granularity(level: u32) -> u64 {
    1 << (LEVEL_SHIFT * level)
}

/// A moment, in parts of a tick: fine enough that a time in nanoseconds is a whole number of them for every HZ.
type Moment = u64;
const PARTS: Moment = 1_000_000_000;

/// The tick in which a moment lies.
fn tick(moment: Moment) -> u64 {
    moment / PARTS
}

/// How far it is from a moment to the beginning of the next tick.
fn to_next_tick(moment: Moment) -> Moment {
    PARTS - moment % PARTS
}

/// A span in parts of a tick.
fn parts(span: Duration, hz: u32) -> Moment {
    Moment::try_from(span.as_nanos() * u128::from(hz)).unwrap_or(Moment::MAX / 4)
}

/// A span from parts of a tick, cut off to nanoseconds.
fn span(parts: Moment, hz: u32) -> Duration {
    Duration::from_nanos(parts / Moment::from(hz))
}

/// A span in ticks, rounded up as `msecs_to_jiffies` does.
fn ticks(span: Duration, hz: u32) -> u64 {
    parts(span, hz).div_ceil(PARTS)
}

/// Where the first arming may lie: spans of which every moment is possible. All phases differ only within the bucket of the
/// longest delay.
fn starts(phase: Phase, longest_delay: u64, hz: u32) -> Box<dyn Iterator<Item = Range<Moment>>> {
    match phase {
        Phase::Unknown => Box::new((0..granularity(level(longest_delay))).map(|tick| tick * PARTS..(tick + 1) * PARTS)),
        Phase::Known(since) => {
            let since = parts(since, hz);
            Box::new(std::iter::once(since..since + PARTS))
        }
    }
}

/// The window of a timer that is armed in a tick and ends in the tick that `end` finds for that one, counted from the arming.
fn window(nominal: Duration, phase: Phase, longest_delay: u64, hz: u32, end: impl Fn(u64) -> u64) -> Window {
    let end = &end;
    let ends = starts(phase, longest_delay, hz).flat_map(|start| {
        ticks_of(&start).map(move |armed| {
            let latest = end(armed) * PARTS - start.start.max(armed * PARTS);
            let earliest = end(armed) * PARTS - start.end.min((armed + 1) * PARTS);
            Window { nominal, earliest: span(earliest, hz), latest: span(latest, hz) }
        })
    });
    ends.reduce(Window::union).unwrap_or(Window { nominal, earliest: nominal, latest: nominal })
}

/// The ticks in which the moments of a span lie.
fn ticks_of(span: &Range<Moment>) -> impl Iterator<Item = u64> + use<> {
    tick(span.start)..=tick(span.end - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_near_timer_fires_one_tick_late() {
        assert_eq!(expiry(1000, 1010), 1011);
        assert_eq!(expiry(1000, 1062), 1063);
    }

    #[test]
    fn a_far_timer_fires_at_the_end_of_its_bucket() {
        assert_eq!(expiry(0, 63), 64);
        assert_eq!(expiry(0, 64), 72);
        assert_eq!(expiry(0, 27_500), 27_648);
        assert_eq!(expiry(0, 27_647), 27_648);
        assert_eq!(expiry(0, 27_648), 28_160);
    }

    #[test]
    fn a_timer_that_has_passed_fires_at_once() {
        assert_eq!(expiry(1000, 999), 1000);
    }

    #[test]
    fn a_timer_beyond_the_wheel_fires_when_the_wheel_ends() {
        let end = expiry(0, 1 << 40);
        assert!((62 << 24..=64 << 24).contains(&end), "{end}");
    }

    proptest! {
        #[test]
        fn no_timer_of_the_wheel_fires_early_nor_later_than_its_bucket(clock in 0u64..1 << 32, delay in 0u64..1 << 29) {
            let expires = clock + delay;
            let late = expiry(clock, expires) - expires;
            prop_assert!(late >= 1 && late <= granularity(level(delay)));
        }

        #[test]
        fn a_timer_fires_no_later_than_an_eighth_of_its_delay(clock in 0u64..1 << 32, delay in 64u64..1 << 29) {
            // The kernel's comment promises 12.5 %; each level starts at 63/64 of eight buckets.
            let expires = clock + delay;
            prop_assert!((expiry(clock, expires) - expires) * 63 <= delay * 8);
        }
    }
}
