//! Where the library's verdicts name each mechanism, and where they must not: docs/mechanisms.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use whyclosed::evidence::Role;
use whyclosed::report::results::folder;
use whyclosed::scenario::{find, load};
use whyclosed::verdict::mechanisms::{Entry, Mechanism, Scope};
use whyclosed::{Case, Vocabulary};

use crate::case::{scenarios, snapshots};
use crate::{Failure, Result};

/// Between whom a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leg {
    /// No proxy is at either end.
    Direct,
    /// A proxy accepted it.
    Clients,
    /// A proxy opened it.
    Servers,
}

/// Mechanism and leg → the scenarios whose verdicts name it there, of a connection or of one of its ends.
pub type Shown = BTreeMap<(String, Leg), BTreeSet<String>>;

/// Every case of the library with its snapshot, if it has one.
///
/// # Errors
/// When a scenario is invalid.
pub fn library() -> Result<Vec<(Case, Option<String>)>> {
    let mut all = Vec::new();
    for file in find(&[scenarios()]) {
        let cases = load::<Vocabulary>(&file, None).map_err(|errors| Failure::new(errors.render(false)))?;
        for case in cases {
            let snapshot = fs::read_to_string(snapshots().join(format!("{}.snap", folder(&case)))).ok();
            all.push((case, snapshot));
        }
    }
    Ok(all)
}

/// Reads where mechanisms are named from all snapshots.
#[must_use]
pub fn shown(library: &[(Case, Option<String>)]) -> Shown {
    let mut shown = Shown::new();
    for (case, snapshot) in library {
        for (connection, mechanism) in named(snapshot.as_deref().unwrap_or_default()) {
            shown.entry((mechanism, leg(case, &connection))).or_default().insert(case.scenario.clone());
        }
    }
    shown
}

/// Each mechanism that a snapshot names, with the connection: `orders client->lb`.
pub fn named(snapshot: &str) -> impl Iterator<Item = (String, String)> + '_ {
    let mut connection = "";
    snapshot.lines().filter_map(move |line| {
        let text = line.trim_start();
        if line.len() - text.len() == 2 {
            connection = text.trim_end_matches(':');
        }
        let mechanism = text.strip_prefix("mechanism: ").or_else(|| text.strip_prefix("afterwards: "))?;
        Some((connection.to_owned(), mechanism.trim_end_matches('?').to_owned()))
    })
}

fn leg(case: &Case, connection: &str) -> Leg {
    // Of several of one name the later ones have a number behind it.
    let ends = connection.split(' ').find_map(|word| word.split_once("->"));
    let proxy = |node: &str| {
        case.services.iter().any(|service| service.node.as_str() == node && service.kind.role() == Role::Proxy)
    };
    match ends {
        Some((_, to)) if proxy(to) => Leg::Clients,
        Some((from, _)) if proxy(from) => Leg::Servers,
        _ => Leg::Direct,
    }
}

/// The page docs/mechanisms.md.
#[must_use]
pub fn page(shown: &Shown) -> String {
    let mut page = String::from(
        "# Mechanisms\n\nWhat can end a TCP connection. This page is generated from the catalogue and from the snapshots of the library; \
         `whyclosed mechanisms`\nprints the same.\n\n## Where each is shown, and where it must not be named\n\n\
         The number of scenarios whose verdicts name it, of a connection or of one of its ends: on connections without a proxy, on a proxy's \
         client leg,\non its server leg. The near miss has the same fault or the same sight, and another cause.\n\n\
         | mechanism | direct | client's leg | server's leg | shown, for one, by | near miss |\n|---|---:|---:|---:|---|---|\n",
    );
    for mechanism in Mechanism::ALL {
        let entry = mechanism.entry();
        let count = |leg| shown.get(&(entry.name.to_owned(), leg)).map_or("".into(), |found| found.len().to_string());
        let [direct, clients, servers] = [Leg::Direct, Leg::Clients, Leg::Servers].map(count);
        let _ = writeln!(
            page,
            "| `{}` | {direct} | {clients} | {servers} | {} | {} |",
            entry.name, entry.shown, entry.near
        );
    }
    for mechanism in Mechanism::ALL {
        paragraph(&mut page, mechanism.entry());
    }
    page
}

fn paragraph(page: &mut String, entry: &Entry) {
    let scope = match entry.scope {
        Scope::Cause => "",
        Scope::Endpoint => " Only how an endpoint ended; the cause is at the other end.",
        Scope::Stranger => " Only the cause of a connection: neither endpoint did it.",
        Scope::Orphan => " Only what became of a socket that its process had closed.",
    };
    let _ = write!(page, "\n## {}\n\nBy: {}.{scope}\n\n", entry.name, entry.who);
    let lines = [
        ("Fires", entry.fires),
        ("Counted from", entry.counted_from),
        ("Settings", entry.settings),
        ("On the wire", entry.wire),
        ("Applications", entry.application),
        ("Source", entry.source),
    ];
    for (name, text) in lines {
        let _ = writeln!(page, "- {name}: {text}");
    }
}
