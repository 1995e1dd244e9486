//! Which server takes a session, and what is tried when it cannot be reached (manual, section 4.2).

use super::super::arguments::Form;
use super::super::directive::{BACKENDS, Directive, OWN_BACKENDS};
use super::super::{Balance, HashType};

const NO_TABLES: &str = "there are no tables of clients";

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new(
        "balance",
        BACKENDS,
        "roundrobin | static-rr | leastconn | first | source | random[(<draws>)]",
        "how the server of a session is chosen",
    )
    .proxy(|settings, a| {
        if let Some(balance) = Balance::read(a) {
            settings.proxy.balance = balance;
        }
    }),
    Directive::new(
        "hash-type",
        BACKENDS,
        "map-based | consistent [sdbm | djb2 | wt6 | crc32 [avalanche]]",
        "how the hash of `balance source` is made and used",
    )
    .proxy(|settings, a| {
        if let Some(hash_type) = HashType::read(a) {
            settings.proxy.hash_type = hash_type;
        }
    }),
    Directive::new("retries", BACKENDS, "<number>", "how often a connection to a server is tried again")
        .proxy(|settings, a| settings.proxy.retries = a.number().unwrap_or(settings.proxy.retries)),
    Directive::new(
        "option redispatch",
        BACKENDS,
        "[<interval>]",
        "the last retry, or those that the interval says, may go to another server",
    )
    .negatable()
    .proxy(|settings, a| {
        settings.proxy.redispatch = a.form == Form::Plain;
        settings.proxy.redispatch_interval = -1;
        if a.form == Form::Plain && a.peek().is_some() {
            settings.proxy.redispatch_interval = a.number().unwrap_or(-1);
        }
    }),
    Directive::new(
        "option allbackups",
        BACKENDS,
        "",
        "all backup servers that are up are used, and not only the first",
    )
    .switch(|proxy, on| proxy.all_backups = on),
    Directive::unsupported("hash-balance-factor", BACKENDS, "a server's load does not change the hash"),
    Directive::unsupported("retry-on", BACKENDS, "only connections are tried again"),
    Directive::unsupported("dispatch", OWN_BACKENDS, "sessions go to `server` lines"),
    Directive::unsupported("use-server", OWN_BACKENDS, "a session's content is not read"),
    Directive::unsupported("transparent", BACKENDS, "sessions go to `server` lines"),
    Directive::unsupported("option transparent", BACKENDS, "sessions go to `server` lines").negatable(),
    Directive::unsupported("option persist", BACKENDS, "clients are not held to a server").negatable(),
    Directive::unsupported(
        "option abortonclose",
        BACKENDS,
        "a session lives on when its client has shut its direction",
    )
    .negatable(),
    Directive::unsupported("option independent-streams", BACKENDS, "each direction re-arms the timer of both")
        .negatable(),
    Directive::unsupported("persist rdp-cookie", BACKENDS, "clients are not held to a server"),
    Directive::unsupported("force-persist", OWN_BACKENDS, "clients are not held to a server"),
    Directive::unsupported("ignore-persist", OWN_BACKENDS, "clients are not held to a server"),
    Directive::unsupported("stick match", OWN_BACKENDS, NO_TABLES),
    Directive::unsupported("stick on", OWN_BACKENDS, NO_TABLES),
    Directive::unsupported("stick store-request", OWN_BACKENDS, NO_TABLES),
    Directive::unsupported("stick store-response", OWN_BACKENDS, NO_TABLES),
    Directive::unsupported("stick-table", OWN_BACKENDS, NO_TABLES),
];
