//! What the rules of a proxy's own decisions have in common: timers, limits, stops. A decision is the mechanism of *both* legs,
//! whichever the proxy shut first.

use crate::evidence::{Moment, ProxyLog, Role, Source};

use super::super::decide::Judgement;
use super::super::scene::{Ending, Scene, close};
use super::patterns::{must_show_own, seen};
use super::proxy_stop::told_to_stop;

/// The judgement of a proxy's decision at an endpoint that is not a proxy's, or is not known to be one.
pub fn elsewhere(scene: &Scene<'_>) -> Option<Judgement> {
    match scene.me().role {
        Some(Role::Proxy) => None,
        Some(_) => Some(Judgement::inapplicable("this endpoint is not a proxy's")),
        None => Some(Judgement::default()),
    }
}

/// The proxy shut this leg itself, and nothing from outside had ended either leg before.
pub fn own_doing(judgement: &mut Judgement, scene: &Scene<'_>) {
    for ending in scene.endings() {
        if ending.way.by_process() {
            judgement.support(ending.source, seen(&ending));
        } else if !shut_elsewhere_before(scene, ending.at) {
            judgement.exclude(ending.source, format!("{} at {}", seen(&ending), ending.at));
        }
    }
    if let Some(other) = scene.other_leg() {
        let mine = scene.endings();
        for theirs in other.endings() {
            let own = mine.iter().find(|ending| ending.source == theirs.source);
            if own.is_some_and(|own| theirs.at < own.at) && from_outside(scene, &other, &theirs) {
                let text = format!("before that, on the other leg, {} at {}", seen(&theirs), theirs.at);
                judgement.exclude(theirs.source, text);
            }
        }
    }
    must_show_own(judgement, scene);
    if scene.unaccepted() && !scene.endings().is_empty() {
        judgement.exclude(Source::Log, "the proxy logged nothing of this connection");
        judgement.exclude(Source::Settings, "no process held the socket: the proxy had not accepted the connection");
    }
}

/// Whether an end of the other leg came from outside and could be passed on: not an attempt that failed, nor a close after which
/// the session went on half-closed.
fn from_outside(scene: &Scene<'_>, other: &Scene<'_>, theirs: &Ending) -> bool {
    let attempt = other.side == 0 && !other.connection().stood();
    !theirs.way.by_process() && !attempt && scene.half_closed(theirs.source).is_none()
}

/// The proxy had already shut the session's other leg: what then comes from outside is an answer.
fn shut_elsewhere_before(scene: &Scene<'_>, at: Moment) -> bool {
    let shut = |leg: Scene<'_>| leg.endings().iter().any(|ending| ending.way.by_process() && ending.at < at);
    scene.other_leg().is_some_and(shut)
}

/// When the proxy first shut a leg of this session.
#[must_use]
pub fn first_shut(scene: &Scene<'_>) -> Option<Moment> {
    let (client, server) = scene.legs();
    let own = |leg: Option<Scene<'_>>| leg?.end().filter(|end| end.way.by_process()).map(|end| end.at);
    [own(client), own(server)].into_iter().flatten().min()
}

/// The termination state that the proxy logged, which fits or does not.
pub fn by_log(judgement: &mut Judgement, scene: &Scene<'_>, fits: impl Fn(&ProxyLog) -> bool) {
    let Some((at, log)) = scene.proxy_log() else { return };
    let text = format!("the proxy logged `{}` at {at}", log.said());
    if fits(log) {
        judgement.support(Source::Log, text);
    } else {
        judgement.exclude(Source::Log, text);
    }
}

/// The proxy lived, and was not about to stop at once.
pub fn by_exit(judgement: &mut Judgement, scene: &Scene<'_>) {
    if let Some(exit) = scene.exit() {
        judgement.exclude(Source::Kernel, format!("the proxy's process ended at {}", exit.at));
    }
    let Some(end) = scene.end() else { return };
    let told = told_to_stop(scene).filter(|(at, verb, _)| verb == "terminate" && close(*at, end.at));
    if let Some((at, verb, target)) = told {
        judgement.exclude(Source::Timeline, format!("just before, at {at}, `{verb}: {target}`"));
    }
}

/// Whether the session's server's leg ever stood, by the kernel's trace or by the wire; `None` when that does not tell.
#[must_use]
pub fn stood(scene: &Scene<'_>, source: Source) -> Option<bool> {
    let Some(server) = scene.legs().1 else {
        let client = scene.legs().0?;
        let certain = scene.model.has(source) && client.has_no_attempts();
        return certain.then_some(false);
    };
    if scene.client_leg() && !server.connection().stood() && !scene.has_all_attempts() {
        return None;
    }
    let opener = server.me();
    if source == Source::Kernel {
        let established = crate::evidence::TcpState::Established;
        (!opener.states.is_empty()).then(|| opener.states.iter().any(|change| change.new == established))
    } else {
        (!opener.sent.is_empty()).then(|| opener.delivered.iter().any(|seen| seen.flags.syn()))
    }
}

/// Excludes what happens only before a server's leg stands, or only after.
pub fn by_server(judgement: &mut Judgement, scene: &Scene<'_>, stands: bool) {
    for source in [Source::Kernel, Source::Wire] {
        if stood(scene, source) == Some(!stands) {
            let text =
                if stands { "no server's leg of this session ever stood" } else { "the session's server's leg stood" };
            judgement.exclude(source, text);
        }
    }
}
