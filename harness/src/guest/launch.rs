//! On the host: one guest for one case.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::channel::Line;
use super::console::{self, Console};
use super::contain::Contained;
use super::init::Job;
use super::memory::Memory;
use super::{FILES, JOB, RESULT, RESULTS, processors};
use crate::Case;
use crate::clock::readable;
use crate::lab;
use crate::lab::unpacked::{self, Unpacked};
use crate::progress::Progress;
use crate::report::results::{self, CaseResult, Outcome};

/// Memory of a guest; what it does not touch costs nothing.
const MEMORY: &str = "mem=1024M";
/// How long the crash of a guest that hangs may take.
const CRASH: Duration = Duration::from_secs(2);
/// Where User-Mode Linux puts its console for commands, below its working directory.
const MCONSOLE: &str = ".guest";

/// Why a guest gave no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something of this machine failed.
    #[error(transparent)]
    Machine(#[from] lab::Error),
    /// A path that cannot stand on a kernel's command line.
    #[error(
        "the path {0} cannot be given to a kernel: it has a quote, a line break or another control character in it; choose another with --out, or move the program"
    )]
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
        "the guest's clock stood still for {} ({step}, clock at {at_s:.3} s): {program} computes without pause, and on the \
         virtual clock nothing else gets its turn then; make it wait for something, or use --clock real; --stall gives it \
         more time{}",
        readable(*.limit), shown(.lines)
    )]
    Stalled {
        /// How long, of wall time.
        limit: Duration,
        /// Its last known time, seconds after the timeline's start.
        at_s: f64,
        /// What it was doing.
        step: String,
        /// The program on its processor, as its kernel knows it.
        program: String,
        /// The last lines of its console.
        lines: Vec<String>,
    },
}

fn shown(lines: &[String]) -> String {
    let lines: String = lines.iter().map(|line| format!("\n    | {line}")).collect();
    if lines.is_empty() { lines } else { format!("; its console said last:{lines}") }
}

fn doing(what: impl AsRef<str>, cause: std::io::Error) -> Error {
    lab::doing(what.as_ref(), cause).into()
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
    /// What all chance comes from.
    pub seed: u64,
    /// How long a guest may compute without its clock moving, wall time.
    pub stall: Duration,
    /// Whether the files of a case that does not pass are kept.
    pub keep: bool,
}

impl Launcher {
    /// Plays a case in a guest of its own.
    ///
    /// # Errors
    /// When the guest could not be started, ended without a result, or was ended because its clock stood still.
    pub async fn play(&self, case: &Case, progress: &dyn Progress) -> Result<CaseResult, Error> {
        let images = images(case).await?;
        let claim = processors::one().await.map_err(|e| doing("waiting for a processor", e))?;
        let started = Instant::now();
        let folder = self.prepare(case, images, progress.is_watched())?;
        let memory = Memory::new(claim.number).map_err(|e| doing("making a place for the guest's memory", e))?;
        let mut guest = self.start(&folder, memory, claim.number)?;
        let ended = guest.follow(&case.name(), progress, self.stall, &folder).await;
        let _ = fs::remove_dir_all(folder.join(MCONSOLE));
        let status = ended?;
        let text = fs::read(folder.join(RESULT));
        let result = text.ok().filter(|_| status.success()).and_then(|text| serde_json::from_slice(&text).ok());
        let lines = if result.is_none() { guest.last_lines().await } else { Vec::new() };
        let mut result: CaseResult = result.ok_or(Error::Ended { status, lines })?;
        result.wall_s = results::round(started.elapsed());
        if self.keep && result.outcome != Outcome::Pass {
            result.kept.push(format!("what its programs wrote is in {}", folder.join(FILES).display()));
            result.kept.push("its kernel has ended with it; with --clock real its nodes can be entered".into());
        }
        Ok(result)
    }

