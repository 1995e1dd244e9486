//! Which backend takes a session (manual, section 4.2).

use super::super::directive::{Directive, FRONTENDS, OWN_FRONTENDS};
use super::super::{Condition, UseBackend};

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new("default_backend", FRONTENDS, "<backend>", "the backend of sessions that no rule sends elsewhere")
        .proxy(|settings, a| {
            if let Some(word) = a.required("a backend") {
                settings.proxy.default_backend = Some(word.text.clone());
                settings.places.default_backend = Some(word.clone());
            }
        }),
    Directive::new(
        "use_backend",
        OWN_FRONTENDS,
        "<backend> [if | unless <condition>]",
        "the backend of sessions that the condition holds for; the first rule that does counts",
    )
    .proxy(|settings, a| {
        let Some(word) = a.required("a backend") else { return };
        if word.text.contains('%') {
            a.unsupported(word, "a backend's name is not made from a session's content");
        }
        let condition = Condition::read(&mut settings.proxy, a);
        settings.proxy.use_backends.push(UseBackend {
            backend: word.text.clone(),
            condition,
            position: word.position.clone(),
        });
    }),
];
