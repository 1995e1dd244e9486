//! The retransmission timer (`tcp_retransmit_timer` in `net/ipv4/tcp_timer.c`).

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{PARTS, Phase, Window, expiry, granularity, level, parts, span, starts, ticks, ticks_of};

/// The retransmission timeout that `tcp_model_timeout` reckons with, whatever the connection's own is (TCP_RTO_MIN).
const RTO_MIN: Duration = Duration::from_millis(200);

/// A connection whose data (or FIN) is retransmitted, and never acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retransmission {
    /// The retransmission timeout that led to the first retransmission, as far as it is known; [`first_rto`] finds it from
    /// what was seen.
    pub rto: RangeInclusive<Duration>,
    /// The longest retransmission timeout: 120 s (TCP_RTO_MAX), or `net.ipv4.tcp_rto_max_ms` on Linux ≥ 6.15.
    pub rto_max: Duration,
    /// The retransmissions by timeout that were seen behind the first, counted from it. Where the phase is known, they tell
    /// the timeout to the tick.
    pub seen: Vec<Duration>,
}

/// The time that so many retries stand for: `tcp_retries2` of a connection, [`super::orphan_retries`] of an orphan.
///
/// Source: `tcp_model_timeout`.
#[must_use]
pub fn model_timeout(retries: u32, rto_max: Duration) -> Duration {
    // As many doublings as it takes to reach the longest timeout; behind them every retry takes the longest.
    let doublings = (rto_max.as_millis() / RTO_MIN.as_millis()).checked_ilog2().unwrap_or(0);
    let exponential = RTO_MIN * ((2 << retries.min(doublings)) - 1);
    exponential + rto_max * retries.saturating_sub(doublings)
}

/// When the kernel gives a connection up whose retransmissions stay unanswered, counted from the *first retransmission by
/// timeout*: at the first retransmission timeout at which [`model_timeout`] has passed.
///
/// A tail loss probe is a retransmission on the wire and not one here: it does not set `retrans_stamp`
/// (`tcp_send_loss_probe`). `phase` is that of the first retransmission.
///
/// Source: `tcp_write_timeout`, `retransmits_timed_out`.
#[must_use]
pub fn retransmission_death(sent: &Retransmission, retries: u32, phase: Phase, hz: u32) -> Window {
    let timeout = model_timeout(retries, sent.rto_max);
    death(sent, timeout, false, phase, hz)
}

/// When TCP_USER_TIMEOUT ends a connection with unacknowledged data, counted from the first retransmission by timeout.
///
/// Source: `tcp_clamp_rto_to_user_timeout`, `retransmits_timed_out`.
#[must_use]
pub fn busy_user_timeout_death(sent: &Retransmission, user_timeout: Duration, phase: Phase, hz: u32) -> Window {
    death(sent, user_timeout, true, phase, hz)
}

/// The retransmission timeouts that can have led to the first retransmission, when the second came `gap` after it.
///
/// The gap is twice the timeout, and late by what the wheel adds.
#[must_use]
pub fn first_rto(gap: Duration, hz: u32) -> RangeInclusive<Duration> {
    let gap = nearest_tick(gap, hz);
    // Both retransmissions may have been captured a little late.
    let longest = gap;
    let shortest = gap.saturating_sub(granularity(level(gap)) + 1);
    let half = |ticks: u64| span(ticks * PARTS / 2, hz);
    half(shortest)..=half(longest)
}

/// A span in ticks, rounded to the nearest.
pub(super) fn nearest_tick(span: Duration, hz: u32) -> u64 {
    (parts(span, hz) + PARTS / 2) / PARTS
}

/// Follows the timeouts for all that is not known.
fn death(sent: &Retransmission, timeout: Duration, clamped: bool, phase: Phase, hz: u32) -> Window {
    let rto_max = ticks(sent.rto_max, hz);
    let rtos = ticks(*sent.rto.start(), hz).max(1)..=ticks(*sent.rto.end(), hz).max(1);
    let longest = rto_max.min(ticks(timeout, hz) * 2 + 2 * rtos.end());
    let limit = parts(timeout, hz);
    // Retransmissions by timeout happen at ticks, of which a known phase may leave a few.
    let all: Vec<u64> = starts(phase, longest, hz).flat_map(|start| ticks_of(&start)).collect();
    let chain = |rto, start| Chain { rto, rto_max, clamp: clamped.then_some(limit), start };
    let chains = rtos.flat_map(|rto| all.iter().map(move |start| chain(rto, *start)));
    let mut chains: Vec<Chain> = chains.collect();
    if matches!(phase, Phase::Known(_)) {
        let seen: Vec<u64> = sent.seen.iter().map(|since| nearest_tick(*since, hz)).collect();
        let fitting: Vec<Chain> = chains.iter().copied().filter(|chain| chain.passes(&seen)).collect();
        // When none fits, something else than the wheel had a part in it.
        if !fitting.is_empty() {
            chains = fitting;
        }
    }
    // The kernel compares milliseconds of a clock that does not run in ticks, so that an end of exactly the timeout may be
    // just before it or not.
    let just_before = limit.saturating_sub(parts(Duration::from_millis(1), hz));
    let ends = chains.into_iter().flat_map(|chain| [chain.end(limit + 1), chain.end(just_before)]);
    let one_tick = Duration::from_secs(1) / hz;
    let windows = ends.map(|ticks| {
        let end = span(ticks * PARTS, hz);
        Window { nominal: timeout, earliest: end.saturating_sub(one_tick), latest: end }
    });
    windows.reduce(Window::union).unwrap_or(Window { nominal: timeout, earliest: timeout, latest: timeout })
}

