//! The servers (manual, section 4.2).

use super::super::Source;
use super::super::directive::{BACKENDS, Directive, OWN_BACKENDS};

const NO_STATE: &str = "the state of servers is not kept over a restart";

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new("server", OWN_BACKENDS, "<name> <address>[:<port>] [<setting>…]", "where sessions go")
        .strict()
        .proxy(|settings, a| {
            let server = settings.default_server.server(a);
            settings.proxy.servers.extend(server);
        }),
    Directive::new("default-server", BACKENDS, "<setting>…", "the settings that the following servers start from")
        .strict()
        .proxy(|settings, a| settings.default_server.read(a)),
    Directive::new(
        "source",
        BACKENDS,
        "<address>[:<port>[-<port>]] [interface <name>]",
        "what connections to servers come from",
    )
    .proxy(|settings, a| settings.proxy.source = Source::read(a)),
    Directive::new(
        "fullconn",
        BACKENDS,
        "<number>",
        "the load at which servers with `minconn` take `maxconn` sessions",
    )
    .proxy(|settings, a| settings.proxy.fullconn = a.number().filter(|load| *load != 0)),
    Directive::unsupported("server-template", OWN_BACKENDS, "each server has a line"),
    Directive::unsupported("load-server-state-from-file", BACKENDS, NO_STATE),
    Directive::unsupported("server-state-file-name", BACKENDS, NO_STATE),
    Directive::moot(
        "option tcp-smart-connect",
        BACKENDS,
        "HAProxy 2.6 has nothing to send when it connects in TCP mode, and holds no ACK back",
    )
    .negatable(),
];
