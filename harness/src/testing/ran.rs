//! What a run found, for assertions.

use std::path::{Path, PathBuf};

use crate::report::results::{CaseResult, Outcome, Results};
use crate::verdict::Verdict;

/// What a run found.
#[derive(Debug)]
pub struct Ran {
    pub(super) results: Results,
    pub(super) printed: String,
    pub(super) folder: PathBuf,
}

impl Ran {
    /// Its cases.
    #[must_use]
    pub fn cases(&self) -> &[CaseResult] {
        &self.results.cases
    }

    /// What `whyclosed run` printed: the table of verdicts.
    #[must_use]
    pub fn printed(&self) -> &str {
        &self.printed
    }

    /// The folder with `results.json`, and with evidence and capture of each case.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The verdicts on a connection, one of each case that has it; its name is that of the table: `orders client->lb`. Of a client
    /// with several connections it means all, as in `expect`; `orders#2 client->lb` is the second.
    pub fn verdicts<'a>(&'a self, connection: &'a str) -> impl Iterator<Item = &'a Verdict> {
        self.cases()
            .iter()
            .flat_map(|case| &case.connections)
            .filter(move |verdict| is_meant(&verdict.name, connection))
    }

    /// Every expectation of the scenario holds, in all its cases.
    ///
    /// # Panics
    /// When one does not, or a case has no verdict; with the table of verdicts.
    #[track_caller]
    pub fn assert_passed(&self) {
        let passed = !self.cases().is_empty() && self.cases().iter().all(|case| case.outcome == Outcome::Pass);
        assert!(passed, "not every case passed; evidence in {}\n{}", self.folder.display(), self.printed);
    }

    /// In every case that has this connection, this mechanism closed it, and the verdict is firm.
    ///
    /// # Panics
    /// When another one did, or it is open to doubt: with what was found and the proof of it. When no case has such a connection: with
    /// those that there are.
    #[track_caller]
    pub fn assert_verdict(&self, connection: &str, mechanism: &str) {
        let mut found = self.verdicts(connection).peekable();
        assert!(found.peek().is_some(), "there is no connection `{connection}` but {}", self.names());
        for verdict in found {
            assert!(
                verdict.mechanism == mechanism && verdict.firm,
                "`{connection}` was to be closed by {mechanism}; {}",
                said(verdict)
            );
        }
    }

    fn names(&self) -> String {
        let mut names: Vec<_> = self.cases().iter().flat_map(|case| &case.connections).map(|v| &v.name).collect();
        names.sort_unstable();
        names.dedup();
        let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        if quoted.is_empty() { "none".into() } else { quoted.join(", ") }
    }
}

/// Whether a name of the table is that of a connection, or of one of a client's connections.
fn is_meant(name: &str, connection: &str) -> bool {
    let numbered = name.split_once('#').and_then(|(client, rest)| Some((client, rest.split_once(' ')?.1)));
    name == connection || numbered.is_some_and(|(client, nodes)| connection.split_once(' ') == Some((client, nodes)))
}

fn said(verdict: &Verdict) -> String {
    let firm = if verdict.firm { "" } else { ", which is open to doubt" };
    let lines: String = verdict.proof.iter().chain(&verdict.doubts).map(|line| format!("\n  {line}")).collect();
    format!("the verdict is {}{firm}:{lines}", verdict.mechanism)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_name_means_all_of_its_connections_and_a_number_one() {
        let names = ["orders#1 client->lb", "orders#2 client->lb", "orders lb->s1", "other#1 client->lb"];
        let meant = |connection| names.into_iter().filter(|name| is_meant(name, connection)).collect::<Vec<_>>();
        assert_eq!(meant("orders client->lb"), names[..2]);
        assert_eq!(meant("orders#2 client->lb"), names[1..2]);
        assert_eq!(meant("orders lb->s1"), names[2..3]);
    }
}
