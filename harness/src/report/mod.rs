//! What a run leaves behind: `results.json`, evidence and capture of each case, the table on the terminal, and the reports that
//! were asked for. A further report is one file here and one line in [`REPORTS`].

pub mod flow;
pub mod html;
mod junit;
mod markdown;
pub mod results;
pub mod table;

use std::path::Path;

use self::results::Results;

/// A run, as a report sees it: it has ended, and is on the disk.
#[derive(Debug)]
pub struct Ran<'a> {
    /// What `results.json` says.
    pub results: &'a Results,
    /// The folder of the run, from which the folders of cases start.
    pub folder: &'a Path,
}

/// A report: a run as one file.
#[derive(Debug)]
pub struct Report {
    /// The option that asks for it: `html` for `--html FILE`.
    pub name: &'static str,
    /// What it is, for the help.
    pub about: &'static str,
    /// Its text.
    pub render: fn(&Ran<'_>) -> std::io::Result<String>,
}

/// The reports that there are.
pub const REPORTS: &[Report] = &[html::HTML, junit::JUNIT, markdown::MARKDOWN];
