//! The timers of a handshake that nobody answers.

use std::time::Duration;

use super::{Phase, Window, expiry, ticks, window};

/// The timeout of the first SYN and of the first SYN, ACK (TCP_TIMEOUT_INIT, include/net/tcp.h; RFC 6298, 2.1).
const RTO: Duration = Duration::from_secs(1);
/// The longest one (TCP_RTO_MAX).
const RTO_MAX: Duration = Duration::from_secs(120);

/// When the kernel gives up a SYN that nobody answers, counted from the first one.
///
/// `retries` is `net.ipv4.tcp_syn_retries` or TCP_SYNCNT, `linear` is `net.ipv4.tcp_syn_linear_timeouts` (0 on Linux before 6.5).
/// So many first timeouts are not doubled. The attempt ends at the timeout at which `retries + linear` SYNs have been sent again,
/// *or* at which the time has passed that the doubling timeouts of `retries` alone stand for, whichever comes first: with few
/// retries that is the time.
///
/// Source: `tcp_write_timeout`, `retransmits_timed_out`, `tcp_retransmit_timer` in `net/ipv4/tcp_timer.c`.
#[must_use]
pub fn syn_death(retries: u32, linear: u32, phase: Phase, hz: u32) -> Window {
    let limit = timeouts(0).take(usize_of(retries) + 1).sum::<Duration>();
    let most = usize_of(retries) + usize_of(linear);
    let mut count = 0;
    let mut sum = Duration::ZERO;
    for timeout in timeouts(linear) {
        sum += timeout;
        if count >= most || (count > 0 && sum >= limit) {
            break;
        }
        count += 1;
    }
    death(count, linear, sum, phase, hz)
}

/// When the kernel forgets a SYN whose SYN, ACK nobody acknowledges, counted from the first SYN, ACK.
///
/// `retries` is `net.ipv4.tcp_synack_retries`. A listener whose queue is more than half full gives up earlier.
///
/// Source: `reqsk_timer_handler`, `syn_ack_recalc` in `net/ipv4/inet_connection_sock.c`; `tcp_reqsk_timeout` in
/// `include/net/tcp.h`.
#[must_use]
pub fn syn_ack_death(retries: u32, phase: Phase, hz: u32) -> Window {
    let count = usize_of(retries);
    death(count, 0, timeouts(0).take(count + 1).sum(), phase, hz)
}

/// The timeouts of a handshake, of which the first `linear` are not doubled.
fn timeouts(linear: u32) -> impl Iterator<Item = Duration> {
    let same = std::iter::repeat_n(RTO, usize_of(linear));
    same.chain(std::iter::successors(Some(RTO), |rto| Some((*rto * 2).min(RTO_MAX))))
}

/// The timeout at which something has been sent again so many times.
fn death(count: usize, linear: u32, nominal: Duration, phase: Phase, hz: u32) -> Window {
    let delays: Vec<u64> = timeouts(linear).take(count + 1).map(|timeout| ticks(timeout, hz)).collect();
    let longest = delays.last().copied().unwrap_or(0);
    window(nominal, phase, longest, hz, |armed| {
        // The first one is armed by a system call or a packet, the others by the timer before.
        let mut clock = armed;
        delays.iter().fold(armed, |now, delay| {
            let fires = expiry(clock, now + delay);
            clock = fires + 1;
            fires
        })
    })
}

fn usize_of(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nominal(retries: u32, linear: u32) -> u64 {
        syn_death(retries, linear, Phase::Unknown, 250).nominal.as_secs()
    }

    #[test]
    fn six_retries_behind_four_linear_ones_take_131_s() {
        assert_eq!(nominal(6, 4), 131);
    }

    #[test]
    fn without_linear_timeouts_six_retries_take_127_s() {
        assert_eq!(nominal(6, 0), 127);
    }

    #[test]
    fn with_few_retries_the_time_ends_a_syn_before_the_linear_timeouts_do() {
        assert_eq!([nominal(1, 4), nominal(2, 4), nominal(3, 4)], [3, 7, 19]);
    }

    #[test]
    fn five_retries_of_a_syn_ack_take_63_s() {
        assert_eq!(syn_ack_death(5, Phase::Unknown, 250).nominal.as_secs(), 63);
    }

    #[test]
    fn a_syn_never_ends_early_and_late_by_less_than_an_eighth() {
        for retries in 1..8 {
            let window = syn_death(retries, 4, Phase::Unknown, 250);
            assert!(window.earliest >= window.nominal && window.latest <= window.nominal * 9 / 8, "{window:?}");
        }
    }

    #[test]
    fn a_known_phase_leaves_one_tick() {
        let window = syn_death(6, 4, Phase::Known(Duration::from_secs(3)), 250);
        assert_eq!(window.latest - window.earliest, Duration::from_millis(4));
    }
}
