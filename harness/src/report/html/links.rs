//! Names that a link can point to: `#seed/idle/length=short/orders-client-lb`.

use std::collections::HashSet;

use crate::report::results::CaseResult;

/// The anchors of a case and of its connections; no two of a page are alike.
#[derive(Clone, Debug)]
pub struct Links {
    /// The case's.
    pub case: String,
    /// Its connections', in their order.
    pub connections: Vec<String>,
}

/// The anchors of all cases.
#[must_use]
pub fn links(cases: &[CaseResult]) -> Vec<Links> {
    let mut taken = HashSet::new();
    let mut unique = |wanted: String| {
        let mut name = wanted.clone();
        let mut number = 1;
        while !taken.insert(name.clone()) {
            number += 1;
            name = format!("{wanted}~{number}");
        }
        name
    };
    let cases = cases.iter().map(|case| {
        let name = unique(plain(&case.folder, "/=_.~"));
        let connections = case.connections.iter().map(|verdict| unique(format!("{name}/{}", plain(&verdict.name, ""))));
        Links { connections: connections.collect(), case: name }
    });
    cases.collect()
}

/// Only what needs no escape in an address (RFC 3986 §2.3), and `also`; a hyphen for whatever else there is.
fn plain(text: &str, also: &str) -> String {
    let mut plain = String::new();
    for letter in text.chars() {
        if letter.is_ascii_alphanumeric() || also.contains(letter) {
            plain.push(letter);
        } else if !plain.ends_with('-') {
            plain.push('-');
        }
    }
    plain.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_has_no_letter_that_an_address_would_escape() {
        assert_eq!(plain("orders#2 client->lb", ""), "orders-2-client-lb");
        assert_eq!(plain("seed/idle/proxy=haproxy_length=short", "/=_"), "seed/idle/proxy=haproxy_length=short");
    }
}
