//! `timeout server-fin`.

use super::proxy_timer::{self, Runs, Timer};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "proxy-timeout-server-fin",
    scope: Scope::Cause,
    who: "proxy",
    fires: "the client has closed, the server does not close too, and no payload comes from it for `timeout server-fin`",
    counted_from: "the FIN that the proxy passed on to the server, or the last payload from the server after it",
    settings: "HAProxy's `timeout server-fin`; without it `timeout server` goes on from the last payload",
    wire: "FIN to the server when the client closed; at the end RST to the server and FIN to the client",
    application: "the server has read EOF long before, and gets a reset; HAProxy logs `sD`",
    source: "HAProxy configuration manual 2.6, 4.2 `timeout server-fin`; src/stconn.c sc_app_shutw_conn(); measured with 2.6.12",
    shown: "proxies/server-fin",
    near: "proxies/client-fin",
    judge: |scene| proxy_timer::judge(scene, &TIMER),
};

const TIMER: Timer = Timer {
    name: "timeout server-fin",
    value: |timeouts| timeouts.server_fin,
    watches_client: false,
    states: &["sD"],
    runs: Runs::HalfClosed,
};
