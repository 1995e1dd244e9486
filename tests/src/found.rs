//! Results and evidence of a run, read back from its folder.

use std::fs;
use std::path::{Path, PathBuf};

use whyclosed::evidence::Event;
use whyclosed::report::results::{self, CaseResult, Results};

/// What a run wrote.
#[derive(Debug)]
pub struct Found {
    folder: PathBuf,
    /// `results.json`.
    pub results: Results,
}

/// Reads what a run wrote to `folder`.
///
/// # Errors
/// When `results.json` is not there or is not of this version.
pub fn read(folder: &Path) -> std::io::Result<Found> {
    Ok(Found { folder: folder.to_owned(), results: results::read(&folder.join("results.json"))? })
}

impl Found {
    /// The evidence of a case.
    ///
    /// # Errors
    /// When it was not written, or a line is no fact.
    pub fn evidence(&self, case: &CaseResult) -> std::io::Result<Vec<Event>> {
        let text = fs::read_to_string(self.folder.join(&case.folder).join("evidence.ndjson"))?;
        text.lines().map(|line| serde_json::from_str(line).map_err(std::io::Error::from)).collect()
    }
}
