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

    /// The verdicts on a connection, one of each case that has it; its name is that of the table: `orders client->lb`.
    pub fn verdicts<'a>(&'a self, connection: &'a str) -> impl Iterator<Item = &'a Verdict> {
        self.cases().iter().flat_map(|case| &case.connections).filter(move |verdict| verdict.name == connection)
    }

    /// Every expectation of the scenario holds, in all its cases.
    ///
    /// # Panics
    /// When one does not, or a case has no verdict; with the table of verdicts.
    pub fn assert_passed(&self) {
        let passed = !self.cases().is_empty() && self.cases().iter().all(|case| case.outcome == Outcome::Pass);
        assert!(passed, "not every case passed; evidence in {}\n{}", self.folder.display(), self.printed);
    }

    /// In every case that has this connection, this mechanism closed it, and the verdict is firm.
    ///
    /// # Panics
    /// When another one did, or it is open to doubt: with what was found and the proof of it. When no case has such a connection: with
    /// those that there are.
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

fn said(verdict: &Verdict) -> String {
    let firm = if verdict.firm { "" } else { ", which is open to doubt" };
    let lines: String = verdict.proof.iter().chain(&verdict.doubts).map(|line| format!("\n  {line}")).collect();
    format!("the verdict is {}{firm}:{lines}", verdict.mechanism)
}
