//! TCP keepalive and how sockets are closed (manual, section 4.2).

use super::super::arguments::SECONDS;
use super::super::directive::{ALL, BACKENDS, Directive, FRONTENDS};

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new("option clitcpka", FRONTENDS, "", "keepalive on the clients' connections")
        .switch(|proxy, on| proxy.client_keepalive.on = on),
    Directive::new("option srvtcpka", BACKENDS, "", "keepalive on the servers' connections")
        .switch(|proxy, on| proxy.server_keepalive.on = on),
    Directive::new("option tcpka", ALL, "", "keepalive on the connections of both").proxy(|settings, _| {
        settings.proxy.client_keepalive.on = true;
        settings.proxy.server_keepalive.on = true;
    }),
    Directive::new("clitcpka-idle", FRONTENDS, "<time>", "TCP_KEEPIDLE of the clients' connections")
        .proxy(|settings, a| settings.proxy.client_keepalive.idle = a.time(SECONDS).flatten()),
    Directive::new("clitcpka-intvl", FRONTENDS, "<time>", "TCP_KEEPINTVL of the clients' connections")
        .proxy(|settings, a| settings.proxy.client_keepalive.interval = a.time(SECONDS).flatten()),
    Directive::new("clitcpka-cnt", FRONTENDS, "<number>", "TCP_KEEPCNT of the clients' connections")
        .proxy(|settings, a| settings.proxy.client_keepalive.probes = a.number().filter(|probes| *probes != 0)),
    Directive::new("srvtcpka-idle", BACKENDS, "<time>", "TCP_KEEPIDLE of the servers' connections")
        .proxy(|settings, a| settings.proxy.server_keepalive.idle = a.time(SECONDS).flatten()),
    Directive::new("srvtcpka-intvl", BACKENDS, "<time>", "TCP_KEEPINTVL of the servers' connections")
        .proxy(|settings, a| settings.proxy.server_keepalive.interval = a.time(SECONDS).flatten()),
    Directive::new("srvtcpka-cnt", BACKENDS, "<number>", "TCP_KEEPCNT of the servers' connections")
        .proxy(|settings, a| settings.proxy.server_keepalive.probes = a.number().filter(|probes| *probes != 0)),
    Directive::new("option nolinger", ALL, "", "connections are closed with RST, and what was not sent yet is lost")
        .switch(|proxy, on| proxy.nolinger = on),
];
