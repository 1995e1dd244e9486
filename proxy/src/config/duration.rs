//! Times in a configuration (manual, section 2.5).

use std::time::Duration;

/// The longest time that HAProxy takes, in what a timer counts in: these are signed 32-bit numbers.
const LONGEST: u64 = i32::MAX as u64;

/// Why a text is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It does not start with a number.
    #[error("a time is a whole number and a unit (us, ms, s, m, h, d)")]
    NotANumber,
    /// The unit is none of HAProxy's.
    #[error("the units of time are us, ms, s, m, h and d")]
    UnknownUnit,
    /// It is longer than HAProxy's timers can be.
    #[error("this is longer than a timer can be: timeouts up to 2147483647ms (24 days)")]
    TooLong,
}

/// Reads a time such as `5000`, `200s` or `15m`. A bare number is counted in `unit`: milliseconds for nearly everything,
/// seconds for `clitcpka-idle` and its like. What is no whole number of these is rounded up.
///
/// # Errors
/// If the text is not a time.
pub fn parse_duration(text: &str, unit: Duration) -> Result<Duration, DurationError> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, suffix) = text.split_at(digits);
    if number.is_empty() {
        return Err(DurationError::NotANumber);
    }
    let number: u64 = number.parse().map_err(|_| DurationError::TooLong)?;
    let written = match suffix {
        "" => unit,
        "us" => Duration::from_micros(1),
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        "h" => Duration::from_secs(3_600),
        "d" => Duration::from_secs(86_400),
        _ => return Err(DurationError::UnknownUnit),
    };
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
    let count = number.checked_mul(micros(written)).ok_or(DurationError::TooLong)?.div_ceil(micros(unit));
    u32::try_from(count).ok().filter(|_| count <= LONGEST).map(|count| unit * count).ok_or(DurationError::TooLong)
}
