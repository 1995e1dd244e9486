//! whyclosed in the tests of another crate: a scenario, from a file or written in code, is run, and its verdicts are asserted.
//!
//! Cases are played by the program `whyclosed`, in processes of their own. So a crate that uses this has it as a program of its own,
//! `src/bin/whyclosed.rs`, which cargo builds beside the tests:
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     whyclosed::cli::main()
//! }
//! ```
//!
//! and its tests say where that is by [`program!`](crate::program):
//!
//! ```text
//! #[tokio::test]
//! async fn the_proxy_closes_an_idle_session() -> Result<(), whyclosed::testing::Error> {
//!     let ran = Scenario::from_file("scenarios/idle.yaml")?.run(&whyclosed::program!()).await?;
//!     ran.assert_passed();
//!     ran.assert_verdict("orders client->lb", "proxy-timeout-client");
//!     Ok(())
//! }
//! ```

mod builder;
mod ran;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

pub use builder::Builder;
pub use ran::Ran;

use crate::Vocabulary;
use crate::report::results;
use crate::run::{REAL, VIRTUAL};
use crate::scenario::{load, parse};

/// The program that plays the cases, and the folder where results go: the crate's own program `whyclosed`, or another one of its name,
/// and cargo's folder for what tests write.
#[macro_export]
macro_rules! program {
    () => {
        $crate::program!("whyclosed")
    };
    ($name:literal) => {
        $crate::testing::Program::new(env!(concat!("CARGO_BIN_EXE_", $name)), env!("CARGO_TARGET_TMPDIR"))
    };
}

/// The program that plays the cases.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    results: PathBuf,
}

impl Program {
    /// The program at `path`; the folder of each scenario's results is made in `results`.
    pub fn new(path: impl Into<PathBuf>, results: impl Into<PathBuf>) -> Program {
        Program { path: path.into(), results: results.into() }
    }
}

/// Why there are no verdicts.
#[derive(thiserror::Error)]
pub enum Error {
    /// It is no scenario.
    #[error("{0}")]
    Invalid(String),
    /// Something could not be done with a file.
    #[error("{doing}: {source}")]
    File {
        /// What, to which.
        doing: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The program did not get as far as results.
    #[error("`{command}` ended without results ({status}):\n{printed}")]
    Broken {
        /// How it was called.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it said.
        printed: String,
    },
}

/// As people read it: a test that returns it is shown this.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A scenario to be run.
#[derive(Clone, Debug)]
pub struct Scenario {
    source: Source,
    clock: Option<&'static str>,
    seed: Option<u64>,
    filters: Vec<String>,
}

#[derive(Clone, Debug)]
enum Source {
    File(PathBuf),
    /// A name, and what is to be in the file.
    Text(String, String),
}

impl Scenario {
    /// The scenario of a file; a path that is relative is so to the crate's folder, as cargo's tests start there.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all that is wrong with it, each in its place.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Scenario, Error> {
        load::<Vocabulary>(path.as_ref(), None).map_err(|errors| Error::Invalid(errors.render(false)))?;
        Ok(Scenario::of(Source::File(path.as_ref().to_owned())))
    }

    /// A scenario that is written in code; its name is the folder of its results, its title one line for people.
    pub fn build(name: &str, title: &str) -> Builder {
        Builder::new(name, title)
    }

    fn from_text(name: &str, text: String) -> Result<Scenario, Error> {
        parse::<Vocabulary>(name, &text, name, Path::new("")).map_err(|errors| Error::Invalid(errors.render(false)))?;
        Ok(Scenario::of(Source::Text(name.into(), text)))
    }

    fn of(source: Source) -> Scenario {
        Scenario { source, clock: None, seed: None, filters: Vec::new() }
    }

    /// Plays it on this machine's own kernel and clock; it needs root there, and takes the time that it says.
    #[must_use]
    pub fn on_real_clock(self) -> Scenario {
        Scenario { clock: Some(REAL), ..self }
    }

    /// Plays it in a guest kernel whose clock is virtual, also where that is not the default.
    #[must_use]
    pub fn on_virtual_clock(self) -> Scenario {
        Scenario { clock: Some(VIRTUAL), ..self }
    }

    /// What all chance comes from, if not from 1.
    #[must_use]
    pub fn seed(self, seed: u64) -> Scenario {
        Scenario { seed: Some(seed), ..self }
    }

    /// Plays only cases whose name contains this, such as `length=short`; of several texts all.
    #[must_use]
    pub fn filter(mut self, text: &str) -> Scenario {
        self.filters.push(text.into());
        self
    }

    /// Plays it. Whether its expectations hold is for [`Ran::assert_passed`] to say.
    ///
    /// # Errors
    /// When the program cannot be started, or ends without results: what this machine lacks is in what it printed.
    pub async fn run(&self, program: &Program) -> Result<Ran, Error> {
        let (file, out) = self.place(&program.results)?;
        let mut arguments: Vec<OsString> = vec!["run".into(), file.into(), "--out".into(), out.clone().into()];
        arguments.extend(self.clock.iter().flat_map(|clock| ["--clock".into(), clock.into()]));
        arguments.extend(self.seed.iter().flat_map(|seed| ["--seed".into(), seed.to_string().into()]));
        arguments.extend(self.filters.iter().flat_map(|text| ["--filter".into(), text.into()]));
        let started = Command::new(&program.path)
            .args(&arguments)
            .stdin(Stdio::null())
            // A test that is given up must not leave its run behind.
            .kill_on_drop(true)
            .output()
            .await;
        let output = started.map_err(failed("starting", &program.path))?;
        let printed = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said).into_owned()).concat();
        match results::read(&out.join("results.json")) {
            Ok(results) => Ok(Ran { results, printed, folder: out }),
            Err(_) => Err(Error::Broken {
                command: std::iter::once(program.path.display().to_string())
                    .chain(arguments.iter().map(|word| word.to_string_lossy().into_owned()))
                    .collect::<Vec<_>>()
                    .join(" "),
                status: output.status,
                printed,
            }),
        }
    }

    /// The scenario's file, and the folder of this run's results, which no other run of the machine has.
    fn place(&self, results: &Path) -> Result<(PathBuf, PathBuf), Error> {
        let name = match &self.source {
            Source::File(path) => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            Source::Text(name, _) => name.clone(),
        };
        std::fs::create_dir_all(results).map_err(failed("making the folder", results))?;
        let mut number = 1;
        let out = loop {
            let folder = results.join(format!("{name}-{}-{number}", std::process::id()));
            match std::fs::create_dir(&folder) {
                Ok(()) => break folder,
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(failed("making the folder", &folder)(error)),
            }
        };
        let file = match &self.source {
            Source::File(path) => path.clone(),
            Source::Text(name, text) => {
                let file = out.join(format!("{name}.yaml"));
                std::fs::write(&file, text).map_err(failed("writing", &file))?;
                file
            }
        };
        Ok((file, out))
    }
}

fn failed(doing: &str, what: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let doing = format!("{doing} {}", what.display());
    move |source| Error::File { doing, source }
}
