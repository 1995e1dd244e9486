//! Rules on clients and the content of sessions (manual, sections 4.2 and 7).

use super::super::arguments::Arguments;
use super::super::condition::read_acl;
use super::super::directive::{ALL, BACKENDS, Directive, FRONTENDS, OWN_FRONTENDS};
use super::super::rules::read_rule;
use super::super::settings::Settings;
use super::super::{Action, NoteKind, SectionKind};

const NO_CONTENT: &str = "a session's content is not read";
const TAKES: &str = "accept | reject [if | unless <condition>]";

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new(
        "acl",
        ALL,
        "<name> src | src_port | dst | dst_port <value>…",
        "a list of tests that conditions name",
    )
    .proxy(|settings, a| {
        if !refused_in_defaults(settings, a) {
            read_acl(&mut settings.proxy, a);
        }
    }),
    Directive::new(
        "tcp-request connection",
        FRONTENDS,
        "accept | reject | expect-proxy layer4 [if | unless <condition>]",
        "who is taken, judged as soon as it has connected; who is not gets RST",
    )
    .proxy(|settings, a| {
        let actions = [("accept", Action::Accept), ("reject", Action::Reject), ("expect-proxy", Action::ExpectProxy)];
        if !refused_in_defaults(settings, a) {
            let rule = read_rule(&mut settings.proxy, a, &actions);
            settings.proxy.connection_rules.extend(rule);
        }
    }),
    Directive::unsupported("tcp-request content", ALL, NO_CONTENT),
    Directive::unsupported("tcp-request inspect-delay", ALL, NO_CONTENT),
    Directive::new(
        "tcp-request session",
        FRONTENDS,
        TAKES,
        "who is taken, judged when it has said whom it speaks for; who is not gets FIN",
    )
    .proxy(|settings, a| {
        if !refused_in_defaults(settings, a) {
            let actions = [("accept", Action::Accept), ("reject", Action::Reject)];
            let rule = read_rule(&mut settings.proxy, a, &actions);
            settings.proxy.session_rules.extend(rule);
        }
    }),
    Directive::unsupported("tcp-response content", BACKENDS, NO_CONTENT),
    Directive::unsupported("tcp-response inspect-delay", BACKENDS, NO_CONTENT),
    Directive::unsupported("declare capture", OWN_FRONTENDS, NO_CONTENT),
    Directive::unsupported("filter", ALL, NO_CONTENT),
    Directive::unsupported("unique-id-format", FRONTENDS, "sessions have no names"),
    Directive::http("unique-id-header", FRONTENDS),
];

/// HAProxy has rules in `defaults` that have a name, and for some proxies only.
fn refused_in_defaults(settings: &Settings, arguments: &mut Arguments<'_>) -> bool {
    let refused = settings.proxy.kind == SectionKind::Defaults;
    if refused {
        arguments.rest();
        let message = format!("`{}` in `defaults` is not implemented: write it in each proxy", arguments.name());
        arguments.note_keyword(NoteKind::Unsupported, message);
    }
    refused
}
