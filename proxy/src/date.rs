//! The dates of HAProxy's log lines and session lists.

use std::fmt;
use std::time::Duration;

/// A date of HAProxy's in the machine's local time, as `23/Nov/2026:06:35:44.625` in a log line (milliseconds) and
/// `23/Nov/2026:06:35:44.625538` in `show sess` (microseconds).
///
/// Dates of the same machine compare in the order of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
    time: Duration,
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Date {
    /// Reads a date; `None` if the text is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Date> {
        let (day, rest) = text.split_once('/')?;
        let (month, rest) = rest.split_once('/')?;
        let mut rest = rest.split(':');
        let (year, hour, minute, second) = (rest.next()?, rest.next()?, rest.next()?, rest.next()?);
        if rest.next().is_some() {
            return None;
        }
        let (second, fraction) = second.split_once('.')?;
        let month = MONTHS.iter().position(|name| *name == month)? + 1;
        let day = number(day, 1, 31)?;
        let seconds = number(hour, 0, 23)? * 3600 + number(minute, 0, 59)? * 60 + number(second, 0, 60)?;
        Some(Date {
            year: u16::try_from(number(year, 1970, 9999)?).ok()?,
            month: u8::try_from(month).ok()?,
            day: u8::try_from(day).ok()?,
            time: Duration::from_secs(seconds.into()) + fraction_of_second(fraction)?,
        })
    }

    /// The time between 1970-01-01 00:00 and this date, both taken in the machine's own time zone: the difference of two
    /// such values is a span of time, unless the clocks changed between them.
    #[must_use]
    pub fn since_1970(&self) -> Duration {
        // Days by the proleptic Gregorian calendar, with years that start in March so that a leap day is their last.
        let (year, month) = (u64::from(self.year), u64::from(self.month));
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let days_before_1970_in_march_years = 719_468;
        let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + u64::from(self.day)
            - 1
            - days_before_1970_in_march_years;
        Duration::from_secs(days * 86_400) + self.time
    }

    /// Whether `self`, to the millisecond, is `other`, to the millisecond: the log and the session list write the same
    /// moment with different precision, and both cut the rest off.
    #[must_use]
    pub fn same_millisecond(&self, other: &Date) -> bool {
        self.since_1970().as_millis() == other.since_1970().as_millis()
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.time.as_secs();
        write!(
            f,
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}",
            self.year,
            self.month,
            self.day,
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60,
            self.time.subsec_micros()
        )
    }
}

/// A decimal number of digits only, within bounds.
fn number(text: &str, least: u32, most: u32) -> Option<u32> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|number| (least..=most).contains(number))
}

/// The digits behind the decimal point of a second.
fn fraction_of_second(digits: &str) -> Option<Duration> {
    let missing = 9_u32.checked_sub(u32::try_from(digits.len()).ok()?)?;
    let value = number(digits, 0, 999_999_999)?;
    Some(Duration::from_nanos(u64::from(value) * 10_u64.pow(missing)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_date_and_a_session_date_of_one_moment_are_the_same_millisecond() {
        let log = Date::parse("23/Nov/2026:06:35:44.625").unwrap();
        let session = Date::parse("23/Nov/2026:06:35:44.625538").unwrap();
        assert!(log.same_millisecond(&session));
        assert_ne!(log, session);
    }

    #[test]
    fn a_date_counts_the_days_since_1970() {
        let date = |text| Date::parse(text).unwrap().since_1970().as_secs();
        assert_eq!(date("01/Jan/1970:00:00:00.000"), 0);
        assert_eq!(date("29/Feb/2024:12:00:00.000"), 1_709_208_000);
        assert_eq!(date("23/Nov/2026:06:35:44.625"), 1_795_415_744);
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "23/Nov/2026",
            "32/Nov/2026:06:35:44.6",
            "23/nov/2026:06:35:44.6",
            "23/Nov/2026:06:35:44",
            "23/Nov/2026:24:00:00.0",
        ] {
            assert_eq!(Date::parse(text), None, "{text}");
        }
    }
}
