//! `whyclosed run PATH…`

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::terminal::Terminal;
use super::{BROKEN, FAILED, PASSED, check};
use crate::guest::launch::Launcher;
use crate::guest::processors;
use crate::kernel;
use crate::report::results::{self, CaseResult, Outcome, Results};
use crate::report::table;
use crate::run::{Plan, run};
use crate::scenario::parse_duration;

/// Cases at a time on the real clock: they wait, they do not compute.
const JOBS: usize = 16;

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
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Where results, evidence and captures go
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
    /// Print only what did not pass
    #[arg(long, short)]
    quiet: bool,
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
    let cases = match check::all(&arguments.paths) {
        Ok(cases) => cases,
        Err(code) => return code,
    };
    // Every text must be in the name: `--filter seed/idle --filter short`.
    let wanted = |name: &str| arguments.filter.iter().all(|text| name.contains(text.as_str()));
    let cases: Vec<_> = cases.into_iter().filter(|case| wanted(&case.name())).collect();
    if cases.is_empty() {
        anstream::eprintln!("no case has `{}` in its name", arguments.filter.join("` and `"));
        return BROKEN;
    }
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
        }),
    };
    let started = Instant::now();
    std::fs::create_dir_all(&arguments.out)
        .map_err(|e| format!("making the folder {} for the results: {e}", arguments.out.display()))?;
    // Results of an earlier run must not pass for this one's, should it be interrupted.
    let _ = std::fs::remove_file(arguments.out.join("results.json"));
    let usual = || if guests.is_some() { processors::usable().len() } else { JOBS };
    let jobs = arguments.jobs.unwrap_or_else(usual).max(1);
    let plan = Plan { program, out: arguments.out.clone(), jobs, seed: arguments.seed, guests };
    let audience = Arc::new(Terminal::new(cases.len(), arguments.quiet));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let results = runtime.block_on(async {
        tokio::select! {
            results = run(cases, &plan, audience) => results.map_err(Box::<dyn std::error::Error>::from),
            _ = tokio::signal::ctrl_c() => Err("interrupted; everything that ran has been ended".into()),
        }
    });
    // No call that still blocks may hold up the end.
    runtime.shutdown_timeout(SHUTDOWN_LIMIT);
    let results = results?;
    let code = code(&results);
    results::write(&plan.out, &Results { version: 1, seed: arguments.seed, cases: results.clone() })
        .map_err(|e| format!("writing {}: {e}", plan.out.join("results.json").display()))?;
    let rerun = rerun(arguments, &results);
    let out = plan.out.join("results.json").display().to_string();
    anstream::print!("{}", table::summary(&results, started.elapsed().as_secs_f64(), arguments.seed, &out, &rerun));
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

/// The command that runs just what did not pass.
fn rerun(arguments: &Arguments, results: &[CaseResult]) -> String {
    let paths: Vec<_> = arguments.paths.iter().map(|path| path.display().to_string()).collect();
    let bad: Vec<_> = results.iter().filter(|result| result.outcome != Outcome::Pass).map(CaseResult::name).collect();
    let clock = if arguments.clock == Clock::default() { "" } else { " --clock real" };
    let commands = bad.iter().map(|name| format!("whyclosed run {}{clock} --filter '{name}'", paths.join(" ")));
    commands.collect::<Vec<_>>().join("\n  ")
}
