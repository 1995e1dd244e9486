//! Runs many cases side by side, and says how it goes.

pub mod canary;
pub mod hz;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::canary::Canary;
use crate::Case;
use crate::evidence::routes::Routes;
use crate::evidence::trace::Tracer;
use crate::expect;
use crate::lab::guard::Guard;
use crate::lab::keeper::Keeper;
use crate::lab::{Error, Site, doing};
use crate::play::{Played, Progress, play};
use crate::report::results::{self, CaseResult, Outcome};
use crate::verdict::{self, Verdicts};

/// How a run is done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// This program, for actors and helpers.
    pub program: PathBuf,
    /// Where results go.
    pub out: PathBuf,
    /// How many cases at a time.
    pub jobs: usize,
}

/// Who hears how a run goes on.
pub trait Audience: Progress {
    /// A case has ended.
    fn ended(&self, result: &CaseResult);
}

/// What all cases share; it goes down after the last of them.
struct Stage {
    site: Site,
    canary: Canary,
    // Last: the tracer's files must be closed before the guard removes the instance.
    _guard: Guard,
}

impl Stage {
    fn set(program: &Path) -> Result<Stage, Error> {
        let keeper = Keeper::start(program)?;
        let guard = Guard::start(program)?;
        let routes = Arc::new(Routes::default());
        let tracer = Tracer::start(guard.instance(), routes).map_err(|e| doing("reading the kernel's trace", e))?;
        let canary = Canary::start().map_err(|e| doing("starting the canary", e))?;
        let site = Site { program: program.to_path_buf(), keeper, tracer: Arc::new(tracer) };
        Ok(Stage { site, canary, _guard: guard })
    }
}

/// Runs cases and gives their results in the order of the cases.
///
/// # Errors
/// When nothing can run on this machine at all.
pub async fn run(cases: Vec<Case>, plan: &Plan, audience: Arc<dyn Audience>) -> Result<Vec<CaseResult>, Error> {
    let program = plan.program.clone();
    let stage = tokio::task::spawn_blocking(move || Stage::set(&program));
    let stage = Arc::new(stage.await.map_err(|e| doing("setting the stage", std::io::Error::other(e)))??);
    let places = Arc::new(Semaphore::new(plan.jobs));
    let mut running = JoinSet::new();
    for (index, case) in cases.into_iter().enumerate() {
        let (stage, places, audience, out) = (stage.clone(), places.clone(), audience.clone(), plan.out.clone());
        running.spawn(async move {
            let _place = places.acquire().await;
            let result = one(Arc::new(case), &stage, &out, audience.as_ref()).await;
            audience.ended(&result);
            (index, result)
        });
    }
    let mut results = Vec::new();
    while let Some(ended) = running.join_next().await {
        results.push(ended.map_err(|e| doing("running a case", std::io::Error::other(e)))?);
    }
    results.sort_by_key(|(index, _)| *index);
    let down = tokio::task::spawn_blocking(move || drop(stage));
    down.await.map_err(|e| doing("clearing the stage", std::io::Error::other(e)))?;
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

async fn one(case: Arc<Case>, stage: &Stage, out: &Path, audience: &dyn Audience) -> CaseResult {
    let started = Instant::now();
    let played = play(case.clone(), stage.site.clone(), &stage.canary, audience).await;
    let mut result = CaseResult {
        scenario: case.scenario.clone(),
        case: case.values.clone(),
        clock: "real".into(),
        outcome: Outcome::Error,
        wall_s: 0.0,
        clock_s: 0.0,
        connections: Vec::new(),
        checks: Vec::new(),
        messages: Vec::new(),
        folder: results::folder(&case),
    };
    match played {
        Ok(played) => judge(&case, played, out, &mut result),
        Err(error) => result.messages.push(error.to_string()),
    }
    result.wall_s = round(started.elapsed());
    result
}

fn judge(case: &Case, played: Played, out: &Path, result: &mut CaseResult) {
    let Verdicts { connections, checks, gaps } = verdict::judge(&played.events);
    let written = results::write_case(out, case, &played, &connections);
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
        result.messages.push(format!("writing the evidence of this case below {}: {error}", out.display()));
    }
    result.connections = verdicts.connections;
    result.checks = verdicts.checks;
}

fn round(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}
