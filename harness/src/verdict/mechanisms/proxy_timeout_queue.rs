//! `timeout queue`.

use crate::evidence::Source;

use super::super::decide::Judgement;
use super::super::scene::Scene;
use super::patterns::ms;
use super::proxy_decision::{elsewhere, by_exit, by_log, by_server, first_shut, own_doing};
use super::proxy_timer::due;
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "proxy-timeout-queue",
    scope: Scope::Cause,
    who: "proxy",
    fires: "all servers have their `maxconn`, and none gets free for `timeout queue`",
    counted_from: "the moment at which the session was put in the queue: the accept, unless an attempt had failed before",
    settings: "HAProxy's `timeout queue` (`timeout connect` where that is not set), and `maxconn` of the servers",
    wire: "payload of the client is acknowledged; no SYN to a server; FIN to the client",
    application: "the client is accepted, waits and reads EOF; HAProxy logs `sQ`",
    source: "HAProxy configuration manual 2.6, 4.2 `timeout queue`, 8.5; src/backend.c back_try_conn_req(); measured with 2.6.12",
    shown: "proxies/queue",
    near: "proxies/queue-served",
    judge,
};

fn judge(scene: &Scene<'_>) -> Judgement {
    if let Some(answer) = elsewhere(scene) {
        return answer;
    }
    let mut judgement = Judgement::default();
    if !scene.client_leg() {
        return Judgement::inapplicable("a session in the queue has no leg to a server");
    }
    own_doing(&mut judgement, scene);
    by_exit(&mut judgement, scene);
    by_server(&mut judgement, scene, false);
    by_log(&mut judgement, scene, |log| log.termination == "sQ");
    judgement.struck = first_shut(scene);
    if scene.rules().is_some_and(|rules| rules.servers.iter().all(|server| server.maxconn.is_none())) {
        judgement.exclude_alone(Source::Settings, "no server has a `maxconn`: nothing waits in a queue");
        return judgement;
    }
    let timeout = scene.timeouts().map(|timeouts| timeouts.queue.or(timeouts.connect));
    match timeout {
        Some(Some(value)) if scene.attempts().is_empty() => {
            let (accepted, _) = scene.accepted();
            let struck = judgement.struck;
            due(&mut judgement, scene, "timeout queue", ms(value), (accepted, "accept".into()), struck);
        }
        Some(None) => judgement.exclude_alone(Source::Settings, "neither `timeout queue` nor `timeout connect` is set"),
        _ => {}
    }
    judgement
}
