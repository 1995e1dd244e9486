//! `whyclosed run PATH…`

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::kept::{self, Line};
use super::reports::Reports;
use super::terminal::Terminal;
use super::{BROKEN, FAILED, PASSED, check};
use crate::guest::launch::Launcher;
use crate::guest::processors;
use crate::kernel;
use crate::report::Ran;
use crate::report::results::{self, CaseResult, Outcome, Results};
use crate::report::table;
use crate::run::{Plan, run};
use crate::scenario::parse_duration;

/// Cases at a time on the real clock: they wait, they do not compute.
const JOBS: usize = 16;

/// The seed, unless another is given.
const SEED: u64 = 1;
/// The folder of results, unless another is given.
const OUT: &str = "out";

/// What is said when a person, or the end of who has asked for the run, ends it.
const INTERRUPTED: &str = "interrupted; everything that ran has been ended";

/// How long calls that still block may hold up the end of a run.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// What is to be run, and how.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Scenario files, or folders of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Run only cases whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Run only cases that did not pass in the last run, as the results in DIR say
    #[arg(long)]
    failed: bool,
    /// Which clock: a guest kernel's, on which hours pass in a second, or this machine's own
    #[arg(long, value_name = "CLOCK", value_enum, default_value_t = Clock::default())]
    clock: Clock,
    /// How many cases at a time [default: 16 on the real clock, one for each processor on the virtual one]
    #[arg(long, short, value_name = "N")]
    jobs: Option<usize>,
    /// The guest kernel, if not the one that `whyclosed kernel` has built
    #[arg(long, value_name = "FILE")]
    kernel: Option<PathBuf>,
    /// How long a guest may compute without its clock moving, wall time
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = duration)]
    stall: Duration,
    /// What all chance comes from: the same seed, the same losses on wires
    #[arg(long, value_name = "NUMBER", default_value_t = SEED)]
    seed: u64,
    /// Where results, evidence and captures go
    #[arg(long, value_name = "DIR", default_value = OUT)]
    out: PathBuf,
    /// Keep the lab of a case that does not pass: on the real clock it stands until `whyclosed clean`, and its nodes can be entered; on
    /// the virtual clock, whose kernel ends with its case, what its programs wrote
    #[arg(long)]
    keep: bool,
    /// Print only what did not pass
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    reports: Reports,
}

/// A clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Clock {
    Virtual,
    Real,
}

impl Default for Clock {
    /// User-Mode Linux exists for x86-64 Linux.
    fn default() -> Clock {
        if cfg!(all(target_os = "linux", target_arch = "x86_64")) { Clock::Virtual } else { Clock::Real }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|refusal| refusal.message)
}

/// Runs scenarios.
pub fn main(arguments: &Arguments) -> u8 {
    let cases = match check::matching(&arguments.paths, &arguments.filter) {
        Ok(cases) => cases,
        Err(code) => return code,
    };
    let cases = match if arguments.failed { failed(arguments, cases) } else { Ok(cases) } {
        Ok(cases) if arguments.failed && cases.is_empty() => {
            anstream::println!("everything passed in the last run: nothing to do");
            return PASSED;
        }
        Ok(cases) => cases,
        Err(error) => {
            anstream::eprintln!("{error}");
            return BROKEN;
        }
    };
    match attempt(arguments, cases) {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("{error}\n`whyclosed doctor` says what this machine has and lacks");
            BROKEN
        }
    }
}