/// The timeouts that follow a first retransmission, or a first window probe, in ticks.
#[derive(Clone, Copy)]
pub(super) struct Chain {
    pub rto: u64,
    pub rto_max: u64,
    /// The user timeout in parts of a tick, beyond which no timer is armed.
    pub clamp: Option<u64>,
    /// The tick of the first retransmission.
    pub start: u64,
}

impl Chain {
    /// How many ticks after its start each timeout comes.
    pub fn timeouts(self) -> impl Iterator<Item = u64> {
        let (start, mut now, mut rto) = (self.start, self.start, self.rto);
        std::iter::repeat_with(move || {
            rto = (rto * 2).min(self.rto_max).max(1);
            let remaining =
                self.clamp.map(|timeout| timeout.saturating_sub((now - start) * PARTS).div_ceil(PARTS).max(1));
            let delay = remaining.map_or(rto, |remaining| rto.min(remaining));
            now = expiry(now + 1, now + delay);
            now - start
        })
    }

    /// How many ticks after its start the first timeout comes that is not before `limit` (in parts of a tick).
    fn end(self, limit: u64) -> u64 {
        self.timeouts().find(|since| since * PARTS >= limit).unwrap_or_default()
    }

    /// Whether these retransmissions are its own. Each may have been captured a little late.
    pub fn passes(self, seen: &[u64]) -> bool {
        self.timeouts().zip(seen).all(|(timeout, seen)| timeout.abs_diff(*seen) <= 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RTO_MAX: Duration = Duration::from_secs(120);

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn with_rto(rto: f64) -> Retransmission {
        Retransmission { rto: seconds(rto)..=seconds(rto), rto_max: RTO_MAX, seen: Vec::new() }
    }

    #[test]
    fn retries_stand_for_the_times_of_the_manual() {
        assert_eq!(model_timeout(0, RTO_MAX), seconds(0.2));
        assert_eq!(model_timeout(3, RTO_MAX), seconds(3.0));
        assert_eq!(model_timeout(8, RTO_MAX), seconds(102.2));
        assert_eq!(model_timeout(15, RTO_MAX), seconds(924.6));
    }

    #[test]
    fn data_dies_at_the_first_timeout_behind_the_model() {
        // 0.408 + 0.816 + 1.632 = 2.856 s is before 3 s, and 3.264 s more is behind it.
        let window = retransmission_death(&with_rto(0.204), 3, Phase::Unknown, 250);
        assert_eq!(window.nominal, seconds(3.0));
        assert!(window.earliest >= seconds(6.12) && window.latest <= seconds(6.12 + 4.0 * 0.26), "{window:?}");
    }

    #[test]
    fn the_gap_between_two_retransmissions_gives_the_timeout_back() {
        // Measured: 204 ms doubled to 408 ms, seen as 0.440 s, 0.412 s and 0.436 s.
        for gap in [0.440, 0.412, 0.436] {
            let rto = first_rto(seconds(gap), 250);
            assert!(rto.contains(&seconds(0.204)), "{gap}: {rto:?}");
        }
    }

    #[test]
    fn a_user_timeout_shortens_the_last_timeout() {
        let window = busy_user_timeout_death(&with_rto(0.204), seconds(5.0), Phase::Unknown, 250);
        assert_eq!(window.nominal, seconds(5.0));
        assert!(window.earliest + seconds(0.004) >= seconds(5.0) && window.latest <= seconds(5.3), "{window:?}");
    }

    #[test]
    fn a_known_phase_leaves_one_tick() {
        let window = retransmission_death(&with_rto(0.204), 3, Phase::Known(seconds(7.0)), 250);
        assert_eq!(window.latest - window.earliest, seconds(0.004));
    }

    proptest! {
        #[test]
        fn death_is_never_early_and_before_the_next_timeout_is_over(rto in 200u64..2000, retries in 0u32..9, hz in prop::sample::select(vec![100u32, 250, 1000])) {
            let rto = Duration::from_millis(rto);
            let sent = Retransmission { rto: rto..=rto, rto_max: RTO_MAX, seen: Vec::new() };
            let window = retransmission_death(&sent, retries, Phase::Unknown, hz);
            let slack = Duration::from_millis(1) + Duration::from_secs(1) / hz;
            prop_assert!(window.earliest + slack >= window.nominal);
            // Timeouts double: the one that ends it is shorter than all before it and the two first, lateness apart.
            let next = (window.nominal + 2 * rto) * 2;
            prop_assert!(window.latest <= next + next / 4 + Duration::from_millis(100), "{window:?}");
        }

        #[test]
        fn a_user_timeout_is_met_within_an_eighth(timeout in 100u64..60_000) {
            let timeout = Duration::from_millis(timeout);
            let window = busy_user_timeout_death(&with_rto(0.204), timeout, Phase::Unknown, 250);
            prop_assert!(window.earliest + Duration::from_millis(5) >= timeout);
            prop_assert!(window.latest <= timeout + timeout / 7 + Duration::from_millis(20), "{window:?}");
        }
    }
}
