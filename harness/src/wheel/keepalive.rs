//! The keepalive timer (`tcp_keepalive_timer` in `net/ipv4/tcp_timer.c`).

use std::time::Duration;

use super::{Moment, PARTS, Phase, Window, expiry, parts, span, starts, tick, ticks, to_next_tick};

/// The keepalive settings in force at a socket, whose SO_KEEPALIVE is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// TCP_KEEPIDLE, or `net.ipv4.tcp_keepalive_time`.
    pub idle: Duration,
    /// TCP_KEEPINTVL, or `net.ipv4.tcp_keepalive_intvl`.
    pub interval: Duration,
    /// TCP_KEEPCNT, or `net.ipv4.tcp_keepalive_probes`.
    pub probes: u32,
}

/// When keepalive ends a connection, counted from the last packet that was received.
///
/// `received` are the packets that the socket took for a sign of life (payload or not, answers to its own probes among them, the
/// peer's probes not), as times
/// since its keepalive timer was armed first, in order. That was when the connection was established with SO_KEEPALIVE on,
/// or when SO_KEEPALIVE was switched on or TCP_KEEPIDLE set later. None at all means that the arming itself is the last sign of
/// life. `phase` is that of the first arming. With `user_timeout` (TCP_USER_TIMEOUT) the connection ends at the first timer at
/// which it has passed and a probe is unanswered, however many probes that were.
///
/// What arrives does not arm the timer anew: when it fires too early, it is armed for what remains
/// (`keepalive_time_elapsed`). Received packets are noted in whole ticks (`tcp_jiffies32`). It is assumed that nothing is
/// unacknowledged when the timer fires; it then only waits (`resched`).
#[must_use]
pub fn keepalive_death(
    keepalive: Keepalive,
    user_timeout: Option<Duration>,
    received: &[Duration],
    phase: Phase,
    hz: u32,
) -> Window {
    let timer = Timer {
        idle: ticks(keepalive.idle, hz).max(1),
        interval: ticks(keepalive.interval, hz).max(1),
        probes: keepalive.probes,
        user_timeout: user_timeout.filter(|timeout| !timeout.is_zero()).map(|timeout| ticks(timeout, hz)),
        received: received.iter().map(|since| parts(*since, hz)).collect(),
    };
    let last = timer.received.last().copied().unwrap_or(0);
    let (mut earliest, mut latest) = (Moment::MAX, 0);
    for start in starts(phase, timer.idle.max(timer.interval), hz) {
        let mut armed = start.start;
        while armed < start.end {
            let (death, same_for) = timer.death(armed);
            let next = (armed + same_for).min(start.end);
            earliest = earliest.min((death * PARTS).saturating_sub(next + last));
            latest = latest.max((death * PARTS).saturating_sub(armed + last));
            armed = next;
        }
    }
    Window { nominal: nominal(keepalive, user_timeout), earliest: span(earliest, hz), latest: span(latest, hz) }
}

/// What the settings say: the time of the probe timer that finds the connection dead.
fn nominal(keepalive: Keepalive, user_timeout: Option<Duration>) -> Duration {
    let Keepalive { idle, interval, probes } = keepalive;
    let Some(timeout) = user_timeout.filter(|timeout| !timeout.is_zero()) else { return idle + interval * probes };
    let mut probe = idle + interval;
    while probe < timeout && !interval.is_zero() {
        probe += interval;
    }
    probe
}

/// A keepalive timer in ticks, and the packets that it will look back on, counted from its first arming.
struct Timer {
    idle: u64,
    interval: u64,
    probes: u32,
    user_timeout: Option<u64>,
    received: Vec<Moment>,
}

impl Timer {
    /// The tick at which the connection dies if the timer is armed first at a moment, and for how long a later first arming
    /// gives the same tick: until one of the moments that the timer looked at falls into the next tick.
    fn death(&self, armed: Moment) -> (u64, Moment) {
        let mut same_for = to_next_tick(armed);
        let mut now = expiry(tick(armed), tick(armed) + self.idle);
        let mut unanswered = 0;
        let mut known = 0;
        loop {
            // A tick runs its timers before it takes packets.
            let count = self.received.partition_point(|since| armed + since < now * PARTS);
            if count > known {
                unanswered = 0;
                known = count;
            }
            let last = armed + count.checked_sub(1).map_or(0, |index| self.received[index]);
            same_for = same_for.min(to_next_tick(last));
            let elapsed = now - tick(last);
            let delay = if elapsed < self.idle {
                self.idle - elapsed
            } else if count == self.received.len() && self.is_over(elapsed, unanswered) {
                return (now, same_for);
            } else {
                unanswered += 1;
                self.interval
            };
            now = expiry(now + 1, now + delay);
        }
    }

