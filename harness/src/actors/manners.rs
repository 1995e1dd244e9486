//! How a scenario describes the manners of the harness's own programs: their socket options, what they do at EOF.

use std::time::Duration;

use super::{KeepaliveSetting, Manners, Sends};
use crate::keys;
use crate::scenario::{Bytes, Choice, Fields, Keepalive, Pace};

keys! {
    /// The socket options of a service of the harness's own.
    pub struct SocketKeys {
        KEEPALIVE: optional Keepalive = "keepalive", "system", "`off`", "as a client has it";
        USER_TIMEOUT: optional Duration = "user timeout", "60s", "none", "TCP_USER_TIMEOUT, as a client has it";
    }
}

keys! {
    /// How an application of the harness's own treats its connections.
    pub struct ApplicationKeys {
        ON_EOF: optional OnEof = "on eof", "ignore", "`close`",
            "`close` when the peer has sent FIN, or `ignore` it and keep the connection";
        LINGER: optional Duration = "linger", "0s", "off", "SO_LINGER, whole seconds; `0s` makes every close an abort (RST)";
        READS: optional Pace = "reads", "10kB/s", "at once", "reads no faster than this; `0B/s` reads nothing";
        SENDS: optional SendsKeys = "sends", "{ bytes: 100, every: 10s }", "nothing", "writes so many bytes again and again";
    }
}

keys! {
    /// Payload that is sent again and again.
    pub struct SendsKeys {
        BYTES: required Bytes = "bytes", "100", "how much each time";
        EVERY: required Duration = "every", "10s", "time between two";
    }
}

/// What an application does when its peer has sent FIN.
#[derive(Clone, Copy, Debug)]
pub enum OnEof {
    /// It closes too.
    Close,
    /// It keeps the connection.
    Ignore,
}

impl Choice for OnEof {
    const WHAT: &'static str = "an answer to EOF";
    const CHOICES: &'static [(&'static str, Self, &'static str)] =
        &[("close", Self::Close, "it closes too"), ("ignore", Self::Ignore, "it keeps the connection")];
}

/// How an application treats its connections, socket options included: the keys of a service of the harness's own.
pub fn manners(fields: &mut Fields<'_>) -> Option<Manners> {
    let Manners { keepalive, user_timeout_ms, .. } = sockets(fields);
    Some(Manners { keepalive, user_timeout_ms, ..application(fields)? })
}

/// The socket options of a service of the harness's own: `keepalive`, `user timeout`.
pub fn sockets(fields: &mut Fields<'_>) -> Manners {
    let keepalive = fields.optional(SocketKeys::KEEPALIVE).map(|k| keepalive(&k)).unwrap_or_default();
    let user_timeout_ms = fields.optional(SocketKeys::USER_TIMEOUT).map(milliseconds);
    Manners { keepalive, user_timeout_ms, ..Manners::default() }
}

/// The keys that are not common to all clients already.
pub fn application(fields: &mut Fields<'_>) -> Option<Manners> {
    let ignores_eof = match fields.optional_value(ApplicationKeys::ON_EOF) {
        None => false,
        Some(value) => matches!(value.decode()?, OnEof::Ignore),
    };
    let linger_s = fields.optional(ApplicationKeys::LINGER).map(|d| u32::try_from(d.as_secs()).unwrap_or(u32::MAX));
    let reads_per_s = fields.optional(ApplicationKeys::READS).map(|pace| pace.0);
    let sends = match fields.optional_value(ApplicationKeys::SENDS) {
        None => None,
        Some(value) => {
            let mut fields = value.fields(SendsKeys::TABLE)?;
            let bytes = fields.required(SendsKeys::BYTES);
            let every = fields.required(SendsKeys::EVERY);
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
