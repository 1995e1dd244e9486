//! Process 1 of a guest: sets the stage, plays one case, writes its result, powers off.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::resource::{Resource, setrlimit};
use serde::{Deserialize, Serialize};

use super::channel::{Line, Teller};
use super::{FILES, JOB, RESULT, RESULTS, mounts, wheel};
use crate::lab::unpacked::Unpacked;
use crate::report::results::Outcome;
use crate::run::stage::Stage;
use crate::scenario::load;
use crate::{Case, Vocabulary};

/// Descriptors that a program of the guest may have. HAProxy makes tables for as many as it may ask
/// for, at its start: half a million, as systemd allows, would cost seconds in a guest.
const DESCRIPTORS: u64 = 20_000;

/// What a guest is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// The scenario's file.
    pub file: PathBuf,
    /// The scenario's name, which is that of the path by which it was asked for.
    pub scenario: String,
    /// The case's name.
    pub case: String,
    /// The harness's own program.
    pub program: PathBuf,
    /// What all chance comes from.
    pub seed: u64,
    /// The unpacked images of its services, by service.
    pub images: BTreeMap<String, Unpacked>,
    /// Whether a person watches how it goes on.
    pub watched: bool,
    /// Whether what its programs write is kept if the case does not pass.
    pub keep: bool,
}

/// What `whyclosed guest` does; it does not return.
pub fn main() -> ! {
    if let Err(error) = attempt() {
        // The console is the launcher's to read.
        eprintln!("whyclosed: {error}");
    }
    let Err(error) = reboot(RebootMode::RB_POWER_OFF);
    eprintln!("whyclosed: powering off: {error}");
    // The end of process 1 is the end of its kernel, too.
    std::process::exit(1)
}

fn attempt() -> Result<(), Box<dyn std::error::Error>> {
    if std::process::id() != 1 {
        return Err("`whyclosed guest` is process 1 of a guest of `--clock virtual`, and nothing else".into());
    }
    let results = std::env::var(RESULTS).map_err(|_| format!("the kernel's command line has no {RESULTS}"))?;
    let above = mounts::mount_all(&results)?;
    setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS)?;
    let folder = Path::new(mounts::RESULTS);
    let job: Job = serde_json::from_slice(&fs::read(folder.join(JOB))?)?;
    let teller = Arc::new(Teller::open(job.watched)?);
    teller.tell(&Line::Booted);
    let case = find(&job)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let stage = Stage::set_in_guest(&job.program, job.seed, job.images.clone(), wheel::wait_for_start)?;
    let result = runtime.block_on(stage.play(Arc::new(case), folder, teller.clone()));
    fs::write(folder.join(RESULT), serde_json::to_vec_pretty(&result)?)?;
    drop(stage);
    if job.keep && result.outcome != Outcome::Pass {
        above.copy(&folder.join(FILES))?;
    }
    // What still blocks is nobody's concern: everything ends here.
    runtime.shutdown_timeout(Duration::ZERO);
    mounts::close_results()?;
    teller.tell(&Line::Done);
    Ok(())
}

fn find(job: &Job) -> Result<Case, Box<dyn std::error::Error>> {
    let cases = load::<Vocabulary>(&job.file, None).map_err(|errors| errors.render(false))?;
    let mut cases = cases.into_iter().map(|case| Case { scenario: job.scenario.clone(), ..case });
    let missing = || format!("the scenario {} has no case {} any more", job.file.display(), job.case);
    Ok(cases.find(|case| case.name() == job.case).ok_or_else(missing)?)
}
