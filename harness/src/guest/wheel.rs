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
    let (ticks, at_ns) = last_tick(&text, tick_ns)
        .ok_or_else(|| std::io::Error::other("/proc/timer_list does not tell when which tick was counted"))?;
    let start_ns = at_ns + (ROUND - ticks % ROUND) % ROUND * tick_ns;
    let now_ns = u64::try_from(clock::monotonic_ns()).unwrap_or_default();
    std::thread::sleep(Duration::from_nanos(start_ns.saturating_sub(now_ns)));
    Ok(i64::try_from(start_ns).unwrap_or(i64::MAX))
}

/// The count of ticks at the last tick, and when that was, nanoseconds (kernel/time/timer_list.c): the processor's own last
/// tick says on which grid ticks lie.
fn last_tick(timer_list: &str, tick_ns: u64) -> Option<(u64, u64)> {
    let value = |name: &str| {
        let line = timer_list.lines().find_map(|line| line.trim_start().strip_prefix(name))?;
        line.trim_start_matches([' ', ':']).split(' ').next()?.parse::<u64>().ok()
    };
    let (ticks, now_ns, grid_ns) = (value("jiffies")?, value("now at")?, value(".last_tick")?);
    let since_ns = now_ns.checked_sub(grid_ns)? % tick_ns.max(1);
    (ticks > 0 && grid_ns > 0).then_some((ticks, now_ns - since_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK_NS: u64 = 4_000_000;

    #[test]
    fn the_last_tick_before_now_is_read_with_its_time() {
        let text = "now at 101054912 nsecs\n\ncpu: 0\n  .last_tick      : 12000000 nsecs\njiffies: 4294892321\n";
        assert_eq!(last_tick(text, TICK_NS), Some((4_294_892_321, 100_000_000)));
    }

    #[test]
    fn a_processor_that_never_was_idle_tells_nothing() {
        assert_eq!(last_tick("now at 3 nsecs\n  .last_tick      : 0 nsecs\njiffies: 7\n", TICK_NS), None);
    }

    proptest::proptest! {
        #[test]
        fn no_timer_list_makes_it_panic(text in ".*") {
            let _ = last_tick(&text, TICK_NS);
        }
    }
}
