//! Running the program under test.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::found::{self, Found};
use crate::{Failure, Result};

/// One run: where its results go, and how it ended.
#[derive(Debug)]
pub struct Run {
    folder: tempfile::TempDir,
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Everything that it printed.
    pub printed: String,
}

/// Runs `program run --clock CLOCK ARGUMENTS… --out FOLDER` to its end.
///
/// # Errors
/// When the program cannot be started.
pub fn run<A: AsRef<OsStr>>(program: &str, clock: &str, arguments: impl IntoIterator<Item = A>) -> Result<Run> {
    run_with(program, clock, arguments, &[])
}

/// [`run`], with environment variables besides this process's own.
///
/// # Errors
/// As [`run`].
pub fn run_with<A: AsRef<OsStr>>(
    program: &str,
    clock: &str,
    arguments: impl IntoIterator<Item = A>,
    env: &[(&str, &str)],
) -> Result<Run> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(program);
    command.envs(env.iter().copied());
    let output = command.args(["run", "--clock", clock]).args(arguments).arg("--out").arg(folder.path()).output()?;
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Ok(Run { folder, code: output.status.code(), printed })
}

/// Runs the cases of a scenario that is given as text.
///
/// # Errors
/// As [`run`].
pub fn run_text(program: &str, clock: &str, scenario: &str, arguments: &[&str]) -> Result<Run> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("scenario.yaml");
    std::fs::write(&file, scenario)?;
    let path = file.display().to_string();
    run(program, clock, [path.as_str()].iter().chain(arguments))
}

/// Starts `program run FILE --clock CLOCK --out OUT` without waiting for it, as the leader of a process group of its own.
///
/// # Errors
/// When the program cannot be started.
pub fn start(program: &str, clock: &str, file: &Path, out: &Path) -> Result<Child> {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    command.args(["run", "--clock", clock]).arg(file).arg("--out").arg(out).process_group(0);
    Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
}

/// A file of `tests/fixtures`.
#[must_use]
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

impl Run {
    /// Where its results are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Results and evidence.
    ///
    /// # Errors
    /// When the program wrote none.
    pub fn found(&self) -> Result<Found> {
        found::read(self.folder.path()).map_err(|error| self.failure(&error.to_string()))
    }

    /// The run, if it ended with this exit code.
    ///
    /// # Errors
    /// If it did not: with all that it printed, and its evidence kept.
    pub fn expect_code(self, code: u8) -> Result<Run> {
        if self.code == Some(i32::from(code)) {
            return Ok(self);
        }
        let ended = self.code.map_or("was ended by a signal".into(), |code| format!("ended with exit code {code}"));
        let failure = self.failure(&format!("the program {ended}, expected {code}"));
        Err(Failure::new(format!("{failure:?}evidence kept in {}", self.folder.keep().display())))
    }

    /// A failure that shows what the program printed.
    #[must_use]
    pub fn failure(&self, reason: &str) -> Failure {
        Failure::new(format!("{reason}\n{}", self.printed))
    }
}
