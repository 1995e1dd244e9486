//! `whyclosed mechanisms`

use anstyle::Style;

use super::PASSED;
use crate::verdict::mechanisms::{Mechanism, Scope};

const STRONG: Style = Style::new().bold();

/// Prints the catalogue.
pub fn main() -> u8 {
    for mechanism in Mechanism::ALL {
        let entry = mechanism.entry();
        let scope = match entry.scope {
            Scope::Cause => "",
            Scope::Endpoint => " (of an endpoint only)",
            Scope::Stranger => " (of a connection only)",
            Scope::Orphan => " (of an endpoint that has closed, afterwards)",
        };
        anstream::println!("{STRONG}{}{STRONG:#}{scope}", entry.name);
        let lines = [
            ("who", entry.who),
            ("fires", entry.fires),
            ("counted from", entry.counted_from),
            ("settings", entry.settings),
            ("on the wire", entry.wire),
            ("applications", entry.application),
            ("source", entry.source),
            ("shown by", entry.shown),
            ("near miss", entry.near),
        ];
        for (name, text) in lines {
            anstream::println!("  {name:12}  {text}");
        }
        anstream::println!();
    }
    PASSED
}
