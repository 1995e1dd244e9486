//! A process that died: its kernel closes its sockets for it.

use crate::evidence::{Report, Source};

use super::super::decide::Judgement;
use super::super::scene::{Scene, Way};
use super::patterns::{ends_by, must_show_own};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "process-exit",
    scope: Scope::Cause,
    who: "kernel",
    fires: "the process ended (by itself, SIGKILL, a crash), and the kernel closed its sockets",
    counted_from: "the end of the process",
    settings: "none",
    wire: "FIN in the same instant; RST instead when received data was not read",
    application: "the peer reads EOF or gets ECONNRESET: it cannot tell this from a close",
    source: "kernel/exit.c do_exit() → exit_files() → tcp_close(); RFC 2525, 2.17",
    shown: "seed/killed",
    near: "applications/close",
    judge,
};

fn judge(scene: &Scene<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    if let Some((at, verb, target)) = super::proxy_stop::told_to_stop(scene) {
        judgement.exclude_alone(Source::Timeline, format!("the proxy was told to stop: `{verb}: {target}` at {at}"));
    }
    ends_by(&mut judgement, scene, &[Way::SentFin, Way::SentRst, Way::Abandoned]);
    if let Some(end) = scene.end().filter(|end| end.way.own()) {
        by_exit(&mut judgement, scene);
        by_log(&mut judgement, scene);
        if let Some((at, verb, target)) = scene.injected(&["kill", "terminate"], end.at) {
            judgement.support(Source::Timeline, format!("`{verb}: {target}` at {at}"));
        }
    }
    must_show_own(&mut judgement, scene);
    judgement
}

fn by_exit(judgement: &mut Judgement, scene: &Scene<'_>) {
    match scene.exit() {
        Some(exit) => judgement.support(Source::Kernel, format!("process {} ended at {}", exit.pid, exit.at)),
        None if !scene.me().states.is_empty() => {
            judgement.exclude(Source::Kernel, "the thread that closed it had not ended");
        }
        None => {}
    }
}

/// Who still speaks is not dead: a program that says that it has closed the socket left none to its kernel.
fn by_log(judgement: &mut Judgement, scene: &Scene<'_>) {
    let spoken = scene.me().reports.iter().find_map(|(when, report)| match report {
        Report::Closed { .. } => Some((when, "it closed the connection")),
        Report::HalfClosed { .. } => Some((when, "it shut its sending side down")),
        Report::ConnectFailed { .. } => Some((when, "connect(2) failed")),
        _ => None,
    });
    if let Some((when, what)) = spoken {
        judgement.exclude(Source::Log, format!("the program itself says, at {when}, that {what}"));
    } else if let Some((when, _, text)) = scene.word() {
        judgement.exclude(Source::Log, format!("{text}, at {when}: a dead one logs nothing"));
    } else if scene.reports() {
        judgement.support(Source::Log, "the program says nothing of a close of its own");
    }
    if let Some((when, log)) = scene.proxy_log().filter(|_| scene.at_proxy()) {
        judgement.exclude(Source::Log, format!("the proxy logged `{}` at {when}: a dead one logs nothing", log.said()));
    }
}
