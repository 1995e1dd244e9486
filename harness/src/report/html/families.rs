//! Families of mechanisms: as many as colours that everybody can tell apart, each with a sign of its own.
//!
//! The colours are those of Okabe and Ito (Color Universal Design, 2008), which people with any kind of colour vision tell apart.

use crate::verdict::mechanisms::{Mechanism, Scope};
use crate::verdict::{AMBIGUOUS, UNKNOWN};

/// A family.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// The class in the style sheet that gives it its colour.
    pub class: &'static str,
    /// Its sign.
    pub sign: &'static str,
    /// What its mechanisms have in common.
    pub about: &'static str,
}

const fn family(class: &'static str, sign: &'static str, about: &'static str) -> Family {
    Family { class, sign, about }
}

/// All families, in the legend's order.
pub const FAMILIES: [Family; 10] = [
    family("m-pt", "◆", "a proxy's timer"),
    family("m-pd", "▲", "a proxy's decision"),
    family("m-pr", "▷", "passed on by a proxy"),
    family("m-kn", "●", "a kernel's timer or its own doing"),
    family("m-ap", "■", "an application or its process"),
    family("m-hb", "✚", "the protocol: heartbeat, handshake"),
    family("m-rs", "✖", "reset or refused from elsewhere"),
    family("m-pe", "◁", "the other side ended it"),
    family("m-op", "○", "still stands, or its host died"),
    family("m-un", "?", "not proven"),
];

/// The family of a mechanism, by its name.
#[must_use]
pub fn of(name: &str) -> &'static Family {
    let class = class(name);
    FAMILIES.iter().find(|family| family.class == class).unwrap_or(&FAMILIES[FAMILIES.len() - 1])
}

fn class(name: &str) -> &'static str {
    let mechanism = Mechanism::named(name);
    match mechanism {
        _ if name == AMBIGUOUS || name == UNKNOWN => "m-un",
        None => "m-un",
        Some(Mechanism::ProxyRelayed) => "m-pr",
        Some(Mechanism::ProcessExit) => "m-ap",
        Some(Mechanism::Heartbeat | Mechanism::HandshakeTimeout) => "m-hb",
        Some(mechanism) if mechanism.entry().scope == Scope::Stranger => "m-rs",
        Some(mechanism) => match mechanism.entry().who {
            "proxy" if name.starts_with("proxy-timeout-") => "m-pt",
            "proxy" => "m-pd",
            "kernel" => "m-kn",
            "application" => "m-ap",
            "the other side" => "m-pe",
            "nobody" => "m-op",
            _ => "m-rs",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mechanism_of_the_catalogue_has_a_family_that_is_not_that_of_doubt() {
        for mechanism in Mechanism::ALL {
            assert_ne!(of(mechanism.name()).class, "m-un", "{}", mechanism.name());
        }
    }

    #[test]
    fn each_family_has_a_sign_of_its_own() {
        for (index, family) in FAMILIES.iter().enumerate() {
            assert!(FAMILIES[..index].iter().all(|other| other.sign != family.sign), "{}", family.about);
        }
    }
}