    /// Whether a timer that finds the connection idle ends it instead of sending a probe.
    fn is_over(&self, elapsed: u64, unanswered: u32) -> bool {
        match self.user_timeout {
            Some(timeout) => elapsed >= timeout && unanswered > 0,
            None => unanswered >= self.probes,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn keepalive(idle: u64, interval: u64, probes: u32) -> Keepalive {
        Keepalive { idle: Duration::from_secs(idle), interval: Duration::from_secs(interval), probes }
    }

    #[test]
    fn keepalive_of_200_s_dies_between_2_and_4_s_late() {
        let window = keepalive_death(keepalive(110, 30, 3), None, &[], Phase::Unknown, 250);
        // In ticks: 27501 to 28012 to the first probe, and three times 7680. The arming lies within its tick.
        assert_eq!(window, Window { nominal: seconds(200.0), earliest: seconds(202.160), latest: seconds(204.208) });
        assert!(
            !window.contains(seconds(202.160), Duration::ZERO) && window.contains(seconds(202.164), Duration::ZERO)
        );
    }

    #[test]
    fn the_measured_ends_of_short_keepalive_lie_in_the_window() {
        // Measured: payload and its answer half a second after accept, then a cut, on Linux 6.18 with HZ=250.
        let received = [seconds(0.0003), seconds(0.5006), seconds(0.5011)];
        let window = keepalive_death(keepalive(2, 1, 2), None, &received, Phase::Unknown, 250);
        for measured in [4.0534, 4.0551, 4.0553, 4.0686] {
            assert!(window.contains(seconds(measured), Duration::ZERO), "{measured} in {window:?}");
        }
    }

    #[test]
    fn a_known_phase_leaves_one_tick() {
        for since in [0.0, 1.5, 77.123] {
            let phase = Phase::Known(seconds(since));
            let window = keepalive_death(keepalive(110, 30, 3), None, &[seconds(12.3)], phase, 250);
            let all = keepalive_death(keepalive(110, 30, 3), None, &[seconds(12.3)], Phase::Unknown, 250);
            assert!(window.earliest >= all.earliest && window.latest <= all.latest);
            assert!(window.latest - window.earliest <= seconds(0.008), "{window:?}");
        }
    }

    #[test]
    fn a_timer_that_fires_too_early_is_armed_for_what_remains() {
        // In ticks: armed at 0, a packet at 25; fires at 256, at 276 (a probe), and at 528.
        let window = keepalive_death(keepalive(1, 1, 1), None, &[seconds(0.1)], Phase::Known(Duration::ZERO), 250);
        assert_eq!((window.earliest, window.latest), (seconds(2.008), seconds(2.012)));
    }

    #[test]
    fn an_answered_probe_is_a_packet_to_count_from() {
        // The first probe goes out at 2.048 s at the latest and is answered at once; the timer then runs for the interval.
        let all = keepalive_death(keepalive(2, 1, 2), None, &[seconds(2.02)], Phase::Unknown, 250);
        assert!(all.earliest >= seconds(4.0) && all.latest <= seconds(4.2), "{all:?}");
    }

    #[test]
    fn a_user_timeout_ends_it_at_the_first_unanswered_probe_behind_it() {
        let death = |timeout| keepalive_death(keepalive(10, 5, 9), Some(seconds(timeout)), &[], Phase::Unknown, 250);
        assert_eq!(death(3.0).nominal, seconds(15.0));
        assert!(death(3.0).earliest >= seconds(15.0));
        assert_eq!(death(17.0).nominal, seconds(20.0));
        assert!(death(17.0).earliest >= seconds(20.0) && death(17.0).latest < seconds(21.0));
    }

    #[test]
    fn a_user_timeout_of_zero_is_none() {
        let none = keepalive_death(keepalive(10, 5, 2), None, &[], Phase::Unknown, 250);
        assert_eq!(keepalive_death(keepalive(10, 5, 2), Some(Duration::ZERO), &[], Phase::Unknown, 250), none);
    }

    proptest! {
        #[test]
        fn death_is_never_early_and_late_by_one_bucket_an_arming_at_most(
            idle in 1u64..200, interval in 1u64..60, probes in 1u32..6, hz in prop::sample::select(vec![100u32, 250, 300, 1000]),
            gaps in prop::collection::vec(0u64..400_000_000_000, 0..4),
        ) {
            let received: Vec<Duration> = gaps.iter().scan(0, |sum, gap| { *sum += gap; Some(Duration::from_nanos(*sum)) }).collect();
            let settings = keepalive(idle, interval, probes);
            let window = keepalive_death(settings, None, &received, Phase::Unknown, hz);
            let tick = Duration::from_secs(1) / hz;
            prop_assert!(window.earliest + tick > window.nominal);
            prop_assert!(window.earliest < window.latest);
            let bucket = |delay: u64| Duration::from_secs_f64(delay as f64 * 8.0 / 63.0) + tick * 2;
            let armings = bucket(idle.max(interval)) * 2 + bucket(interval) * probes;
            // A timer that was armed for an interval before the last packet is not armed anew by it.
            let overhang = Duration::from_secs(interval.saturating_sub(idle));
            prop_assert!(window.latest <= window.nominal + overhang + armings);
        }

        #[test]
        fn a_known_phase_lies_in_the_window_of_all_phases(
            since in 0u64..3_600_000_000_000, quiet in 0u64..100_000_000_000, idle in 1u64..130, interval in 1u64..40,
        ) {
            let received = [Duration::from_nanos(quiet)];
            let all = keepalive_death(keepalive(idle, interval, 3), None, &received, Phase::Unknown, 250);
            let one = keepalive_death(keepalive(idle, interval, 3), None, &received, Phase::Known(Duration::from_nanos(since)), 250);
            prop_assert!(all.earliest <= one.earliest && one.latest <= all.latest, "{one:?} in {all:?}");
        }
    }
}
