//! `timeout client-fin`.

use super::proxy_timer::{self, Runs, Timer};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "proxy-timeout-client-fin",
    scope: Scope::Cause,
    who: "proxy",
    fires: "the server has closed, the client does not close too, and no payload comes from it for `timeout client-fin`",
    counted_from: "the FIN that the proxy passed on to the client, or the last payload from the client after it",
    settings: "HAProxy's `timeout client-fin`; without it `timeout client` goes on from the last payload",
    wire: "FIN to the client when the server closed; at the end FIN to the server, and nothing more to the client",
    application: "the client has read EOF long before; HAProxy logs `cD`",
    source: "HAProxy configuration manual 2.6, 4.2 `timeout client-fin`; src/stconn.c sc_app_shutw_conn(); measured with 2.6.12",
    shown: "proxies/client-fin",
    near: "proxies/half-close",
    judge: |scene| proxy_timer::judge(scene, &TIMER),
};

const TIMER: Timer = Timer {
    name: "timeout client-fin",
    value: |timeouts| timeouts.client_fin,
    watches_client: true,
    states: &["cD"],
    runs: Runs::HalfClosed,
};
