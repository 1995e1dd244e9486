//! A limit of the proxy's is reached, and it refuses the session.

use crate::evidence::{Source, Span};

use super::super::decide::Judgement;
use super::super::scene::Scene;
use super::proxy_decision::{elsewhere, by_exit, by_log, by_server, own_doing};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "proxy-limit",
    scope: Scope::Cause,
    who: "proxy",
    fires: "a limit is reached and the session may not even wait: the server's queue is full (`maxqueue`), or the proxy has no more sockets or ports",
    counted_from: "no timer: the accept",
    settings: "HAProxy's `maxconn` with `maxqueue` of a server. `maxconn` of a frontend refuses nobody: who comes then is connected by the kernel and waits there, unaccepted",
    wire: "no SYN to a server; FIN to the client at once",
    application: "the client is accepted and reads EOF; HAProxy logs `SQ`, `PC` or `RC`",
    source: "HAProxy configuration manual 2.6, 5.2 `maxqueue`, 8.5; src/backend.c srv_redispatch_connect(); measured with 2.6.12",
    shown: "proxies/queue-full",
    near: "proxies/frontend-maxconn-leaves",
    judge,
};

/// A refusal comes at once, on an idle machine.
const AT_ONCE: Span = Span::millis(100);
/// The states of a session that was refused for a limit (manual, 8.5).
const STATES: [&str; 3] = ["SQ", "PC", "RC"];

fn judge(scene: &Scene<'_>) -> Judgement {
    if let Some(answer) = elsewhere(scene) {
        return answer;
    }
    let mut judgement = Judgement::default();
    if !scene.client_leg() {
        return Judgement::inapplicable("a session that is refused has no leg to a server");
    }
    own_doing(&mut judgement, scene);
    by_exit(&mut judgement, scene);
    by_server(&mut judgement, scene, false);
    by_log(&mut judgement, scene, |log| STATES.contains(&log.termination.as_str()));
    if let Some(rules) = scene.rules() {
        let limits = || rules.servers.iter().filter_map(|server| server.maxconn);
        if rules.maxconn.is_none() && limits().next().is_none() {
            judgement.exclude_alone(Source::Settings, "no `maxconn` is set");
        } else if let Some(limit) = limits().min() {
            judgement.support(Source::Settings, format!("a server takes {limit} sessions at most"));
        }
    }
    let (accepted, _) = scene.accepted();
    for ending in scene.endings() {
        if ending.at.since(accepted) > Span(AT_ONCE.0 + scene.model.canary.0) {
            judgement.exclude(ending.source, "the session was kept: a limit refuses at once");
        }
    }
    judgement
}
