//! Where the kernel's timer wheel stands.
//!
//! Timers fire on the wheel's grains (kernel/time/timer.c), and the coarsest grain that a TCP timer meets is a divisor of 2^21
//! ticks. A case that starts when the count of ticks is a multiple of 2^21 meets the wheel in the same phase in every run.

use std::fs;
use std::time::Duration;

use crate::clock;

/// Ticks after which the phase of every level of the wheel is as it was.
const ROUND: u64 = 1 << 21;

/// Some ticks of every kernel.
const IDLE: Duration = Duration::from_millis(100);

/// Sleeps until the count of ticks is a multiple of 2^21; gives that moment on CLOCK_MONOTONIC, nanoseconds.
///
/// # Errors
/// When the kernel does not tell its ticks.
pub fn wait_for_start(ticks_per_second: u32) -> std::io::Result<i64> {
    let tick_ns = 1_000_000_000 / u64::from(ticks_per_second);
    // The kernel notes a tick when it goes idle; since its start it may not have.
    std::thread::sleep(IDLE);
    let text = fs::read_to_string("/proc/timer_list")?;
    let (ticks, at_ns) = last_tick(&text)
        .ok_or_else(|| std::io::Error::other("/proc/timer_list does not tell when which tick was counted"))?;
    let start_ns = at_ns + (ROUND - ticks % ROUND) % ROUND * tick_ns;
    let now_ns = u64::try_from(clock::monotonic_ns()).unwrap_or_default();
    std::thread::sleep(Duration::from_nanos(start_ns.saturating_sub(now_ns)));
    Ok(i64::try_from(start_ns).unwrap_or(i64::MAX))
}

/// The count of ticks when the processor last went idle, and when that tick was, nanoseconds (kernel/time/timer_list.c).
fn last_tick(timer_list: &str) -> Option<(u64, u64)> {
    let value = |name: &str| {
        let line = timer_list.lines().find_map(|line| line.trim_start().strip_prefix(name))?;
        line.trim_start_matches([' ', ':']).split(' ').next()?.parse::<u64>().ok()
    };
    let (ticks, at_ns) = (value(".idle_jiffies")?, value(".last_tick")?);
    (ticks > 0 && at_ns > 0).then_some((ticks, at_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tick_of_a_processor_is_read_with_its_time() {
        let text = "cpu: 0\n  .last_tick      : 12000000 nsecs\n  .tick_stopped   : 0\n  .idle_jiffies   : 4294892299\n";
        assert_eq!(last_tick(text), Some((4_294_892_299, 12_000_000)));
    }

    #[test]
    fn a_processor_that_never_was_idle_tells_nothing() {
        assert_eq!(last_tick("  .last_tick      : 0 nsecs\n  .idle_jiffies   : 0\n"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_timer_list_makes_it_panic(text in ".*") {
            let _ = last_tick(&text);
        }
    }
}
