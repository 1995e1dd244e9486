//! CONFIG_HZ of the running kernel: the grain of its timers.

use nix::time::{ClockId, clock_getres};

/// What most distributions build with, and what is assumed when the kernel does not tell.
const USUAL: u32 = 250;

/// Ticks per second of this kernel.
///
/// The resolution of CLOCK_MONOTONIC_COARSE is one tick (clock_getres(2)).
#[must_use]
pub fn ticks_per_second() -> u32 {
    let tick_ns = clock_getres(ClockId::CLOCK_MONOTONIC_COARSE).map_or(0, |t| t.tv_nsec());
    u32::try_from(tick_ns).ok().and_then(|ns| 1_000_000_000_u32.checked_div(ns)).unwrap_or(USUAL)
}
