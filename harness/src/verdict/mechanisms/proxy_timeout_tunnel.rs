//! `timeout tunnel`.

use super::proxy_timer::{self, Runs, Timer};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "proxy-timeout-tunnel",
    scope: Scope::Cause,
    who: "proxy",
    fires: "no payload passes in either direction for `timeout tunnel`, once both legs stand",
    counted_from: "the last byte of payload in either direction",
    settings: "HAProxy's `timeout tunnel`, which replaces `timeout client` and `timeout server`, even when it is longer; nginx's `proxy_timeout`, 10 min by default",
    wire: "as with `timeout client`",
    application: "both sides read EOF; HAProxy logs `cD`: the log has no letter of its own for it; nginx logs `connection timed out`",
    source: "HAProxy configuration manual 2.6, 4.2 `timeout tunnel`; state measured with 2.6.12; nginx, ngx_stream_proxy_module, `proxy_timeout`, measured with 1.22.1",
    shown: "proxies/tunnel",
    near: "seed/unequal-timeouts",
    judge: |scene| proxy_timer::judge(scene, &TIMER),
};

const TIMER: Timer = Timer {
    name: "timeout tunnel",
    value: |timeouts| timeouts.tunnel,
    watches_client: true,
    states: &["cD", "sD"],
    runs: Runs::Tunnelled,
};
