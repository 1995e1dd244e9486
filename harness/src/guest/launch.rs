//! On the host: one guest for one case.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use super::channel::Line;
use super::contain::Contained;
use super::init::Job;
use super::memory::Memory;
use super::{JOB, RESULT, RESULTS, processors};
use crate::Case;
use crate::clock::readable;
use crate::play::Progress;
use crate::report::results::{self, CaseResult};

/// Memory of a guest; what it does not touch costs nothing.
const MEMORY: &str = "mem=1024M";
/// Lines of the guest's console that an error shows.
const LAST_LINES: usize = 60;
/// How long the answer of a guest that hangs is waited for.
const ASKING: Duration = Duration::from_secs(2);
/// Where User-Mode Linux puts its console for commands, below its working directory.
const MCONSOLE: &str = ".guest";

/// Why a guest gave no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something of this machine failed.
    #[error("{doing}: {cause}")]
    Machine {
        /// What was being done.
        doing: String,
        /// What went wrong.
        cause: std::io::Error,
    },
    /// A path that cannot stand on a kernel's command line.
    #[error("the path {0} cannot be given to a kernel: it has a quote, a line break or another control character in it; choose another with --out, or move the program")]
    Path(PathBuf),
    /// It ended without a result.
    #[error("the guest kernel ended without a result ({status}){}", shown(.lines))]
    Ended {
        /// How.
        status: ExitStatus,
        /// The last lines of its console.
        lines: Vec<String>,
    },
    /// Its clock stood still.
    #[error(
        "the guest's clock stood still for {} at {at_s:.3} s of {step}: a program in it computes without pause, \
         and on the virtual clock nothing else gets its turn; give it a pause, or use --clock real{}",
        readable(*.limit), shown(.lines)
    )]
    Stalled {
        /// How long, of wall time.
        limit: Duration,
        /// Its last known time, seconds after the timeline's start.
        at_s: f64,
        /// What it was doing.
        step: String,
        /// What its kernel says of the program on its processor, and the last lines of its console.
        lines: Vec<String>,
    },
}

fn shown(lines: &[String]) -> String {
    let lines: String = lines.iter().map(|line| format!("\n    | {line}")).collect();
    if lines.is_empty() { lines } else { format!("; its console said last:{lines}") }
}

fn doing(what: impl Into<String>, cause: std::io::Error) -> Error {
    Error::Machine { doing: what.into(), cause }
}

/// What all guests of a run have in common.
#[derive(Clone, Debug)]
pub struct Launcher {
    /// The kernel.
    pub kernel: PathBuf,
    /// The harness's own program.
    pub program: PathBuf,
    /// Where results go.
    pub out: PathBuf,
    /// How long a guest may compute without its clock moving, wall time.
    pub stall: Duration,
}

impl Launcher {
    /// Plays a case in a guest of its own.
    ///
    /// # Errors
    /// When the guest could not be started, ended without a result, or was ended because its clock stood still.
    pub async fn play(&self, case: &Case, progress: &dyn Progress) -> Result<CaseResult, Error> {
        let claim = processors::one().await.map_err(|e| doing("waiting for a processor", e))?;
        let started = Instant::now();
        let folder = self.prepare(case)?;
        let memory = Memory::new(claim.number).map_err(|e| doing("making a place for the guest's memory", e))?;
        let mut guest = self.start(&folder, &memory, claim.number)?;
        let ended = guest.follow(&case.name(), progress, self.stall, &folder).await;
        let _ = fs::remove_dir_all(folder.join(MCONSOLE));
        let status = ended?;
        let text = fs::read(folder.join(RESULT));
        let result = text.ok().filter(|_| status.success()).and_then(|text| serde_json::from_slice(&text).ok());
        let mut result: CaseResult = result.ok_or_else(|| Error::Ended { status, lines: guest.last_lines() })?;
        result.wall_s = results::round(started.elapsed());
        Ok(result)
    }

    /// The case's folder, with the guest's orders in it and no result of an earlier run.
    fn prepare(&self, case: &Case) -> Result<PathBuf, Error> {
        let folder = self.out.join(results::folder(case));
        let failed = |e| doing(format!("preparing the folder {}", folder.display()), e);
        fs::create_dir_all(&folder).map_err(failed)?;
        let folder = fs::canonicalize(&folder).map_err(failed)?;
        let _ = fs::remove_file(folder.join(RESULT));
        let file = fs::canonicalize(&case.file)
            .map_err(|e| doing(format!("finding the scenario {}", case.file.display()), e))?;
        let job = Job { file, case: case.name(), program: self.program.clone() };
        let job = serde_json::to_vec_pretty(&job).map_err(|e| failed(e.into()))?;
        fs::write(folder.join(JOB), job).map_err(failed)?;
        Ok(folder)
    }

