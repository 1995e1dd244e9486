//! What HAProxy has for TLS (manual, sections 3.1 and 3.2). `ssl` on a `bind` or `server` line is refused, so that nothing
//! is left that these could hold for.

use super::super::directive::{Directive, GLOBAL};

const fn tls(keyword: &'static str) -> Directive {
    Directive::moot(keyword, GLOBAL, "there is no TLS here")
}

pub(super) const DIRECTIVES: &[Directive] = &[
    tls("ca-base"),
    tls("crt-base"),
    tls("issuers-chain-path"),
    tls("maxsslconn"),
    tls("maxsslrate"),
    tls("ssl-default-bind-ciphers"),
    tls("ssl-default-bind-ciphersuites"),
    tls("ssl-default-bind-curves"),
    tls("ssl-default-bind-options"),
    tls("ssl-default-server-ciphers"),
    tls("ssl-default-server-ciphersuites"),
    tls("ssl-default-server-options"),
    tls("ssl-dh-param-file"),
    tls("ssl-engine"),
    tls("ssl-load-extra-del-ext"),
    tls("ssl-load-extra-files"),
    tls("ssl-mode-async"),
    tls("ssl-propquery"),
    tls("ssl-provider"),
    tls("ssl-provider-path"),
    tls("ssl-server-verify"),
    tls("ssl-skip-self-issued-ca"),
    tls("tune.ssl.cachesize"),
    tls("tune.ssl.capture-buffer-size"),
    tls("tune.ssl.capture-cipherlist-size"),
    tls("tune.ssl.default-dh-param"),
    tls("tune.ssl.force-private-cache"),
    tls("tune.ssl.hard-maxrecord"),
    tls("tune.ssl.keylog"),
    tls("tune.ssl.lifetime"),
    tls("tune.ssl.maxrecord"),
    tls("tune.ssl.ssl-ctx-cache-size"),
];
