//! The timer that probes a closed window (`tcp_probe_timer` in `net/ipv4/tcp_timer.c`).

use std::time::Duration;

use super::retransmission::{Chain, nearest_tick};
use super::{PARTS, Phase, Retransmission, Window, span, starts, ticks, ticks_of};

/// When the kernel gives up a peer whose window is closed and that answers no probe, counted from the *first probe that was not
/// answered*: at the timeout behind as many of them as `net.ipv4.tcp_retries2` says.
///
/// Unlike with retransmissions that number is a count and no time. `sent` tells the timeout that led to the first of these
/// probes, and when those behind it were seen. The timeout has doubled as often as probes were sent since the window closed, but
/// not more often than `retries`: an answer does not shorten it, and `answered` probes came before the first unanswered one.
///
/// Source: `tcp_probe_timer`; `tcp_send_probe0` in `net/ipv4/tcp_output.c`; `tcp_ack_probe` in `net/ipv4/tcp_input.c`.
#[must_use]
pub fn window_probe_death(sent: &Retransmission, answered: u32, retries: u32, phase: Phase, hz: u32) -> Window {
    let rto_max = ticks(sent.rto_max, hz);
    let rtos = ticks(*sent.rto.start(), hz).max(1)..=ticks(*sent.rto.end(), hz).max(1);
    let all: Vec<u64> = starts(phase, rto_max, hz).flat_map(|start| ticks_of(&start)).collect();
    let doublings = retries - answered.saturating_add(1).min(retries);
    let longest =
        |rto: u64| (rto * 2).checked_shl(doublings).filter(|_| doublings < 32).unwrap_or(rto_max).min(rto_max);
    let chain = |rto, start| Chain { rto, rto_max: longest(rto), clamp: None, start };
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
    let last = usize::try_from(retries.saturating_sub(1)).unwrap_or(usize::MAX);
    let rto = *sent.rto.start();
    let longest = (rto * 2).checked_mul(1 << doublings.min(16)).unwrap_or(sent.rto_max).min(sent.rto_max);
    let doubled = std::iter::successors(Some((rto * 2).min(longest)), |rto| Some((*rto * 2).min(longest)));
    let nominal = doubled.take(last + 1).sum();
    let one_tick = Duration::from_secs(1) / hz;
    let windows = chains.into_iter().filter_map(|chain| chain.timeouts().nth(last)).map(|end| {
        let end = span(end * PARTS, hz);
        Window { nominal, earliest: end.saturating_sub(one_tick), latest: end }
    });
    windows.reduce(Window::union).unwrap_or(Window { nominal, earliest: nominal, latest: nominal })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(rto: u64) -> Retransmission {
        let rto = Duration::from_millis(rto);
        Retransmission { rto: rto..=rto, rto_max: Duration::from_secs(120), seen: Vec::new() }
    }

    #[test]
    fn three_unanswered_probes_and_one_more_timeout_end_it() {
        // Behind the first probe 0.4 s, 0.8 s and 1.6 s pass.
        let window = window_probe_death(&sent(200), 0, 3, Phase::Unknown, 250);
        assert_eq!(window.nominal, Duration::from_millis(2800));
        assert!(window.earliest >= window.nominal && window.latest <= window.nominal * 9 / 8, "{window:?}");
    }

    #[test]
    fn a_timeout_that_has_doubled_as_often_as_there_are_retries_doubles_no_more() {
        let window = window_probe_death(&sent(200), 9, 3, Phase::Unknown, 250);
        assert_eq!(window.nominal, Duration::from_millis(1200));
    }

    #[test]
    fn behind_the_longest_timeout_each_probe_takes_the_longest() {
        let window = window_probe_death(&sent(100_000), 0, 3, Phase::Unknown, 250);
        assert_eq!(window.nominal, Duration::from_secs(360));
    }

    #[test]
    fn a_known_phase_leaves_one_tick() {
        let window = window_probe_death(&sent(200), 0, 3, Phase::Known(Duration::from_secs(3)), 250);
        assert_eq!(window.latest - window.earliest, Duration::from_millis(4));
    }
}
