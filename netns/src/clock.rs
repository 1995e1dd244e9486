//! From the clock that stamps packets to the clock that everything else is measured by.

use nix::time::{ClockId, clock_gettime};

use crate::Error;

/// How often the two clocks are compared; the tightest comparison counts.
const SAMPLES: usize = 16;

/// How far CLOCK_REALTIME is ahead of CLOCK_MONOTONIC, in nanoseconds (clock_gettime(2)). Both are slewed alike, so
/// that this changes only when someone sets the time.
pub(crate) fn realtime_ahead_ns() -> Result<i64, Error> {
    let mut tightest = (i64::MAX, 0);
    for _ in 0..SAMPLES {
        let before = now_ns(ClockId::CLOCK_MONOTONIC)?;
        let realtime = now_ns(ClockId::CLOCK_REALTIME)?;
        let after = now_ns(ClockId::CLOCK_MONOTONIC)?;
        let took = after - before;
        tightest = tightest.min((took, realtime - (before + took / 2)));
    }
    Ok(tightest.1)
}

fn now_ns(clock: ClockId) -> Result<i64, Error> {
    let time = clock_gettime(clock).map_err(|errno| Error::system("reading a clock", errno))?;
    Ok(time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}
