//! What the rules of a proxy's inactivity timers have in common.
//!
//! HAProxy's timers restart with every byte of payload that it reads from a leg or writes to it (measured with HAProxy 2.6; manual, 4.2
//! `timeout client`, `timeout server`), and from the accept when there never was any. It counts whole milliseconds of a cached
//! clock, so it can be 1 ms early against the wire.

use crate::evidence::{Moment, ProxyTimeouts, Role, Source, Span};

use super::super::decide::{Due, Judgement};
use super::super::scene::{Scene, Way};
use super::patterns::{ms, s};

/// How much earlier than nominal a timer of whole milliseconds can be seen to fire.
const EARLY: Span = Span::millis(1);
/// How much later than nominal a lone session's timer is seen to fire, on an idle machine.
const LATE: Span = Span::millis(50);

/// One of a proxy's timers.
pub struct Timer {
    /// As the configuration has it: `timeout client`.
    pub name: &'static str,
    /// Its value among the timeouts.
    pub value: fn(&ProxyTimeouts) -> Option<u64>,
    /// Whether it watches the client's leg (else the server's).
    pub watches_client: bool,
    /// The termination states that it gives (manual, 8.5): a timer of another phase (`sC`, `sQ`) is another timer.
    pub states: &'static [&'static str],
    /// It is in force only when `timeout tunnel` is not.
    pub without_tunnel: bool,
}

/// Judges an endpoint of a proxy by one of its timers.
pub fn judge(scene: &Scene<'_>, timer: &Timer) -> Judgement {
    match scene.me().role {
        Some(Role::Proxy) => {}
        Some(_) => return Judgement::inapplicable("this endpoint is not a proxy's"),
        None => return Judgement::default(),
    }
    let mut judgement = Judgement::default();
    own_doing(&mut judgement, scene);
    let struck = first_shut(scene);
    judgement.struck = struck.map(|(at, _)| at);
    by_log(&mut judgement, scene, timer);
    by_exit(&mut judgement, scene);
    let timeouts = scene.timeouts();
    if let Some(timeouts) = timeouts {
        if timer.without_tunnel && timeouts.tunnel.is_some() {
            judgement.exclude_alone(Source::Settings, "`timeout tunnel` is set and replaces it once both legs stand");
        } else if let Some(value) = (timer.value)(timeouts) {
            by_time(&mut judgement, scene, timer, ms(value), struck.map(|(at, _)| at));
        } else {
            judgement.exclude_alone(Source::Settings, format!("`{}` is not set", timer.name));
        }
    }
    by_order(&mut judgement, scene, timer);
    judgement
}

/// The proxy shut this leg itself, and nothing from outside had ended either leg before.
fn own_doing(judgement: &mut Judgement, scene: &Scene<'_>) {
    for ending in scene.endings() {
        match ending.way {
            Way::SentFin | Way::SentRst => judgement.support(ending.source, super::patterns::seen(&ending)),
            _ if shut_elsewhere_before(scene, ending.at) => {}
            _ => judgement.exclude(ending.source, format!("{} at {}", super::patterns::seen(&ending), ending.at)),
        }
    }
    if let Some(other) = scene.other_leg() {
        let mine = scene.endings();
        for theirs in other.endings() {
            let own = mine.iter().find(|ending| ending.source == theirs.source);
            let earlier = own.is_some_and(|own| theirs.at < own.at) && !theirs.way.by_process();
            if earlier {
                let text =
                    format!("before that, on the other leg, {} at {}", super::patterns::seen(&theirs), theirs.at);
                judgement.exclude(theirs.source, text);
            }
        }
    }
    super::patterns::must_show(judgement, scene);
}

/// The proxy had already shut the session's other leg: what then comes from outside is an answer.
fn shut_elsewhere_before(scene: &Scene<'_>, at: Moment) -> bool {
    let shut = |leg: Scene<'_>| leg.endings().iter().any(|ending| ending.way.by_process() && ending.at < at);
    scene.other_leg().is_some_and(shut)
}

