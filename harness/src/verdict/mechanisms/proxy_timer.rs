//! What the rules of a proxy's inactivity timers have in common.
//!
//! HAProxy's timers restart with every byte of payload that it reads from a leg or writes to it (measured with HAProxy 2.6; manual, 4.2
//! `timeout client`, `timeout server`), and from the accept when there never was any. It counts whole milliseconds of a
//! clock that it reads once a round of its loop (src/clock.c), so it can be 1 ms early against the wire, and by as much as the machine
//! held it up in the round that armed the timer. nginx does not move a timer for less than 300 ms (`NGX_TIMER_LAZY_DELAY`,
//! src/event/ngx_event_timer.h), and is as much early.

use crate::evidence::{Moment, ProxyTimeouts, Source, Span};

use super::super::decide::{Due, Judgement};
use super::super::scene::Scene;
use super::patterns::{ms, s};
use super::proxy_decision::{by_exit, by_log, by_server, elsewhere, first_shut, own_doing, stood};

/// How much earlier than nominal a timer of whole milliseconds can be seen to fire.
const EARLY: Span = Span::millis(1);
/// How much later than nominal a lone session's timer is seen to fire, on an idle machine.
const LATE: Span = Span::millis(50);

/// The kinds of proxies that shut the legs in HAProxy's order.
const LIKE_HAPROXY: [&str; 2] = ["haproxy", "relay"];

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
    /// When it is in force.
    pub runs: Runs,
}

/// When a timer is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// As long as neither `timeout tunnel` nor, on a half-closed leg, the `-fin` timer has taken its place.
    Ordinarily,
    /// In place of the ordinary timers, once both legs stand.
    Tunnelled,
    /// Once the proxy has passed a FIN on to the leg that it watches.
    HalfClosed,
}

/// Judges an endpoint of a proxy by one of its timers.
pub fn judge(scene: &Scene<'_>, timer: &Timer) -> Judgement {
    if let Some(answer) = elsewhere(scene) {
        return answer;
    }
    let mut judgement = Judgement::default();
    own_doing(&mut judgement, scene);
    judgement.struck = first_shut(scene);
    by_log(&mut judgement, scene, |log| timer.states.contains(&log.termination.as_str()));
    by_exit(&mut judgement, scene);
    by_phase(&mut judgement, scene, timer);
    let stands_still = by_direction(&mut judgement, scene, timer);
    let runs = (timer.watches_client && timer.runs == Runs::Ordinarily || stood_at_all(scene)) && !stands_still;
    if let Some(timeouts) = scene.timeouts().filter(|_| runs) {
        by_settings(&mut judgement, scene, timer, timeouts);
    }
    by_order(&mut judgement, scene, timer);
    judgement
}

/// Of all timers only that of the client runs without a server's leg; and while the proxy connects, it only marks the session: its
/// end waits for that of the attempts (measured with 2.6).
fn by_phase(judgement: &mut Judgement, scene: &Scene<'_>, timer: &Timer) {
    let waits = timer.watches_client && timer.runs == Runs::Ordinarily && scene.attempts().is_empty();
    if !waits {
        by_server(judgement, scene, true);
    }
}

/// A leg that stands half-closed has a timer of its own, and the leg whose peer has closed none at all: whether this one stands still.
fn by_direction(judgement: &mut Judgement, scene: &Scene<'_>, timer: &Timer) -> bool {
    let mut stands_still = false;
    for source in [Source::Kernel, Source::Wire] {
        let half = |leg: Option<Scene<'_>>| leg.is_some_and(|leg| leg.half_closed(source).is_some());
        let (client, server) = scene.legs();
        let (watched, other) =
            if timer.watches_client { (half(client), half(server)) } else { (half(server), half(client)) };
        let told = scene.endings().iter().any(|ending| ending.source == source);
        if timer.runs == Runs::HalfClosed && !watched && told && !scene.may_be_half_closed() {
            judgement.exclude(source, "the leg that it watches did not stand half-closed");
        } else if timer.runs == Runs::Ordinarily && other {
            judgement.exclude(source, "the peer of the leg that it watches had closed: nothing is waited for there");
            stands_still = true;
        }
    }
    stands_still
}

fn by_settings(judgement: &mut Judgement, scene: &Scene<'_>, timer: &Timer, timeouts: &ProxyTimeouts) {
    let fin = if timer.watches_client { timeouts.client_fin } else { timeouts.server_fin };
    if timer.runs == Runs::Ordinarily && timeouts.tunnel.is_some() && stood_at_all(scene) {
        judgement.exclude_alone(Source::Settings, "`timeout tunnel` is set and replaces it once both legs stand");
    } else if timer.runs != Runs::HalfClosed && fin.is_some() && half_closed(scene, timer) {
        judgement.exclude_alone(
            Source::Settings,
            format!("on a half-closed leg another timer takes the place of `{}`", timer.name),
        );
    } else if let Some(value) = (timer.value)(timeouts) {
        by_time(judgement, scene, timer, ms(value));
    } else {
        judgement.exclude_alone(Source::Settings, format!("`{}` is not set", timer.name));
    }
}