fn attempt(arguments: &Arguments, cases: Vec<crate::Case>) -> Result<u8, Box<dyn std::error::Error>> {
    let program = std::env::current_exe()?;
    let guests = match arguments.clock {
        Clock::Real if !nix::unistd::geteuid().is_root() => {
            return Err(
                "the real clock needs root: it makes network namespaces and reads the kernel's trace (try sudo, or --clock virtual)"
                    .into(),
            );
        }
        Clock::Real => None,
        Clock::Virtual => Some(Launcher {
            kernel: match &arguments.kernel {
                Some(kernel) => kernel.clone(),
                None => kernel::find()?.path,
            },
            program: program.clone(),
            out: arguments.out.clone(),
            seed: arguments.seed,
            stall: arguments.stall,
            keep: arguments.keep,
        }),
    };
    // Before anything is made: what is to outlive the run is made by a process that does.
    let line = Line::of_this_process();
    if arguments.keep && guests.is_none() && line.is_none() {
        return Ok(kept::in_background()?);
    }
    let started = Instant::now();
    std::fs::create_dir_all(&arguments.out)
        .map_err(|e| format!("making the folder {} for the results: {e}", arguments.out.display()))?;
    // Results of an earlier run must not pass for this one's, should it be interrupted.
    let _ = std::fs::remove_file(arguments.out.join("results.json"));
    let usual = || if guests.is_some() { processors::usable().len() } else { JOBS };
    let jobs = arguments.jobs.unwrap_or_else(usual).max(1);
    let plan = Plan { program, out: arguments.out.clone(), jobs, seed: arguments.seed, keep: arguments.keep, guests };
    let audience = Arc::new(Terminal::new(cases.len(), arguments.quiet));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        tokio::select! {
            results = run(cases, &plan, audience) => results.map_err(Box::<dyn std::error::Error>::from),
            _ = tokio::signal::ctrl_c() => Err(INTERRUPTED.into()),
            () = kept::cut(line.as_ref()) => Err(INTERRUPTED.into()),
        }
    });
    let told = ended.and_then(|(results, standing)| Ok((tell(arguments, &plan, results, started)?, standing)));
    let code = told.and_then(|(code, standing)| {
        if let Some(standing) = standing {
            if let Some(line) = line {
                line.hand_over(code);
            }
            runtime.block_on(async { kept::until_ended().await.and(standing.down().await.map_err(Into::into)) })?;
        }
        Ok(code)
    });
    // No call that still blocks may hold up the end.
    runtime.shutdown_timeout(SHUTDOWN_LIMIT);
    code
}

/// Writes results and reports, and says what came of the run.
fn tell(
    arguments: &Arguments,
    plan: &Plan,
    results: Vec<CaseResult>,
    started: Instant,
) -> Result<u8, Box<dyn std::error::Error>> {
    let code = code(&results);
    let rerun = rerun(arguments, &results);
    let wall_s = results::round(started.elapsed());
    let results = Results { version: 1, seed: arguments.seed, wall_s, rerun, cases: results };
    let file = plan.out.join("results.json");
    results::write(&plan.out, &results).map_err(|e| format!("writing {}: {e}", file.display()))?;
    let mut places = vec![file.display().to_string()];
    places.extend(arguments.reports.write(&Ran { results: &results, folder: &plan.out })?);
    anstream::print!("{}", table::summary(&results, &places));
    if results.cases.iter().any(|result| !result.kept.is_empty()) && plan.guests.is_none() {
        anstream::println!("labs of what did not pass still stand; `whyclosed clean` ends them");
    }
    Ok(code)
}

fn code(results: &[CaseResult]) -> u8 {
    let any = |outcome| results.iter().any(|result| result.outcome == outcome);
    if any(Outcome::Error) || any(Outcome::Inconclusive) {
        BROKEN
    } else if any(Outcome::Fail) {
        FAILED
    } else {
        PASSED
    }
}

/// Those of the cases that did not pass in the last run.
fn failed(arguments: &Arguments, cases: Vec<crate::Case>) -> Result<Vec<crate::Case>, String> {
    let file = arguments.out.join("results.json");
    let last = results::read(&file).map_err(|e| {
        format!("--failed needs the results of the last run, and {} cannot be read: {e}", file.display())
    })?;
    let bad = last.cases.iter().filter(|result| result.outcome != Outcome::Pass);
    let bad: Vec<_> = bad.map(CaseResult::name).collect();
    Ok(cases.into_iter().filter(|case| bad.contains(&case.name())).collect())
}

/// The command that runs just what did not pass; empty if everything did.
fn rerun(arguments: &Arguments, results: &[CaseResult]) -> String {
    let bad: Vec<_> = results.iter().filter(|result| result.outcome != Outcome::Pass).collect();
    let mut words = vec!["whyclosed".to_string(), "run".into()];
    words.extend(arguments.paths.iter().map(|path| quoted(&path.display().to_string())));
    if arguments.clock != Clock::default() {
        words.push("--clock real".into());
    }
    if arguments.seed != SEED {
        words.push(format!("--seed {}", arguments.seed));
    }
    if arguments.out != Path::new(OUT) {
        words.push(format!("--out {}", quoted(&arguments.out.display().to_string())));
    }
    match bad.as_slice() {
        [] => return String::new(),
        [one] => words.push(format!("--filter {}", quoted(&one.name()))),
        _ => words.push("--failed".into()),
    }
    words.join(" ")
}

/// A word as a shell takes it for one.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+:@%".contains(letter);
    if !word.is_empty() && word.chars().all(plain) { word.into() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
