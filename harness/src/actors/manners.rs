//! How a scenario describes the manners of the harness's own programs: their socket options, what they do at EOF.

use std::time::Duration;

use super::{KeepaliveSetting, Manners, Sends};
use crate::scenario::{Bytes, Fields, Keepalive, Pace};

/// How an application treats its connections, socket options included: the keys of a service of the harness's own.
pub fn manners(fields: &mut Fields<'_>) -> Option<Manners> {
    let Manners { keepalive, user_timeout_ms, .. } = sockets(fields);
    Some(Manners { keepalive, user_timeout_ms, ..application(fields)? })
}

/// The socket options of a service of the harness's own: `keepalive`, `user timeout`.
pub fn sockets(fields: &mut Fields<'_>) -> Manners {
    let keepalive = fields.optional::<Keepalive>("keepalive").map(|k| keepalive(&k)).unwrap_or_default();
    let user_timeout_ms = fields.optional::<Duration>("user timeout").map(milliseconds);
    Manners { keepalive, user_timeout_ms, ..Manners::default() }
}

/// The keys that are not common to all clients already.
pub fn application(fields: &mut Fields<'_>) -> Option<Manners> {
    let ignores_eof = match fields.optional_value("on eof") {
        None => false,
        Some(value) => value.choose("an answer to EOF", &[("close", false), ("ignore", true)])?,
    };
    let linger_s = fields.optional::<Duration>("linger").map(|d| u32::try_from(d.as_secs()).unwrap_or(u32::MAX));
    let reads_per_s = fields.optional::<Pace>("reads").map(|pace| pace.0);
    let sends = match fields.optional_value("sends") {
        None => None,
        Some(value) => {
            let mut fields = value.fields()?;
            let bytes = fields.required::<Bytes>("bytes");
            let every = fields.required::<Duration>("every");
            fields.finish();
            Some(Sends { bytes: bytes?.0, every: every? })
        }
    };
    Some(Manners { linger_s, ignores_eof, sends, reads_per_s, ..Manners::default() })
}

/// SO_KEEPALIVE as the scenario wants it.
#[must_use]
pub fn keepalive(wanted: &Keepalive) -> KeepaliveSetting {
    let seconds = |d: Duration| u32::try_from(d.as_secs()).unwrap_or(u32::MAX);
    match wanted {
        Keepalive::Off => KeepaliveSetting::Off,
        Keepalive::System => KeepaliveSetting::System,
        Keepalive::Custom { idle, interval, probes } => {
            KeepaliveSetting::Custom { idle_s: seconds(*idle), interval_s: seconds(*interval), probes: *probes }
        }
    }
}

/// Whole milliseconds, as TCP_USER_TIMEOUT takes them.
#[must_use]
pub fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