    fn start(&self, folder: &Path, memory: &Memory, processor: usize) -> Result<Guest, Error> {
        let contained = Contained {
            processor: Some(processor),
            parent: i32::try_from(std::process::id()).ok(),
            writable: vec![folder.to_owned(), memory.folder().to_owned()],
            argv: self.command_line(folder)?,
            ..Contained::default()
        };
        let mut command = Command::from(contained.command(&self.program));
        // The kernel's working directory is where its console for commands is: a socket's path must be short (unix(7)).
        command.current_dir(folder).env("TMPDIR", memory.folder());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        // It dies with the thread that starts it (prctl(2), PR_SET_PDEATHSIG): a worker of the runtime, which lives as long.
        let mut child = command.spawn().map_err(|e| doing(format!("starting {}", self.kernel.display()), e))?;
        let console = child.stderr.take().map(|console| Console::read(console));
        Ok(Guest { child, console })
    }

    /// The kernel's command line (Documentation/admin-guide/kernel-parameters.txt, `linux --help`).
    fn command_line(&self, folder: &Path) -> Result<Vec<OsString>, Error> {
        let words = [
            MEMORY,
            "root=none",
            "rootfstype=hostfs",
            "rootflags=/",
            "ro",
            "time-travel=inf-cpu",
            "con=null",
            // The kernel's messages and whatever process 1 writes: standard error. What a guest tells: standard output.
            "con0=null,fd:2",
            "ssl=null",
            "ssl0=null,fd:1",
            "uml_dir=.",
            "umid=.guest",
            "quiet",
        ];
        let mut line = vec![self.kernel.clone().into_os_string()];
        line.extend(words.map(OsString::from));
        line.push(parameter("init", &self.program)?);
        line.push(parameter(RESULTS, folder)?);
        line.extend(["--", "guest"].map(OsString::from));
        Ok(line)
    }
}

/// `name="path"`, as the kernel reads parameters with spaces in them (lib/cmdline.c).
fn parameter(name: &str, path: &Path) -> Result<OsString, Error> {
    let text = path.to_str().filter(|text| !text.contains(|c: char| c == '"' || c.is_control()));
    let text = text.ok_or_else(|| Error::Path(path.to_owned()))?;
    Ok(if text.contains(' ') { format!("{name}=\"{text}\"") } else { format!("{name}={text}") }.into())
}

/// A running guest.
struct Guest {
    child: Child,
    console: Option<Console>,
}

impl Guest {
    /// Reads what it tells until it ends.
    async fn follow(
        &mut self,
        case: &str,
        progress: &dyn Progress,
        stall: Duration,
        folder: &Path,
    ) -> Result<ExitStatus, Error> {
        let stdout = self.child.stdout.take();
        let mut lines = stdout.map(|stdout| BufReader::new(stdout).lines());
        let (mut at_s, mut step) = (0.0, "its start".to_string());
        while let Some(open) = &mut lines {
            let Ok(line) = tokio::time::timeout(stall, open.next_line()).await else {
                let mut last = ask(folder).await;
                let _ = self.child.kill().await;
                last.extend(self.last_lines());
                return Err(Error::Stalled { limit: stall, at_s, step, lines: last });
            };
            let Ok(Some(line)) = line else { break };
            match serde_json::from_str(line.trim_end()) {
                Ok(Line::Started) => progress.started(case),
                Ok(Line::Step { number, of, text }) => {
                    progress.step(case, number, of, &text);
                    step = format!("step {number}, {text}");
                }
                Ok(Line::Moment(moment)) => {
                    at_s = moment.clock_s;
                    progress.moment(case, &moment);
                }
                Ok(Line::Booted | Line::Done) | Err(_) => {}
            }
        }
        self.child.wait().await.map_err(|e| doing("waiting for the guest's end", e))
    }

    fn last_lines(&mut self) -> Vec<String> {
        self.console.as_ref().map(Console::last).unwrap_or_default()
    }
}

/// The end of a guest's console.
struct Console {
    lines: std::sync::Arc<std::sync::Mutex<VecDeque<String>>>,
}

impl Console {
    fn read(console: impl AsyncRead + Unpin + Send + 'static) -> Console {
        let lines = std::sync::Arc::new(std::sync::Mutex::new(VecDeque::new()));
        let kept = lines.clone();
        tokio::spawn(async move {
            let mut console = BufReader::new(console);
            let mut line = Vec::new();
            while console.read_until(b'\n', &mut line).await.is_ok_and(|length| length > 0) {
                let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
                let mut kept = kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if kept.len() == LAST_LINES {
                    kept.pop_front();
                }
                kept.push_back(text);
                line.clear();
            }
        });
        Console { lines }
    }

    fn last(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner).iter().cloned().collect()
    }
}

/// Asks a kernel that hangs what is on its processor.
async fn ask(_folder: &Path) -> Vec<String> {
    let _ = ASKING;
    Vec::new()
}
