//! One case of a scenario: run, and compared with its snapshot.

use std::path::{Path, PathBuf};

use whyclosed::report::results::{CaseResult, Outcome};

use crate::Result;
use crate::found::Found;
use crate::program::{Run, run};
use crate::record::Record;
use crate::turn::Turn;

/// Runs a case: its expectations hold, and its verdicts are those of its snapshot.
///
/// `clock` is `real` or `virtual`, `file` is the scenario's path below `scenarios`, `case` the case's name.
///
/// # Errors
/// When an expectation does not hold; with what the program printed.
///
/// # Panics
/// When the verdicts differ from the snapshot.
pub fn holds(program: &str, clock: &str, file: &str, case: &str) -> Result {
    let run = play(program, clock, file, case)?.expect_code(0)?;
    let found = run.found()?;
    let result = only(&run, &found)?;
    compare(result, |name| insta::assert_yaml_snapshot!(name, Record::from(result)));
    Ok(())
}

/// Runs a case that must not pass: the program says where an expectation does not hold (exit code 1), or why there is no verdict
/// (exit code 3), in the words of its snapshot.
///
/// # Errors
/// When it passes after all, or the exit code does not go with the outcome.
///
/// # Panics
/// When the program says something else than the snapshot.
pub fn is_refused(program: &str, clock: &str, file: &str, case: &str) -> Result {
    let run = play(program, clock, file, case)?;
    let found = run.found()?;
    let result = only(&run, &found)?;
    let code = match result.outcome {
        Outcome::Fail => 1,
        Outcome::Inconclusive | Outcome::Error => 3,
        Outcome::Pass => return Err(run.failure("the case passed")),
    };
    let run = run.expect_code(code)?;
    let result = only(&run, &found)?;
    let mut settings = insta::Settings::clone_current();
    // Ports are of the slice that happened to be free.
    settings.add_filter(r":(3[2-9]|[4-6]\d)\d{3}\b", ":EPHEMERAL");
    // How much passes while nobody reads is chance.
    settings.add_filter(r"lost \d+ of \d+ frames", "lost SOME of MANY frames");
    settings.bind(|| compare(result, |name| insta::assert_yaml_snapshot!(name, result.messages)));
    Ok(())
}

fn play(program: &str, clock: &str, file: &str, case: &str) -> Result<Run> {
    let path = scenarios().join(file).display().to_string();
    let _turn = Turn::wait(clock);
    run(program, clock, [path.as_str(), "--filter", case, "--jobs", "1"])
}

/// The folder of the scenarios.
#[must_use]
pub fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
}

/// The folder of the snapshots of cases.
#[must_use]
pub fn snapshots() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots")
}

fn only<'a>(run: &Run, found: &'a Found) -> Result<&'a CaseResult> {
    match found.results.cases.as_slice() {
        [case] => Ok(case),
        cases => Err(run.failure(&format!("{} cases were run instead of one", cases.len()))),
    }
}

/// The snapshot is where the case's folder is: `snapshots/seed/idle/length=short.snap`.
fn compare(case: &CaseResult, assert: impl FnOnce(&str)) {
    let path = snapshots().join(&case.folder);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(path.parent().unwrap_or(&path));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| assert(&name));
}
