//! Rules on the content of sessions (manual, sections 4.2 and 7).

use super::super::directive::{ALL, BACKENDS, Directive, FRONTENDS, OWN_FRONTENDS};

const NO_CONTENT: &str = "a session's content is not read";

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::unsupported("acl", ALL, NO_CONTENT),
    Directive::unsupported("tcp-request connection", FRONTENDS, "every client is taken"),
    Directive::unsupported("tcp-request content", ALL, NO_CONTENT),
    Directive::unsupported("tcp-request inspect-delay", ALL, NO_CONTENT),
    Directive::unsupported("tcp-request session", FRONTENDS, "every client is taken"),
    Directive::unsupported("tcp-response content", BACKENDS, NO_CONTENT),
    Directive::unsupported("tcp-response inspect-delay", BACKENDS, NO_CONTENT),
    Directive::unsupported("declare capture", OWN_FRONTENDS, NO_CONTENT),
    Directive::unsupported("filter", ALL, NO_CONTENT),
    Directive::unsupported("unique-id-format", FRONTENDS, "sessions have no names"),
    Directive::http("unique-id-header", FRONTENDS),
];
