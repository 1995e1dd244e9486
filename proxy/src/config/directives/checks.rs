//! Health checks (manual, sections 3.1 and 4.2). A check is a connection: it is good when it is established.

use super::super::arguments::MILLISECONDS;
use super::super::directive::{ALL, BACKENDS, Directive, GLOBAL};

const CONNECTION: &str = "a check is a connection, and good when it is established";
const NO_MAIL: &str = "no mail is sent";

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new("spread-checks", GLOBAL, "<0..50>", "by how many percent intervals differ by chance").global(
        |global, a| {
            if let Some(percent) = a.number_in(0..=50) {
                global.spread_checks = percent;
            }
        },
    ),
    Directive::new("max-spread-checks", GLOBAL, "<time>", "within what time the first checks of all servers begin")
        .global(|global, a| global.max_spread_checks = a.time(MILLISECONDS).flatten()),
    Directive::new("option tcp-check", BACKENDS, "", CONNECTION).proxy(|_, _| {}),
    Directive::unsupported("option httpchk", BACKENDS, CONNECTION).negatable(),
    Directive::unsupported("option ldap-check", BACKENDS, CONNECTION),
    Directive::unsupported("option external-check", BACKENDS, CONNECTION),
    Directive::unsupported("option mysql-check", BACKENDS, CONNECTION),
    Directive::unsupported("option pgsql-check", BACKENDS, CONNECTION),
    Directive::unsupported("option redis-check", BACKENDS, CONNECTION),
    Directive::unsupported("option smtpchk", BACKENDS, CONNECTION),
    Directive::unsupported("option spop-check", BACKENDS, CONNECTION),
    Directive::unsupported("option ssl-hello-chk", BACKENDS, CONNECTION),
    Directive::unsupported("tcp-check comment", BACKENDS, CONNECTION),
    Directive::unsupported("tcp-check connect", BACKENDS, CONNECTION),
    Directive::unsupported("tcp-check expect", BACKENDS, CONNECTION),
    Directive::unsupported("tcp-check send", BACKENDS, CONNECTION),
    Directive::unsupported("tcp-check send-lf", BACKENDS, CONNECTION),
    Directive::unsupported("tcp-check send-binary", BACKENDS, CONNECTION),
    Directive::unsupported("tcp-check send-binary-lf", BACKENDS, CONNECTION),
    Directive::unsupported("tcp-check set-var", BACKENDS, CONNECTION),
    Directive::unsupported("tcp-check unset-var", BACKENDS, CONNECTION),
    Directive::moot("http-check comment", BACKENDS, CONNECTION),
    Directive::moot("http-check connect", BACKENDS, CONNECTION),
    Directive::moot("http-check disable-on-404", BACKENDS, CONNECTION),
    Directive::moot("http-check expect", BACKENDS, CONNECTION),
    Directive::moot("http-check send", BACKENDS, CONNECTION),
    Directive::moot("http-check send-state", BACKENDS, CONNECTION),
    Directive::moot("http-check set-var", BACKENDS, CONNECTION),
    Directive::moot("http-check unset-var", BACKENDS, CONNECTION),
    Directive::unsupported("external-check command", BACKENDS, CONNECTION),
    Directive::unsupported("external-check path", BACKENDS, CONNECTION),
    Directive::unsupported("email-alert from", ALL, NO_MAIL),
    Directive::unsupported("email-alert level", ALL, NO_MAIL),
    Directive::unsupported("email-alert mailers", ALL, NO_MAIL),
    Directive::unsupported("email-alert myhostname", ALL, NO_MAIL),
    Directive::unsupported("email-alert to", ALL, NO_MAIL),
];
