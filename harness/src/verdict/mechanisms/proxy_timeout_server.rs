//! `timeout server`.

use super::proxy_timer::{self, Runs, Timer};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "proxy-timeout-server",
    scope: Scope::Cause,
    who: "proxy",
    fires: "no payload passes on the server's leg for `timeout server`",
    counted_from: "the last byte of payload read from the server or written to it; the connect, if there never was any",
    settings: "HAProxy's `timeout server` (replaced by `timeout tunnel` when that is set)",
    wire: "FIN to the client; when the client has answered it, or `timeout client` has passed too, FIN and then RST to the server",
    application: "client reads EOF, server EOF or a reset; HAProxy logs `sD`",
    source: "HAProxy configuration manual 2.6, 4.2 `timeout server` and 8.5; order measured with 2.6.12",
    shown: "seed/unequal-timeouts",
    near: "proxies/tunnel",
    judge: |scene| proxy_timer::judge(scene, &TIMER),
};

const TIMER: Timer = Timer {
    name: "timeout server",
    value: |timeouts| timeouts.server,
    watches_client: false,
    states: &["sD"],
    runs: Runs::Ordinarily,
};
