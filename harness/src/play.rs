//! Plays one case: builds its lab, runs its timeline, gathers its evidence, takes the lab down.

use std::sync::Arc;
use std::time::Duration;

use netns::Frame;

use crate::Case;
use crate::clock;
use crate::evidence::store::Ledger;
use crate::evidence::wire::Wiretap;
use crate::evidence::{self, Event, Fact, Source, Span};
use crate::lab::pulse::Pulse;
use crate::lab::slices::Slice;
use crate::lab::{Error, Lab, Site};
use crate::progress::Progress;
use crate::run::canary::Canary;
use crate::scenario::Starts;

/// How long a case waits for a slice of the ephemeral ports.
const SLICE_LIMIT: Duration = Duration::from_secs(600);
/// After the last step the lab counts as quiet when nothing has happened for this long,
const QUIET: Duration = Duration::from_millis(100);
/// what a container writes comes through its engine, and takes longer;
const QUIET_ENGINE: Duration = Duration::from_secs(1);
/// and is not waited for longer than this.
const QUIET_LIMIT: Duration = Duration::from_secs(2);

/// What became of a case.
#[derive(Debug)]
pub struct Played {
    /// Its evidence.
    pub events: Vec<Event>,
    /// Every frame, for `capture.pcapng`.
    pub frames: Vec<Frame>,
    /// CLOCK_MONOTONIC at the start of its timeline.
    pub start_ns: i64,
    /// How long the timeline took on its clock, seconds.
    pub clock_s: f64,
    /// The step that could not be played to its end, and why: the evidence reaches to there.
    pub stopped: Option<Error>,
}

/// Plays a case; its lab still stands.
///
/// # Errors
/// When the lab could not be built or a service not started: then there is no timeline and no verdict.
pub async fn play(
    case: Arc<Case>,
    site: Site,
    canary: &Canary,
    progress: Arc<dyn Progress>,
) -> Result<(Played, Lab), Error> {
    let slice = Slice::claim(SLICE_LIMIT).await.map_err(|e| crate::lab::doing("claiming ephemeral ports", e))?;
    let ledger = Ledger::default();
    let lost_before = site.tracer.lost();
    let pulse = Pulse::new(case.name(), progress.clone(), site.wheel_ns.is_some());
    let mut lab = Lab::build(case.clone(), site.clone(), ledger.clone(), slice, pulse).await?;
    let played = on_built(&mut lab, &case, &site, canary, progress.as_ref()).await;
    if site.tracer.lost() > lost_before {
        ledger.put_now(Fact::Gap { from: Source::Kernel, what: "the kernel's trace buffer overran".into() });
    }
    // What the lab says while it is taken down is no evidence.
    let facts = ledger.take();
    // A guest plays one case, and nobody else is there.
    let facts = if site.wheel_ns.is_some() { facts } else { evidence::own(facts) };
    match played {
        Ok((frames, start_ns, clock_s, stopped)) => {
            Ok((Played { events: evidence::list(facts, start_ns), frames, start_ns, clock_s, stopped }, lab))
        }
        Err(error) => {
            // The first failure is the one that tells.
            let _ = lab.down().await;
            Err(error)
        }
    }
}

async fn on_built(
    lab: &mut Lab,
    case: &Arc<Case>,
    site: &Site,
    canary: &Canary,
    progress: &dyn Progress,
) -> Result<(Vec<Frame>, i64, f64, Option<Error>), Error> {
    let wiretap = Wiretap::open(&lab.network, case, &lab.ledger)?;
    lab.start_services().await?;
    let name = case.name();
    progress.started(&name);
    lab.begin();
    let start_ns = clock::monotonic_ns();
    lab.ledger.put(start_ns, kernel(site.wheel_ns.map(|at_ns| Span(start_ns - at_ns))));
    let stopped = timeline(lab, case, &name, progress).await.err();
    let end_ns = clock::monotonic_ns();
    let patience = if lab.has_containers() { QUIET_ENGINE } else { QUIET };
    quiet(&lab.ledger, patience).await;
    lab.look();
    lab.socket_tables().await?;
    lab.trace_is_read().await?;
    let frames = wiretap.stop()?;
    lab.ledger.put(start_ns, Fact::Canary { worst: canary.worst_between(start_ns, clock::monotonic_ns()) });
    Ok((frames, start_ns, Span(end_ns - start_ns).seconds(), stopped))
}

async fn timeline(lab: &mut Lab, case: &Case, name: &str, progress: &dyn Progress) -> Result<(), Error> {
    for client in case.clients.iter().filter(|client| client.starts == Starts::Now) {
        lab.start_client(client.name.as_str(), true).await?;
    }
    for (number, step) in (1..).zip(&case.timeline) {
        progress.step(name, number, case.timeline.len(), &step.text);
        lab.look();
        let fact = |done| Fact::Step {
            step: u32::try_from(number).unwrap_or(u32::MAX),
            verb: step.verb.into(),
            text: step.text.clone(),
            done,
        };
        lab.ledger.put_now(fact(false));
        step.kind.play(lab).await?;
        lab.ledger.put_now(fact(true));
    }
    Ok(())
}

/// Waits until what the last step set off has come to rest.
async fn quiet(ledger: &Ledger, patience: Duration) {
    let deadline = tokio::time::Instant::now() + QUIET_LIMIT;
    loop {
        let since = Duration::from_nanos(u64::try_from(clock::monotonic_ns() - ledger.last_activity_ns()).unwrap_or(0));
        if since >= patience || tokio::time::Instant::now() >= deadline {
            return;
        }
        tokio::time::sleep(patience - since).await;
    }
}

fn kernel(wheel: Option<Span>) -> Fact {
    let release = nix::sys::utsname::uname().map(|uts| uts.release().to_string_lossy().into_owned());
    Fact::Kernel { release: release.unwrap_or_default(), hz: crate::run::hz::ticks_per_second(), wheel }
}
