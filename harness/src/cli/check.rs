//! `whyclosed check PATH…`

use std::path::PathBuf;

use super::{BROKEN, INVALID, PASSED};
use crate::lab::slices;
use crate::lints;
use crate::scenario::{find, load};
use crate::{Case, Vocabulary};

/// What is to be checked.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Scenario files, or folders of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// End with exit code 2 when there is a warning
    #[arg(long)]
    deny_warnings: bool,
}

/// Says what is wrong with scenarios.
pub fn main(arguments: &Arguments) -> u8 {
    match all(&arguments.paths) {
        Ok(cases) => {
            let warnings = warn(&cases);
            let and = match warnings {
                0 => String::new(),
                1 => "; 1 warning".into(),
                many => format!("; {many} warnings"),
            };
            anstream::println!("{} cases, all valid{and}", cases.len());
            if arguments.deny_warnings && warnings > 0 { INVALID } else { PASSED }
        }
        Err(code) => code,
    }
}

/// Prints and counts the traps in cases; the cases of a file stand together.
fn warn(cases: &[Case]) -> usize {
    let mut count = 0;
    for of_file in cases.chunk_by(|one, other| one.file == other.file) {
        let file = of_file[0].file.display().to_string();
        let source = std::fs::read_to_string(&of_file[0].file).unwrap_or_default();
        let warnings = lints::warnings(&file, &source, of_file);
        count += warnings.len();
        if !warnings.is_empty() {
            anstream::eprintln!("{}\n", warnings.render(true));
        }
    }
    count
}

/// Loads all cases of some paths; prints all errors of all files.
///
/// # Errors
/// The exit code, when one of them is invalid.
pub fn all(paths: &[PathBuf]) -> Result<Vec<Case>, u8> {
    let files = find(paths);
    let mut cases = Vec::new();
    let mut errors = 0;
    for file in &files {
        match load::<Vocabulary>(file, None) {
            Ok(more) => {
                errors += ports(&more);
                cases.extend(more.into_iter().map(rooted));
            }
            Err(found) => {
                errors += found.len();
                anstream::eprintln!("{}", found.render(true));
            }
        }
    }
    if files.is_empty() {
        anstream::eprintln!("no scenario (*.yaml) below {}", shown(paths));
        return Err(INVALID);
    }
    if errors > 0 {
        anstream::eprintln!("{errors} errors; nothing was run");
        return Err(INVALID);
    }
    Ok(cases)
}

/// As [`all`], of these only the cases in whose names every one of some texts is: `seed/idle` and `short`.
///
/// # Errors
/// As [`all`]; and exit code 3 when there is none.
pub fn matching(paths: &[PathBuf], texts: &[String]) -> Result<Vec<Case>, u8> {
    let mut cases = all(paths)?;
    cases.retain(|case| {
        let name = case.name();
        texts.iter().all(|text| name.contains(text.as_str()))
    });
    if cases.is_empty() {
        anstream::eprintln!("no case has `{}` in its name", texts.join("` and `"));
        return Err(BROKEN);
    }
    Ok(cases)
}

/// Paths in a scenario start at its folder, wherever a program of the lab is later started.
fn rooted(case: Case) -> Case {
    let directory = std::path::absolute(&case.directory).unwrap_or_else(|_| case.directory.clone());
    let directory =
        if directory.as_os_str().is_empty() { std::env::current_dir().unwrap_or_default() } else { directory };
    Case { directory, ..case }
}

/// Prints and counts the services that listen where clients' own ports are: their events could not be told apart.
fn ports(cases: &[Case]) -> usize {
    let mut wrong: Vec<String> = Vec::new();
    for case in cases {
        for service in &case.services {
            let port = service.kind.port().filter(|port| slices::of_port(*port).is_some());
            if let Some(port) = port {
                let (first, last) = slices::RANGE;
                let (scenario, name) = (&case.scenario, &service.name);
                wrong.push(format!(
                    "error: {scenario}: service `{name}` listens on port {port}; ports {first} to {last} are the clients' own"
                ));
            }
        }
    }
    wrong.dedup();
    wrong.iter().for_each(|line| anstream::eprintln!("{line}"));
    wrong.len()
}

fn shown(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
