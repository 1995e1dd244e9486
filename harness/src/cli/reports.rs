//! `--html FILE` and its like: an option for each report of the list.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};

use crate::report::{REPORTS, Ran, Report};

/// The reports that were asked for, and where each goes.
#[derive(Clone, Debug, Default)]
pub struct Reports(Vec<(&'static Report, PathBuf)>);

impl Reports {
    /// Whether none was asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes them, and gives their paths.
    ///
    /// # Errors
    /// When one cannot be written; it says which.
    pub fn write(&self, ran: &Ran<'_>) -> Result<Vec<String>, String> {
        let write = |(report, path): &(&Report, PathBuf)| {
            let written = (report.render)(ran).and_then(|text| std::fs::write(path, text));
            written.map_err(|e| format!("writing {} (--{}): {e}", path.display(), report.name))?;
            Ok(path.display().to_string())
        };
        self.0.iter().map(write).collect()
    }
}

impl Args for Reports {
    fn augment_args(command: Command) -> Command {
        REPORTS.iter().fold(command, |command, report| {
            let option = Arg::new(report.name).long(report.name).value_name("FILE").help(report.about);
            command.arg(option.value_parser(value_parser!(PathBuf)).help_heading("Reports"))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Reports::augment_args(command)
    }
}

impl FromArgMatches for Reports {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Reports, clap::Error> {
        let asked = |report: &'static Report| Some((report, matches.get_one::<PathBuf>(report.name)?.clone()));
        Ok(Reports(REPORTS.iter().filter_map(asked).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Reports::from_arg_matches(matches)?;
        Ok(())
    }
}
