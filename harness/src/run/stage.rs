//! The stage: what all cases that are played on this kernel share.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
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
use crate::lab::{Error, Lab, Site, doing};
use crate::play::{Played, play};
use crate::progress::Progress;
use crate::report::results::{self, CaseResult, Outcome};
use crate::verdict::{self, Verdicts};

/// It goes down after the last case.
pub struct Stage {
    clock: &'static str,
    site: Site,
    canary: Canary,
    /// Labs of cases that did not pass, if they are to be kept.
    standing: Option<Mutex<Vec<Lab>>>,
    // Last: the tracer's files must be closed before the guard removes the instance.
    _guard: Guard,
}

impl Stage {
    /// A stage on this machine's own kernel; `keeps` the labs of cases that do not pass.
    ///
    /// # Errors
    /// When the machine lacks something (root, tracefs).
    pub fn set(program: &Path, seed: u64, keeps: bool) -> Result<Stage, Error> {
        let canary = Canary::start().map_err(|e| doing("starting the canary", e))?;
        let stage = Stage::build(program, super::REAL, canary, Guard::start(program)?, seed)?;
        Ok(Stage { standing: keeps.then(Mutex::default), ..stage })
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
        Ok(Stage { clock, site, canary, standing: None, _guard: guard })
    }

    /// Plays a case, judges it, and writes its evidence to `folder`.
    pub async fn play(&self, case: Arc<Case>, folder: &Path, progress: Arc<dyn Progress>) -> CaseResult {
        let started = Instant::now();
        let played = play(case.clone(), self.site.clone(), &self.canary, progress).await;
        let mut result = CaseResult::new(&case, self.clock);
        match played {
            Ok((played, lab)) => {
                judge(&case, played, folder, &mut result);
                self.strike(lab, &mut result).await;
            }
            Err(error) => result.messages.push(error.to_string()),
        }
        result.wall_s = results::round(started.elapsed());
        result
    }
}

impl Stage {
    /// Ends a lab, or keeps it.
    async fn strike(&self, mut lab: Lab, result: &mut CaseResult) {
        if let Some(standing) = self.standing.as_ref().filter(|_| result.outcome != Outcome::Pass) {
            result.kept = lab.stand();
            standing.lock().unwrap_or_else(PoisonError::into_inner).push(lab);
        } else if let Err(error) = lab.down().await {
            result.outcome = Outcome::Error;
            result.messages.push(error.to_string());
        }
    }

    /// Whether a lab was kept.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.standing.as_ref().is_some_and(|labs| !labs.lock().unwrap_or_else(PoisonError::into_inner).is_empty())
    }

    /// Ends the labs that were kept.
    ///
    /// # Errors
    /// When one does not end; the others have ended.
    pub async fn down(&self) -> Result<(), Error> {
        let labs = self
            .standing
            .as_ref()
            .map(|labs| std::mem::take(&mut *labs.lock().unwrap_or_else(PoisonError::into_inner)));
        let mut ended = Ok(());
        for lab in labs.into_iter().flatten() {
            ended = ended.and(lab.down().await);
        }
        ended
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
