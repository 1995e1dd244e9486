//! How clients come in (manual, section 4.2).

use super::super::Bind;
use super::super::directive::{ALL, Directive, FRONTENDS, OWN_FRONTENDS};

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new("bind", OWN_FRONTENDS, "[<address>]:<port>[-<port>][,…] [<setting>…]", "what a proxy listens on")
        .proxy(|settings, a| {
            let binds = Bind::read(a);
            settings.proxy.binds.extend(binds);
        }),
    Directive::new(
        "maxconn",
        FRONTENDS,
        "<number>",
        "the most connections that a proxy takes; others wait to be accepted",
    )
    .proxy(|settings, a| settings.proxy.maxconn = a.number().filter(|most| *most != 0)),
    Directive::new("backlog", FRONTENDS, "<number>", "how many connections may wait to be accepted")
        .proxy(|settings, a| settings.proxy.backlog = a.number().filter(|most| *most != 0)),
    Directive::moot("bind-process", ALL, "there is one process"),
    Directive::unsupported("rate-limit sessions", FRONTENDS, "the rate of sessions is not limited"),
    Directive::new("option tcp-smart-accept", FRONTENDS, "", "the ACK of a client's first bytes is held back")
        .switch(|proxy, on| proxy.smart_accept = on),
    Directive::moot("option contstats", FRONTENDS, "it is about statistics").negatable(),
    Directive::moot("option socket-stats", FRONTENDS, "it is about statistics").negatable(),
];
