//! Which backend takes a session (manual, section 4.2).

use super::super::UseBackend;
use super::super::arguments::texts;
use super::super::directive::{Directive, FRONTENDS, OWN_FRONTENDS};

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
        "<backend>",
        "the backend of sessions; conditions are refused, so that the first holds for all",
    )
    .proxy(|settings, a| {
        let Some(word) = a.required("a backend") else { return };
        if word.text.contains('%') {
            a.unsupported(word, "a backend's name is not made from a session's content");
        }
        let condition = match a.peek() {
            Some("if" | "unless") => {
                let condition = a.rest();
                if let Some(first) = condition.first() {
                    a.unsupported(first, "conditions are not implemented: a session's content is not read");
                }
                Some(texts(condition))
            }
            _ => None,
        };
        settings.proxy.use_backends.push(UseBackend {
            backend: word.text.clone(),
            condition,
            position: word.position.clone(),
        });
    }),
];
