//! What can be seen in a scenario's text that is no error and yet is hardly meant: traps that people fall into.
//!
//! A further one is one file here and one entry in [`LINTS`]. None can be switched off: each looks at what the author expects, and
//! keeps silent where that shows that the trap is meant.

mod close_races_the_answer;
mod forgotten_is_taken_up;
mod frozen_is_not_dead;
mod heartbeat_behind_proxy;
mod interface_down;
mod keepalive_of_nobody;
mod keepalive_of_two_hours;
mod killed_is_not_dead;
mod subject;
#[cfg(test)]
mod tests;
mod too_short;
mod unequal_timeouts;
mod user_timeout_and_probes;
mod user_timeout_while_idle;
mod waits_for_what_stays;

pub use subject::Subject;

use std::collections::BTreeMap;

use crate::Case;
use crate::scenario::Warnings;

/// A trap.
pub struct Lint {
    /// Its name, in `warning[…]`.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub about: &'static str,
    /// Where that is written down.
    pub source: &'static str,
    /// Whether it is none as long as one case of the file is without it: a matrix may switch off what another case uses.
    pub in_every_case: bool,
    /// Looks for it in a case.
    pub find: fn(&Subject<'_>) -> Vec<Remark>,
}

/// A trap that was found in a case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remark {
    /// The line of the scenario, counted from 1.
    pub line: u32,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

/// The traps that are looked for.
pub const LINTS: &[Lint] = &[
    close_races_the_answer::LINT,
    killed_is_not_dead::LINT,
    frozen_is_not_dead::LINT,
    forgotten_is_taken_up::LINT,
    keepalive_of_two_hours::LINT,
    keepalive_of_nobody::LINT,
    user_timeout_while_idle::LINT,
    user_timeout_and_probes::LINT,
    unequal_timeouts::LINT,
    heartbeat_behind_proxy::LINT,
    too_short::LINT,
    waits_for_what_stays::LINT,
    interface_down::LINT,
];

/// The traps in the cases of one file, each once, in the order of their lines, with the cases that have it.
#[must_use]
pub fn warnings(file: &str, source: &str, cases: &[Case]) -> Warnings {
    let mut seen: BTreeMap<(Remark, &'static str), Vec<String>> = BTreeMap::new();
    for case in cases {
        let subject = Subject::of(case);
        for lint in LINTS {
            for remark in (lint.find)(&subject) {
                seen.entry((remark, lint.name)).or_default().push(case.name());
            }
        }
    }
    let mut warnings = Warnings::new(file, source);
    for ((remark, name), of) in seen {
        let in_all = of.len() == cases.len();
        if !in_all && LINTS.iter().any(|lint| lint.name == name && lint.in_every_case) {
            continue;
        }
        let note = (!in_all).then(|| match of.as_slice() {
            [only] => format!("in the case {only}"),
            all => format!("in {} of {} cases, the first is {}", all.len(), cases.len(), all[0]),
        });
        warnings.add(name, remark.line, &remark.message, &remark.help, note);
    }
    warnings
}
