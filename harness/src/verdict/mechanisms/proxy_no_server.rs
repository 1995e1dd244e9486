//! No server is left for a session.

use crate::evidence::{ProxyNotice, Source, Span};

use super::super::decide::Judgement;
use super::super::scene::{Scene, Way};
use super::patterns::seen;
use super::proxy_decision::{elsewhere, by_exit, by_log, by_server, own_doing};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "proxy-no-server",
    scope: Scope::Cause,
    who: "proxy",
    fires: "no server is up, or each attempt to connect to one was refused until `retries` were used up",
    counted_from: "no timer: the last attempt that failed, or the accept when no server is up",
    settings: "HAProxy's `retries`, `option redispatch`, the servers' health checks",
    wire: "SYNs answered by RST, or none at all; FIN to the client",
    application: "the client is accepted and reads EOF, at once when no server is up; HAProxy logs `SC`",
    source: "HAProxy configuration manual 2.6, 4.2 `retries`, `option redispatch`, 8.5; src/backend.c srv_redispatch_connect(), back_handle_st_cer(); measured with 2.6.12",
    shown: "proxies/no-server-up",
    near: "proxies/redispatch-killed",
    judge,
};

/// How long HAProxy keeps a session that it has no server for, on an idle machine.
const AT_ONCE: Span = Span::millis(100);

fn judge(scene: &Scene<'_>) -> Judgement {
    if let Some(answer) = elsewhere(scene) {
        return answer;
    }
    let mut judgement = Judgement::default();
    if !scene.client_leg() {
        return Judgement::inapplicable("this is the client's leg of a session; an attempt to connect ends by a mechanism of its own");
    }
    own_doing(&mut judgement, scene);
    by_exit(&mut judgement, scene);
    by_server(&mut judgement, scene, false);
    by_log(&mut judgement, scene, |log| log.termination == "SC");
    by_attempts(&mut judgement, scene);
    by_notice(&mut judgement, scene);
    judgement
}

/// The proxy names what made the first attempt fail.
fn by_attempts(judgement: &mut Judgement, scene: &Scene<'_>) {
    let Some(first) = scene.attempts().first() else { return without_attempts(judgement, scene) };
    let first = Scene { connection: *first, side: 0, ..*scene };
    let count = scene.attempts().len();
    for ending in first.endings() {
        if ending.way == Way::Abandoned {
            judgement.exclude(ending.source, format!("of the first attempt, {} at {}", seen(&ending), ending.at));
        } else {
            judgement.support(ending.source, format!("{count} attempts failed; of the first, {}", seen(&ending)));
        }
    }
    if let Some(rules) = scene.rules() {
        let wanted = usize::try_from(rules.retries).unwrap_or(usize::MAX).saturating_add(1);
        if count == wanted {
            judgement.support(Source::Settings, format!("{count} attempts are the first and all {} retries", rules.retries));
        }
    }
}

/// That no server is up is known at once, and only health checks can say so.
fn without_attempts(judgement: &mut Judgement, scene: &Scene<'_>) {
    if !scene.has_no_attempts() {
        return;
    }
    let (accepted, _) = scene.accepted();
    for ending in scene.endings() {
        if ending.at.since(accepted) > Span(AT_ONCE.0 + scene.model.canary.0) {
            judgement.exclude(ending.source, "the session was kept, without an attempt to connect: that no server is up is known at once");
        }
    }
    if scene.rules().is_some_and(|rules| rules.servers.iter().all(|server| server.fall.is_none()) && !rules.servers.is_empty()) {
        judgement.exclude_alone(Source::Settings, "no server has a health check: all count as up, and none was tried");
    }
}

/// The proxy said that its last server had gone down, and not since that one is up.
fn by_notice(judgement: &mut Judgement, scene: &Scene<'_>) {
    let until = scene.until();
    let mine = |service: &String| Some(service) == scene.me().program.as_ref();
    let earlier = scene.model.proxy_notices.iter().rev().filter(|(at, service, _)| *at <= until && mine(service));
    let tells = |notice: &ProxyNotice| matches!(notice, ProxyNotice::NoServer { .. } | ProxyNotice::ServerUp { .. });
    if let Some((at, _, ProxyNotice::NoServer { backend })) = earlier.into_iter().find(|(_, _, notice)| tells(notice)) {
        judgement.support(Source::Log, format!("the proxy had logged at {at} that no server of `{backend}` was left"));
    }
}
