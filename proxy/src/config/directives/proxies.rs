//! What a proxy is (manual, section 4.2).

use super::super::Mode;
use super::super::directive::{ALL, Directive, OWN};

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new("mode", ALL, "tcp", "what a proxy understands of its sessions; `http` is refused").proxy(
        |settings, a| {
            settings.places.mode = a.first().cloned();
            if let Some(word) = a.first().filter(|word| word.text == "health") {
                a.next();
                a.malformed(word, "`mode health` is refused by HAProxy 2.6 too");
            } else if let Some(mode) = a.one_of(&[("tcp", Mode::Tcp), ("http", Mode::Http)]) {
                settings.proxy.mode = mode;
            }
        },
    ),
    Directive::new("id", OWN, "<number>", "a number for it")
        .proxy(|settings, a| settings.proxy.id = a.number_in(1..=u32::MAX)),
    Directive::new("description", OWN, "<text>", "a text that describes it").proxy(|settings, a| {
        settings.proxy.description = a.sentence();
    }),
    Directive::new("disabled", ALL, "", "it takes no clients").proxy(|settings, _| settings.proxy.disabled = true),
    Directive::new("enabled", ALL, "", "it takes clients").proxy(|settings, _| settings.proxy.disabled = false),
];
