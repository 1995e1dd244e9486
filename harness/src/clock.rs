//! The machine's clocks.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// CLOCK_MONOTONIC in nanoseconds: the one clock that trace, capture and actors share.
#[must_use]
pub fn monotonic_ns() -> i64 {
    // clock_gettime(2) fails only for a clock that does not exist.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |t| t.tv_sec() * 1_000_000_000 + t.tv_nsec())
}

/// A duration as people write it: `200 s`, `2 m 30 s`, `45 ms`.
#[must_use]
pub fn readable(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 {
        format!("{} ms", duration.as_millis())
    } else if seconds < 600.0 {
        format!("{} s", (seconds * 10.0).round() / 10.0)
    } else {
        format!("{} m {} s", duration.as_secs() / 60, duration.as_secs() % 60)
    }
}

/// What must be added to CLOCK_MONOTONIC to get CLOCK_REALTIME, nanoseconds.
#[must_use]
pub fn realtime_offset_ns() -> i64 {
    let realtime = clock_gettime(ClockId::CLOCK_REALTIME).map_or(0, |t| t.tv_sec() * 1_000_000_000 + t.tv_nsec());
    realtime - monotonic_ns()
}
