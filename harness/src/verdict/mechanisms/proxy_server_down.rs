//! A server was marked down, and its sessions were ended for that.

use crate::evidence::{Moment, ProxyNotice, ProxyServer, Source, Span};

use super::super::decide::Judgement;
use super::super::scene::Scene;
use super::proxy_decision::{elsewhere, by_exit, by_log, by_server, first_shut, own_doing};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "proxy-server-down",
    scope: Scope::Cause,
    who: "proxy",
    fires: "so many health checks in a row failed (`fall`) that the server counts as down, or an operator put it in maintenance, and its sessions are to be ended then",
    counted_from: "the health check that made it down, or the order",
    settings: "HAProxy's `check`, `inter`, `fall` and `on-marked-down shutdown-sessions` of the server; without the last one sessions stay",
    wire: "checks that fail; FIN and RST to the server, FIN to the client",
    application: "both sides read EOF or get a reset; HAProxy logs `D-` and `Server … is DOWN`",
    source: "HAProxy configuration manual 2.6, 5.2 `on-marked-down`, 8.5; src/server.c srv_update_status(); measured with 2.6.12",
    shown: "proxies/server-down",
    near: "proxies/server-dies",
    judge,
};

/// How long HAProxy takes from marking a server down to the end of its sessions, on an idle machine.
const AT_ONCE: Span = Span::millis(100);

fn judge(scene: &Scene<'_>) -> Judgement {
    if let Some(answer) = elsewhere(scene) {
        return answer;
    }
    let mut judgement = Judgement::default();
    own_doing(&mut judgement, scene);
    by_exit(&mut judgement, scene);
    by_server(&mut judgement, scene, true);
    by_log(&mut judgement, scene, |log| log.termination.starts_with('D'));
    let struck = first_shut(scene);
    judgement.struck = struck;
    let server = server(&mut judgement, scene);
    if let Some(struck) = struck {
        let told = server.is_some_and(|server| by_notice(&mut judgement, scene, server, struck));
        if let (true, Some((at, verb, target))) = (told, scene.injected(&["operate"], struck)) {
            judgement.support(Source::Timeline, format!("`{verb}: {target}` at {at}"));
        }
        by_checks(&mut judgement, scene, server, struck, told);
    }
    judgement
}

/// The session's server as the proxy is configured.
fn server<'a>(judgement: &mut Judgement, scene: &Scene<'a>) -> Option<&'a ProxyServer> {
    let rules = scene.rules()?;
    let Some(leg) = scene.legs().1 else {
        if rules.servers.iter().all(|server| !server.ends_sessions_when_down) {
            judgement.exclude_alone(Source::Settings, "`on-marked-down shutdown-sessions` is set at no server");
        }
        return None;
    };
    let server = rules.servers.iter().find(|server| server.address == leg.me().pair.remote)?;
    if server.ends_sessions_when_down {
        Some(server)
    } else {
        let text = format!("`on-marked-down shutdown-sessions` is not set at server {}", server.name);
        judgement.exclude_alone(Source::Settings, text);
        None
    }
}

/// Whether the proxy said that the server went down just then.
fn by_notice(judgement: &mut Judgement, scene: &Scene<'_>, server: &ProxyServer, struck: Moment) -> bool {
    let limit = Span(AT_ONCE.0 + scene.model.canary.0);
    let found = scene.model.proxy_notices.iter().find(|(at, _, notice)| {
        matches!(notice, ProxyNotice::ServerDown { server: down, .. } if *down == server.name)
            && at.since(struck).0.abs() <= limit.0
    });
    if let Some((at, ..)) = found {
        judgement.support(Source::Log, format!("the proxy logged at {at} that server {} is down", server.name));
    }
    found.is_some()
}

/// What became of the last health checks of the server before. An operator can take a server away without any.
fn by_checks(judgement: &mut Judgement, scene: &Scene<'_>, server: Option<&ProxyServer>, struck: Moment, told: bool) {
    let Some(leg) = scene.legs().1 else { return };
    let connections = &scene.model.connections;
    let mut checks: Vec<usize> = scene
        .joins
        .checks()
        .filter(|index| connections[*index].endpoints[0].pair.remote == leg.me().pair.remote)
        .filter(|index| connections[*index].endpoints[0].ended().is_some_and(|end| end <= struck))
        .collect();
    checks.sort_by_key(|index| connections[*index].began);
    let failed = checks.iter().rev().take_while(|index| !connections[**index].stood()).count();
    let fall = server.and_then(|server| server.fall).map_or(1, |fall| usize::try_from(fall).unwrap_or(usize::MAX));
    if failed >= fall {
        judgement.support(Source::Kernel, format!("the last {failed} health checks of the server had failed"));
    } else if failed == 0 && !told && scene.model.has(Source::Kernel) {
        judgement.exclude(Source::Kernel, "no health check of the server had failed");
    }
}