    /// The case's folder, with the guest's orders in it and no result of an earlier run.
    fn prepare(&self, case: &Case, images: BTreeMap<String, Unpacked>, watched: bool) -> Result<PathBuf, Error> {
        let folder = self.out.join(results::folder(case));
        let failed = |e| doing(format!("preparing the folder {}", folder.display()), e);
        fs::create_dir_all(&folder).map_err(failed)?;
        let folder = fs::canonicalize(&folder).map_err(failed)?;
        let _ = fs::remove_file(folder.join(RESULT));
        let file = fs::canonicalize(&case.file)
            .map_err(|e| doing(format!("finding the scenario {}", case.file.display()), e))?;
        let job = Job {
            file,
            scenario: case.scenario.clone(),
            case: case.name(),
            program: self.program.clone(),
            seed: self.seed,
            images,
            watched,
            keep: self.keep,
        };
        let job = serde_json::to_vec_pretty(&job).map_err(|e| failed(e.into()))?;
        fs::write(folder.join(JOB), job).map_err(failed)?;
        Ok(folder)
    }

    fn start(&self, folder: &Path, memory: Memory, processor: usize) -> Result<Guest, Error> {
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
        let mut child = command.spawn().map_err(|e| doing(format!("starting {}", self.program.display()), e))?;
        let console = child.stderr.take().map(Console::read);
        Ok(Guest { child, console, memory: Some(memory) })
    }

    /// The kernel's command line (Documentation/admin-guide/kernel-parameters.txt, `linux --help`).
    fn command_line(&self, folder: &Path) -> Result<Vec<OsString>, Error> {
        let words = [
            MEMORY,
            "time-travel=inf-cpu",
            "root=none",
            "rootfstype=hostfs",
            "rootflags=/",
            "ro",
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
        line.push(format!("time-travel-start={}", whole_second_ns()).into());
        line.push(parameter("init", &self.program)?);
        line.push(parameter(RESULTS, folder)?);
        line.extend(["--", "guest"].map(OsString::from));
        Ok(line)
    }
}

/// The images of a case's services, unpacked.
async fn images(case: &Case) -> Result<BTreeMap<String, Unpacked>, Error> {
    let mut images = BTreeMap::new();
    for service in &case.services {
        let name = service.name.as_str();
        let image = service.kind.image().map_err(|e| doing(format!("preparing `{name}`"), e))?;
        if let Some(image) = image {
            let mut unpacked = unpacked::unpack(&image).await?;
            // A folder of the user's is not written to.
            if image.folder.is_none() {
                service.kind.prepare(&mut unpacked).map_err(|e| doing(format!("preparing `{name}`"), e))?;
            }
            images.insert(name.to_owned(), unpacked);
        }
    }
    Ok(images)
}

/// Where a guest's wall clock starts, nanoseconds: at a whole second, since programs such as HAProxy count milliseconds from it.
fn whole_second_ns() -> u128 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Duration::from_secs(now.as_secs()).as_nanos()
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
    memory: Option<Memory>,
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
                return Err(self.stalled(stall, at_s, step, folder).await);
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
                // Its memory has no name any more, so nothing is left behind should this process be killed from here on.
                Ok(Line::Booted) => drop(self.memory.take()),
                Ok(Line::Done) | Err(_) => {}
            }
        }
        self.child.wait().await.map_err(|e| doing("waiting for the guest's end", e))
    }

    /// Ends a guest whose clock stands still, by a crash, since its kernel then says which program is on its processor.
    async fn stalled(&mut self, limit: Duration, at_s: f64, step: String, folder: &Path) -> Error {
        if console::crash(&folder.join(MCONSOLE)).is_ok() {
            let _ = tokio::time::timeout(CRASH, self.child.wait()).await;
        }
        let _ = self.child.kill().await;
        let lines = self.last_lines().await;
        let program = console::program(&lines).unwrap_or_else(|| "a program in it".into());
        Error::Stalled { limit, at_s, step, program, lines }
    }

    async fn last_lines(&mut self) -> Vec<String> {
        match self.console.take() {
            Some(console) => console.last().await,
            None => Vec::new(),
        }
    }
}
