//! The stage: what all cases that are played on this kernel share.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::canary::Canary;
use super::hz::ticks_per_second;
use crate::Case;
use crate::evidence::routes::Routes;
use crate::evidence::trace::Tracer;
use crate::expect;
use crate::lab::guard::Guard;
use crate::lab::keeper::Keeper;
use crate::lab::unpacked::Unpacked;
use crate::lab::{Error, Site, doing};
use crate::play::{Played, play};
use crate::progress::Progress;
use crate::report::results::{self, CaseResult, Outcome};
use crate::verdict::{self, Verdicts};

/// It goes down after the last case.
#[derive(Debug)]
pub struct Stage {
    clock: &'static str,
    site: Site,
    canary: Canary,
    // Last: the tracer's files must be closed before the guard removes the instance.
    _guard: Guard,
}

impl Stage {
    /// A stage on this machine's own kernel.
    ///
    /// # Errors
    /// When the machine lacks something (root, tracefs).
    pub fn set(program: &Path, seed: u64) -> Result<Stage, Error> {
        let canary = Canary::start().map_err(|e| doing("starting the canary", e))?;
        Stage::build(program, super::REAL, canary, Guard::start(program)?, seed)
    }

    /// A stage in a guest whose clock is virtual; `align` waits for the moment at which its case begins and gives it, on
    /// CLOCK_MONOTONIC: a multiple of 2^21 ticks.
    ///
    /// # Errors
    /// When the guest's kernel lacks something.
    pub fn set_in_guest(
        program: &Path,
        seed: u64,
        images: BTreeMap<String, Unpacked>,
        align: fn(u32) -> std::io::Result<i64>,
    ) -> Result<Stage, Error> {
        let mut stage = Stage::build(program, super::VIRTUAL, Canary::still(), Guard::needless()?, seed)?;
        stage.site.images = Arc::new(images);
        let aligned = align(ticks_per_second()).map_err(|e| doing("finding the phase of the kernel's timers", e))?;
        stage.site.wheel_ns = Some(aligned);
        Ok(stage)
    }

    fn build(program: &Path, clock: &'static str, canary: Canary, guard: Guard, seed: u64) -> Result<Stage, Error> {
        let keeper = Keeper::start(program)?;
        let routes = Arc::new(Routes::default());
        let tracer = Tracer::start(guard.instance(), routes).map_err(|e| doing("reading the kernel's trace", e))?;
        let (program, tracer, mark) = (program.to_path_buf(), Arc::new(tracer), guard.mark());
        let site = Site { program, keeper, mark, images: Arc::default(), tracer, wheel_ns: None, seed };
        Ok(Stage { clock, site, canary, _guard: guard })
    }

    /// Plays a case, judges it, and writes its evidence to `folder`.
    pub async fn play(&self, case: Arc<Case>, folder: &Path, progress: Arc<dyn Progress>) -> CaseResult {
        let started = Instant::now();
        let played = play(case.clone(), self.site.clone(), &self.canary, progress).await;
        let mut result = CaseResult::new(&case, self.clock);
        match played {
            Ok(played) => judge(&case, played, folder, &mut result),
            Err(error) => result.messages.push(error.to_string()),
        }
        result.wall_s = results::round(started.elapsed());
        result
    }
}

fn judge(case: &Case, played: Played, folder: &Path, result: &mut CaseResult) {
    let Verdicts { connections, checks, gaps } = verdict::judge(&played.events);
    let written = results::write_case(folder, case, &played, &connections);
    result.clock_s = (played.clock_s * 1000.0).round() / 1000.0;
    let verdicts = Verdicts { connections, checks, gaps };
    // A wait that was in vain is the scenario's failure; a step that this machine could not play is not.
    let broken = played.stopped.as_ref().is_some_and(|error| !matches!(error, Error::Limit(_)));
    result.messages.extend(played.stopped.map(|error| error.to_string()));
    result.messages.extend(expect::differences(&case.expect, case.others, &verdicts));
    result.outcome = if result.messages.is_empty() { Outcome::Pass } else { Outcome::Fail };
    if !verdicts.gaps.is_empty() {
        result.outcome = Outcome::Inconclusive;
        result.messages.extend(verdicts.gaps.iter().map(|gap| format!("not everything was seen: {gap}")));
    }
    if broken {
        result.outcome = Outcome::Error;
    }
    if let Err(error) = written {
        result.outcome = Outcome::Error;
        result.messages.push(format!("writing the evidence of this case to {}: {error}", folder.display()));
    }
    result.connections = verdicts.connections;
    result.checks = verdicts.checks;
}
