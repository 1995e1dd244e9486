//! `timeout client`.

use super::proxy_timer::{self, Runs, Timer};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "proxy-timeout-client",
    scope: Scope::Cause,
    who: "proxy",
    fires: "no payload passes on the client's leg for `timeout client`; keepalive probes carry none and do not count",
    counted_from: "the last byte of payload read from the client or written to it; the accept, if there never was any",
    settings: "HAProxy's `timeout client` (replaced by `timeout tunnel` when that is set)",
    wire: "FIN to the server; when the server has answered it, or `timeout server` has passed too, FIN to the client",
    application: "server and client read EOF; HAProxy logs `cD`, and `cQ` while the session waits in a queue",
    source: "HAProxy configuration manual 2.6, 4.2 `timeout client` and 8.5; order measured with 2.6.12",
    shown: "seed/idle",
    near: "proxies/tunnel",
    judge: |scene| proxy_timer::judge(scene, &TIMER),
};

const TIMER: Timer = Timer {
    name: "timeout client",
    value: |timeouts| timeouts.client,
    watches_client: true,
    states: &["cD", "cQ", "cC"],
    runs: Runs::Ordinarily,
};
