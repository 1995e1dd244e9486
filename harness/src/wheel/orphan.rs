//! Sockets that no process holds any more.

use std::time::Duration;

use super::{Phase, Window, expiry, ticks, window};

/// The longest time that a socket waits in TIME-WAIT, and the longest that FIN-WAIT-2 can wait there (TCP_TIMEWAIT_LEN).
const TIME_WAIT: Duration = Duration::from_secs(60);

/// The retries that an orphan with an unanswered FIN (or data before it) has, from `net.ipv4.tcp_orphan_retries`: 0 means 8.
/// [`super::retransmission_death`] tells when they are over; the kernel sends nothing at the end.
///
/// Source: `tcp_orphan_retries` in `net/ipv4/tcp_timer.c`. A connection that had got to the longest timeout before it was
/// orphaned has none if the setting is 0.
#[must_use]
pub fn orphan_retries(setting: u32) -> u32 {
    if setting == 0 { 8 } else { setting }
}

/// When an orphan in FIN-WAIT-2 is forgotten whose peer never closes, counted from the acknowledgement of its FIN, or from
/// the `close` if that came later. The kernel sends nothing.
///
/// `fin_timeout` is `net.ipv4.tcp_fin_timeout` or TCP_LINGER2. Up to 60 s it is the time that a TIME-WAIT bucket waits in its
/// place; a longer one is first the time beyond 60 s, by the keepalive timer, and then *the same time again* in the
/// bucket. A retransmission timeout above 2/7 of it makes it longer (`tcp_fin_time`), which is not reckoned with.
///
/// Source: `tcp_rcv_state_process` in `net/ipv4/tcp_input.c`, `__tcp_close` in `net/ipv4/tcp.c`, `tcp_keepalive_timer` in
/// `net/ipv4/tcp_timer.c`, `tcp_time_wait` in `net/ipv4/tcp_minisocks.c`.
#[must_use]
pub fn fin_wait2_end(fin_timeout: Duration, phase: Phase, hz: u32) -> Window {
    let beyond = fin_timeout.saturating_sub(TIME_WAIT);
    let (nominal, delay) =
        if beyond.is_zero() { (fin_timeout, ticks(fin_timeout, hz)) } else { (beyond * 2, ticks(beyond, hz)) };
    window(nominal, phase, delay, hz, |armed| {
        let first = expiry(armed, armed + delay);
        if beyond.is_zero() { first } else { expiry(first + 1, first + delay) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn fin_wait_2_of_60_s_ends_up_to_one_bucket_late() {
        let window = fin_wait2_end(seconds(60.0), Phase::Unknown, 250);
        assert_eq!(window, Window { nominal: seconds(60.0), earliest: seconds(60.0), latest: seconds(62.048) });
    }

    #[test]
    fn what_is_beyond_60_s_is_waited_for_twice() {
        let window = fin_wait2_end(seconds(90.0), Phase::Unknown, 250);
        assert_eq!(window.nominal, seconds(60.0));
        assert!(window.earliest >= seconds(60.0) && window.latest <= seconds(64.096), "{window:?}");
    }

    #[test]
    fn a_known_phase_leaves_one_tick() {
        let window = fin_wait2_end(seconds(10.0), Phase::Known(seconds(3.0)), 250);
        assert_eq!(window.latest - window.earliest, seconds(0.004));
    }

    #[test]
    fn no_orphan_retries_mean_eight() {
        assert_eq!((orphan_retries(0), orphan_retries(3)), (8, 3));
    }
}