/// Whether both legs stood, or may have.
fn stood_at_all(scene: &Scene<'_>) -> bool {
    [Source::Kernel, Source::Wire].iter().all(|source| stood(scene, *source) != Some(false))
}

/// When the FIN was passed on to the leg that the timer watches, if that then stood half-closed.
fn passed_on(scene: &Scene<'_>, timer: &Timer) -> Option<Moment> {
    let (client, server) = scene.legs();
    let leg = if timer.watches_client { client } else { server }?;
    let half = leg.half_closed(Source::Kernel).or_else(|| leg.half_closed(Source::Wire))?;
    Some(half.since)
}

fn half_closed(scene: &Scene<'_>, timer: &Timer) -> bool {
    passed_on(scene, timer).is_some()
}

/// The timer's own arithmetic: counted from the last payload on the leg that it watches.
fn by_time(judgement: &mut Judgement, scene: &Scene<'_>, timer: &Timer, nominal: Span) {
    let (client, server) = scene.legs();
    let Some(leg) = (if timer.watches_client { client } else { server }) else { return };
    if !scene.model.has(Source::Wire) {
        return;
    }
    let struck = judgement.struck;
    let until = struck.unwrap_or(scene.model.end);
    let (since, what, unsure) = counted_from(&leg, timer, until);
    let half_known = scene.may_be_half_closed();
    let found = reckon(scene, timer.name, nominal, (since, what), until, unsure);
    if let Some(at) = struck.filter(|at| found.allows(*at) || !half_known) {
        weigh(judgement, &found, at);
    }
    judgement.due = Some(found);
}

/// A timer of the proxy's that is counted from a moment known by name: what it allows, and whether the end was that.
pub fn due(
    judgement: &mut Judgement,
    scene: &Scene<'_>,
    name: &str,
    nominal: Span,
    since: (Moment, String),
    struck: Option<Moment>,
) {
    let found = reckon(scene, name, nominal, since, struck.unwrap_or(scene.model.end), Span(0));
    if let Some(at) = struck {
        weigh(judgement, &found, at);
    }
    judgement.due = Some(found);
}

fn reckon(scene: &Scene<'_>, name: &str, nominal: Span, since: (Moment, String), until: Moment, unsure: Span) -> Due {
    let (since, what) = since;
    // A frozen proxy's clock stands still too (measured with 2.6).
    let frozen = scene.frozen(since, until);
    let late = LATE.0 + asleep(nominal).0;
    let latest = Span(nominal.0.saturating_add(late + scene.model.canary.0 + frozen.0 + unsure.0));
    let lazy = scene.listener().map(|listener| listener.lazy).unwrap_or_default();
    let window = (Span(nominal.0 - EARLY.0 - scene.model.canary.0 - lazy.0), latest);
    Due { since, nominal, window, sum: format!("{name} {}", s(nominal)), what }
}

/// How much later a process may be woken that sleeps for so long in epoll_wait(2): a thousandth, at most 100 ms (fs/select.c,
/// select_estimate_accuracy()).
fn asleep(nominal: Span) -> Span {
    Span((nominal.0 / 1000).min(Span::millis(100).0))
}

fn weigh(judgement: &mut Judgement, due: &Due, at: Moment) {
    let text = format!("{} after the {} ({})", s(at.since(due.since)), due.what, due.sum);
    if due.allows(at) {
        judgement.support(Source::Settings, text);
    } else {
        judgement.exclude(Source::Settings, text);
    }
}

/// The moment from which a timer counts, what that is, and how much later it may have been.
fn counted_from(leg: &Scene<'_>, timer: &Timer, until: Moment) -> (Moment, String, Span) {
    let peer = &leg.peer().me().node;
    let payload = leg.last_payload(until);
    if let Some(passed_on) = passed_on(leg, timer).filter(|_| timer.runs == Runs::HalfClosed)
        && payload.is_none_or(|payload| payload.at < passed_on)
    {
        return (passed_on, format!("FIN passed on to {peer}"), Span(0));
    }
    let (accepted, unsure) = leg.accepted();
    match payload.filter(|payload| payload.at >= accepted) {
        Some(payload) if payload.sent => (payload.at, format!("last payload to {peer}"), Span(0)),
        Some(payload) => (payload.at, format!("last payload from {peer}"), unsure),
        None if accepted > leg.established() => (accepted, "accept".into(), unsure),
        None => (accepted, "handshake".into(), unsure),
    }
}

/// A timer of HAProxy's on one leg shuts the read side there and passes that on: the *other* leg gets the first FIN (measured with
/// 2.6). Others have a timer for both legs, and an order of their own.
fn by_order(judgement: &mut Judgement, scene: &Scene<'_>, timer: &Timer) {
    if !scene.program().is_none_or(|program| LIKE_HAPROXY.contains(&program.kind.as_str())) {
        return;
    }
    let (Some(client), Some(server)) = scene.legs() else { return };
    if timer.runs == Runs::HalfClosed || !server.connection().stood() {
        return;
    }
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
