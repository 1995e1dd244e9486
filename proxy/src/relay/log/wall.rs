//! Dates in log lines, in the machine's own time zone.

use std::sync::LazyLock;
use std::time::SystemTime;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// The time zone as it is when the process starts: its file may be out of reach later (`chroot`).
static ZONE: LazyLock<TimeZone> = LazyLock::new(TimeZone::system);

/// Learns the time zone.
pub fn learn_zone() {
    LazyLock::force(&ZONE);
}

fn local(at: SystemTime) -> Zoned {
    Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(ZONE.clone())
}

/// `23/Nov/2026:06:35:44.625`: when a session was accepted (manual, 8.2.2, field `accept_date`).
#[must_use]
pub fn accept_date(at: SystemTime) -> String {
    local(at).strftime("%d/%b/%Y:%H:%M:%S.%3f").to_string()
}

/// `23/Nov/2026:06:35:44 +0000`: the same in the time of Greenwich (manual, 8.2.6, `%T`).
#[must_use]
pub fn gmt_date(at: SystemTime) -> String {
    let at = Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC);
    at.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
}

/// `23/Nov/2026:07:35:44 +0100`: the same with the time zone (manual, 8.2.6, `%Tl`).
#[must_use]
pub fn local_date(at: SystemTime) -> String {
    local(at).strftime("%d/%b/%Y:%H:%M:%S %z").to_string()
}

/// [`accept_date`] with microseconds, as the list of sessions has it.
#[must_use]
pub fn session_date(at: SystemTime) -> String {
    local(at).strftime("%d/%b/%Y:%H:%M:%S.%6f").to_string()
}

/// `Nov 23 06:35:44`: a local syslog's (RFC 3164, 4.1.2).
#[must_use]
pub fn syslog_date(at: SystemTime) -> String {
    local(at).strftime("%b %e %H:%M:%S").to_string()
}

/// `2026-11-23T06:35:44.625538+00:00` (RFC 5424, 6.2.3).
#[must_use]
pub fn iso_date(at: SystemTime) -> String {
    local(at).strftime("%Y-%m-%dT%H:%M:%S.%6f%:z").to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Date;

    #[test]
    fn a_date_that_is_written_reads_back_to_the_millisecond() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_micros(1_795_415_744_625_538);
        let (log, session) = (Date::parse(&accept_date(at)).unwrap(), Date::parse(&session_date(at)).unwrap());
        assert!(log.same_millisecond(&session));
        assert_eq!(session.since_1970().subsec_micros(), 625_538);
    }
}
