//! The proxy was told to stop.

use crate::evidence::{Moment, ProxyNotice, Source};

use super::super::decide::Judgement;
use super::super::scene::Scene;
use super::patterns::{ms, must_show_own, seen};
use super::proxy_decision::{elsewhere, first_shut, own_doing};
use super::proxy_timer::due;
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "proxy-stop",
    scope: Scope::Cause,
    who: "proxy",
    fires: "the proxy was told to stop: at once (SIGTERM), or softly (SIGUSR1, or a reload) and `hard-stop-after` has passed since",
    counted_from: "the signal",
    settings: "HAProxy's `hard-stop-after`, nginx's `worker_shutdown_timeout`; without it sessions go on for as long as they like after a soft stop",
    wire: "FIN on both legs (SIGTERM); FIN and RST to the server, FIN to the client (`hard-stop-after`); RST to who is not accepted yet (soft stop)",
    application: "both sides read EOF or get a reset; HAProxy logs nothing after SIGTERM, and `K-` after `hard-stop-after`",
    source: "HAProxy management guide 2.6, 4; configuration manual, 3.1 `hard-stop-after`; src/proxy.c hard_stop(); measured with 2.6.12",
    shown: "proxies/terminated",
    near: "proxies/killed",
    judge,
};

fn judge(scene: &Scene<'_>) -> Judgement {
    if let Some(answer) = elsewhere(scene) {
        return answer;
    }
    let mut judgement = Judgement::default();
    if scene.unaccepted() {
        for ending in scene.endings().iter().filter(|ending| ending.way.by_process()) {
            judgement.support(ending.source, seen(ending));
        }
        must_show_own(&mut judgement, scene);
    } else {
        own_doing(&mut judgement, scene);
    }
    let Some((told, verb, target)) = told_to_stop(scene) else {
        judgement.exclude_alone(Source::Timeline, "nobody told the proxy to stop");
        return judgement;
    };
    judgement.support(Source::Timeline, format!("`{verb}: {target}` at {told}"));
    judgement.struck = first_shut(scene);
    by_log(&mut judgement, scene);
    if let Some(exit) = scene.exit() {
        judgement.support(Source::Kernel, format!("process {} ended at {}", exit.pid, exit.at));
    } else if scene.unaccepted() {
        judgement.support(Source::Settings, "nobody had accepted the connection, and the socket that listened was closed");
    } else if verb != "terminate" && !scene.may_be_unaccepted() {
        by_hard_stop(&mut judgement, scene, (*told, verb));
    }
    judgement
}

/// The order to stop that this proxy was given last before this endpoint's end.
pub(super) fn told_to_stop<'a>(scene: &Scene<'a>) -> Option<&'a (Moment, String, String)> {
    if !scene.at_proxy() {
        return None;
    }
    let end = scene.end()?;
    // A proxy that was killed was not told anything.
    let told = scene.injected(&["terminate", "soft-stop", "reload", "kill"], end.at)?;
    // Sessions that began after a reload are the new process's.
    let meant = told.1 != "reload" || scene.connection().began < told.0;
    (told.1 != "kill" && meant).then_some(told)
}

/// When the proxy logged that `hard-stop-after` had passed, if that was before this session ended.
pub(super) fn hard_stopped(scene: &Scene<'_>) -> Option<Moment> {
    let end = scene.end()?;
    let mine = |service: &String| Some(service) == scene.me().program.as_ref();
    let mut notices = scene.model.proxy_notices.iter();
    let found = notices.find(|(at, service, notice)| {
        mine(service) && *notice == ProxyNotice::HardStop && at.since(end.at) <= super::super::scene::INSTANT
    })?;
    Some(found.0)
}

fn by_log(judgement: &mut Judgement, scene: &Scene<'_>) {
    let stopped = hard_stopped(scene);
    match (scene.proxy_log(), stopped) {
        (Some((at, log)), Some(_)) if log.termination.starts_with('K') => {
            judgement.support(Source::Log, format!("the proxy logged `{}` at {at}, and that it stops hard", log.said()));
        }
        // A proxy with words of its own says so in one line.
        (Some((at, log)), None) if log.termination.starts_with('K') && log.words.is_some() => {
            judgement.support(Source::Log, format!("the proxy logged `{}` at {at}", log.said()));
        }
        (Some((at, log)), _) => {
            judgement.exclude(Source::Log, format!("the proxy logged `{}` at {at}, and no hard stop", log.said()));
        }
        (None, _) if scene.model.proxy_notices.is_empty() => {}
        (None, _) => judgement.support(Source::Log, "the proxy logged that it stops, and nothing of this session"),
    }
}

/// After a soft stop sessions go on, until `hard-stop-after` has passed.
fn by_hard_stop(judgement: &mut Judgement, scene: &Scene<'_>, (told, verb): (Moment, &str)) {
    let Some(rules) = scene.rules() else { return };
    match rules.hard_stop_after {
        None => judgement.exclude_alone(Source::Settings, "`hard-stop-after` is not set: after a soft stop sessions go on"),
        Some(value) => {
            let struck = judgement.struck;
            let hands_over = rules.hands_over_ms.filter(|_| verb == "reload").map(ms).unwrap_or_default();
            let told = told.after(hands_over);
            due(judgement, scene, "hard-stop-after", ms(value), (told, verb.replace('-', " ")), struck);
        }
    }
}
