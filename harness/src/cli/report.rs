//! `whyclosed report DIR`

use std::path::{Path, PathBuf};

use super::reports::Reports;
use super::{BROKEN, PASSED};
use crate::report::Ran;
use crate::report::results;

/// Which run is to be reported, and how.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The folder of a run's results: what `run --out` was given
    #[arg(default_value = "out")]
    folder: PathBuf,
    #[command(flatten)]
    reports: Reports,
}

/// Writes reports of a run that has ended.
pub fn main(arguments: &Arguments) -> u8 {
    if arguments.reports.is_empty() {
        anstream::eprintln!("no report was asked for; `whyclosed report --help` says which there are");
        return BROKEN;
    }
    match attempt(&arguments.folder, &arguments.reports) {
        Ok(written) => {
            anstream::println!("wrote {}", written.join(", "));
            PASSED
        }
        Err(error) => {
            anstream::eprintln!("{error}");
            BROKEN
        }
    }
}

fn attempt(folder: &Path, reports: &Reports) -> Result<Vec<String>, String> {
    let file = folder.join("results.json");
    let results = results::read(&file).map_err(|e| format!("reading {}: {e}", file.display()))?;
    reports.write(&Ran { results: &results, folder })
}
