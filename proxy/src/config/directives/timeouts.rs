//! The inactivity timers (manual, section 4.2 `timeout …`).

use std::time::Duration;

use super::super::arguments::{Arguments, MILLISECONDS};
use super::super::directive::{ALL, BACKENDS, Directive, FRONTENDS};
use super::super::settings::Settings;
use super::super::{NoteKind, Timeouts};

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new("timeout client", FRONTENDS, "<time>", "for the client to send or take payload")
        .proxy(|settings, a| set(settings, a, |timeouts| &mut timeouts.client)),
    Directive::new(
        "timeout client-fin",
        FRONTENDS,
        "<time>",
        "instead of `timeout client`, once one direction is shut",
    )
    .proxy(|settings, a| set(settings, a, |timeouts| &mut timeouts.client_fin)),
    Directive::new("timeout connect", BACKENDS, "<time>", "for a connection to a server to be established")
        .proxy(|settings, a| set(settings, a, |timeouts| &mut timeouts.connect)),
    Directive::new("timeout server", BACKENDS, "<time>", "for the server to send or take payload")
        .proxy(|settings, a| set(settings, a, |timeouts| &mut timeouts.server)),
    Directive::new("timeout server-fin", BACKENDS, "<time>", "instead of `timeout server`, once one direction is shut")
        .proxy(|settings, a| set(settings, a, |timeouts| &mut timeouts.server_fin)),
    Directive::new("timeout tunnel", BACKENDS, "<time>", "instead of `timeout client` and `timeout server`")
        .proxy(|settings, a| set(settings, a, |timeouts| &mut timeouts.tunnel)),
    Directive::new("timeout queue", BACKENDS, "<time>", "for a place at a server; `timeout connect` unless set")
        .proxy(|settings, a| set(settings, a, |timeouts| &mut timeouts.queue)),
    Directive::new("timeout check", BACKENDS, "<time>", "for a health check's answer, once connected")
        .proxy(|settings, a| set(settings, a, |timeouts| &mut timeouts.check)),
    Directive::http("timeout http-keep-alive", ALL),
    Directive::http("timeout http-request", ALL),
    Directive::moot("timeout tarpit", ALL, "no client is held up"),
];

fn set(settings: &mut Settings, arguments: &mut Arguments<'_>, slot: fn(&mut Timeouts) -> &mut Option<Duration>) {
    let name = arguments.name();
    let Some(time) = arguments.time(MILLISECONDS) else { return };
    if settings.places.timeouts.contains(&name) {
        let message = format!("`{name}` has been set in this section before; this one holds");
        arguments.note_keyword(NoteKind::Warning, message);
    }
    settings.places.timeouts.push(name);
    *slot(&mut settings.proxy.timeouts) = time;
}
