//! Runs many cases side by side, and says how it goes.

pub mod canary;
pub mod hz;
pub mod stage;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::stage::Stage;
use crate::Case;
use crate::guest::launch::Launcher;
use crate::lab::{Error, doing};
use crate::progress::Progress;
use crate::report::results::{self, CaseResult};

/// The name of this machine's own clock.
pub const REAL: &str = "real";
/// The name of a guest's clock.
pub const VIRTUAL: &str = "virtual";

/// How a run is done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// This program, for actors and helpers.
    pub program: PathBuf,
    /// Where results go.
    pub out: PathBuf,
    /// How many cases at a time.
    pub jobs: usize,
    /// What all chance comes from.
    pub seed: u64,
    /// Whether the labs of cases that do not pass are kept, on this machine's own clock.
    pub keep: bool,
    /// How guests are started; `None` plays on this machine's own kernel and clock.
    pub guests: Option<Launcher>,
}

/// Who hears how a run goes on.
pub trait Audience: Progress {
    /// A case has ended.
    fn ended(&self, result: &CaseResult);
}

/// Where cases are played.
enum Venue {
    Here(Stage),
    Guests(Launcher),
}

impl Venue {
    fn open(plan: &Plan) -> Result<Venue, Error> {
        Ok(match &plan.guests {
            Some(launcher) => Venue::Guests(launcher.clone()),
            None => Venue::Here(Stage::set(&plan.program, plan.seed, plan.keep)?),
        })
    }

    async fn play(&self, case: Arc<Case>, plan: &Plan, progress: Arc<dyn Progress>) -> CaseResult {
        match self {
            Venue::Here(stage) => stage.play(case.clone(), &plan.out.join(results::folder(&case)), progress).await,
            Venue::Guests(launcher) => launcher.play(&case, progress.as_ref()).await.unwrap_or_else(|error| {
                let mut result = CaseResult::new(&case, VIRTUAL);
                result.messages.push(error.to_string());
                result
            }),
        }
    }
}

/// Labs that were kept, and what they need to stand. It is to be ended by [`Standing::down`], else it ends with this process.
pub struct Standing(Arc<Venue>);

impl Standing {
    /// Ends them.
    ///
    /// # Errors
    /// When one does not end.
    pub async fn down(self) -> Result<(), Error> {
        let ended = match self.0.as_ref() {
            Venue::Here(stage) => stage.down().await,
            Venue::Guests(_) => Ok(()),
        };
        ended.and(close(self.0).await)
    }
}

async fn close(venue: Arc<Venue>) -> Result<(), Error> {
    let down = tokio::task::spawn_blocking(move || drop(venue));
    down.await.map_err(|e| doing("clearing the stage", std::io::Error::other(e)))
}

/// Runs cases and gives their results in the order of the cases, and the labs that were kept.
///
/// # Errors
/// When nothing can run on this machine at all.
pub async fn run(
    cases: Vec<Case>,
    plan: &Plan,
    audience: Arc<dyn Audience>,
) -> Result<(Vec<CaseResult>, Option<Standing>), Error> {
    let opening = plan.clone();
    let venue = tokio::task::spawn_blocking(move || Venue::open(&opening));
    let venue = Arc::new(venue.await.map_err(|e| doing("setting the stage", std::io::Error::other(e)))??);
    let places = Arc::new(Semaphore::new(plan.jobs));
    let mut running = JoinSet::new();
    for (index, case) in cases.into_iter().enumerate() {
        let (venue, places, audience, plan) = (venue.clone(), places.clone(), audience.clone(), plan.clone());
        running.spawn(async move {
            let _place = places.acquire().await;
            let result = venue.play(Arc::new(case), &plan, audience.clone()).await;
            audience.ended(&result);
            (index, result)
        });
    }
    let mut results = Vec::new();
    while let Some(ended) = running.join_next().await {
        results.push(ended.map_err(|e| doing("running a case", std::io::Error::other(e)))?);
    }
    results.sort_by_key(|(index, _)| *index);
    let results = results.into_iter().map(|(_, result)| result).collect();
    let stands = matches!(venue.as_ref(), Venue::Here(stage) if stage.stands());
    if stands {
        return Ok((results, Some(Standing(venue))));
    }
    close(venue).await?;
    Ok((results, None))
}