/// When the proxy first shut a leg of this session, and whether it was the client's.
fn first_shut(scene: &Scene<'_>) -> Option<(Moment, bool)> {
    let (client, server) = scene.legs();
    let own = |leg: Option<Scene<'_>>| {
        let end = leg?.end()?;
        end.way.by_process().then_some(end.at)
    };
    match (own(client), own(server)) {
        (Some(client), Some(server)) => Some((client.min(server), client <= server)),
        (Some(client), None) => Some((client, true)),
        (None, Some(server)) => Some((server, false)),
        (None, None) => None,
    }
}

fn by_log(judgement: &mut Judgement, scene: &Scene<'_>, timer: &Timer) {
    let Some((at, log)) = scene.proxy_log() else { return };
    let text = format!("the proxy logged `{}` at {at}", log.termination);
    if timer.states.contains(&log.termination.as_str()) {
        judgement.support(Source::Log, text);
    } else {
        judgement.exclude(Source::Log, text);
    }
}

fn by_exit(judgement: &mut Judgement, scene: &Scene<'_>) {
    if let Some(exit) = scene.exit() {
        judgement.exclude(Source::Kernel, format!("the proxy's process ended at {}", exit.at));
    }
}

/// The timer's own arithmetic: counted from the last payload on the leg that it watches.
fn by_time(judgement: &mut Judgement, scene: &Scene<'_>, timer: &Timer, nominal: Span, struck: Option<Moment>) {
    let (client, server) = scene.legs();
    let Some(leg) = (if timer.watches_client { client } else { server }) else { return };
    if !scene.model.has(Source::Wire) {
        return;
    }
    let until = struck.unwrap_or(scene.model.end);
    let payload = leg.last_payload(until);
    let what = match (payload.map(|payload| payload.sent), timer.watches_client) {
        (Some(true), true) => format!("last payload to {}", leg.peer().me().node),
        (Some(false), _) => format!("last payload from {}", leg.peer().me().node),
        (Some(true), false) => format!("last payload to {}", leg.peer().me().node),
        (None, _) => "handshake".into(),
    };
    let since = payload.map_or_else(|| leg.established(), |payload| payload.at);
    // A frozen proxy's clock stands still too (measured with 2.6).
    let frozen = scene.frozen(since, until);
    let latest = Span(nominal.0.saturating_add(LATE.0 + scene.model.canary.0 + frozen.0));
    let window = (Span(nominal.0 - EARLY.0), latest);
    let due = Due { since, nominal, window, sum: format!("{} {}", timer.name, s(nominal)), what };
    if let Some(at) = struck {
        let elapsed = at.since(since);
        let text = format!("{} after the {} ({} {})", s(elapsed), due.what, timer.name, s(nominal));
        if due.allows(at) {
            judgement.support(Source::Settings, text);
        } else {
            judgement.exclude(Source::Settings, text);
        }
    }
    judgement.due = Some(due);
}

/// A timer on one leg shuts the read side there and passes that on: the *other* leg gets the first FIN (measured with 2.6).
fn by_order(judgement: &mut Judgement, scene: &Scene<'_>, timer: &Timer) {
    let (Some(client), Some(server)) = scene.legs() else { return };
    for source in [Source::Wire, Source::Kernel] {
        let own = |leg: Scene<'_>| {
            let end = leg.endings().into_iter().find(|ending| ending.source == source)?;
            end.way.by_process().then_some(end.at)
        };
        let (Some(client), Some(server)) = (own(client), own(server)) else { continue };
        let client_first = client < server;
        let which = if client_first { "client's" } else { "server's" };
        let text = format!("the {which} leg was shut first");
        if client_first != timer.watches_client {
            judgement.support(source, text);
        } else {
            judgement.exclude(source, text);
        }
    }
}
