//! The proxy's operator ended a session.

use crate::evidence::{ProxyNotice, Source};

use super::super::decide::Judgement;
use super::super::scene::Scene;
use super::proxy_decision::{elsewhere, by_exit, by_log, first_shut, own_doing};
use super::proxy_stop::hard_stopped;
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "proxy-admin",
    scope: Scope::Cause,
    who: "proxy",
    fires: "an operator's order (`shutdown session`, `shutdown sessions server`), or a server that came up again where sessions of backup servers are to be ended then",
    counted_from: "no timer: the order, or the health check that brought the server up",
    settings: "HAProxy's stats socket; `on-marked-up shutdown-backup-sessions` of the server",
    wire: "FIN and RST to the server, FIN to the client",
    application: "both sides read EOF or get a reset; HAProxy logs `K-`, or `U-` for sessions of backup servers",
    source: "HAProxy management guide 2.6, 9.3 `shutdown sessions server`; configuration manual, 5.2 `on-marked-up`, 8.5; measured with 2.6.12",
    shown: "proxies/operator",
    near: "proxies/server-down",
    judge,
};

fn judge(scene: &Scene<'_>) -> Judgement {
    if let Some(answer) = elsewhere(scene) {
        return answer;
    }
    let mut judgement = Judgement::default();
    own_doing(&mut judgement, scene);
    by_exit(&mut judgement, scene);
    by_log(&mut judgement, scene, |log| log.termination.starts_with(['K', 'U']));
    let struck = first_shut(scene);
    judgement.struck = struck;
    if let Some(at) = hard_stopped(scene) {
        judgement.exclude(Source::Log, format!("the proxy logged at {at} that it stops and ends all sessions"));
    }
    let Some(struck) = struck else { return judgement };
    let ordered = scene.injected(&["shutdown-sessions", "operate"], struck);
    if let Some((at, verb, target)) = ordered {
        judgement.support(Source::Timeline, format!("`{verb}: {target}` at {at}"));
    }
    let ends_backups = scene.rules().map(|rules| rules.servers.iter().any(|server| server.ends_backup_sessions_when_up));
    if ends_backups == Some(true) {
        let mine = |service: &String| Some(service) == scene.me().program.as_ref();
        let ups = scene.model.proxy_notices.iter().filter(|(_, service, notice)| {
            mine(service) && matches!(notice, ProxyNotice::ServerUp { .. })
        });
        if let Some((at, ..)) = ups.into_iter().find(|(at, ..)| super::super::scene::close(*at, struck)) {
            judgement.support(Source::Log, format!("the proxy logged at {at} that a server came up"));
            judgement.support(Source::Settings, "`on-marked-up shutdown-backup-sessions` is set");
        }
    } else if ordered.is_none() {
        judgement.exclude(Source::Timeline, "no operator gave the proxy an order");
        if ends_backups == Some(false) {
            judgement.exclude(Source::Settings, "`on-marked-up shutdown-backup-sessions` is set at no server");
        }
    }
    judgement
}
