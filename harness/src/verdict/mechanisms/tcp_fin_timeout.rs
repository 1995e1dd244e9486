//! A socket that nobody holds any more, and whose peer never closes.

use std::time::Duration;

use crate::evidence::{Moment, Source, Span, TcpState};
use crate::wheel;

use super::super::decide::{Due, Judgement};
use super::super::model::Seen;
use super::super::scene::{INSTANT, Scene};
use super::patterns::s;
use super::tcp_orphan_retries::fin_acknowledged;
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "tcp-fin-timeout",
    scope: Scope::Orphan,
    who: "kernel",
    fires: "a process has closed its socket, its FIN was acknowledged, and the peer does not close within tcp_fin_timeout",
    counted_from: "the acknowledgement of the FIN",
    settings: "net.ipv4.tcp_fin_timeout, or TCP_LINGER2; what is beyond 60 s is waited for twice",
    wire: "nothing; what the peer sends afterwards meets RST",
    application: "nothing: it has closed the socket long before",
    source: "tcp(7) tcp_fin_timeout; net/ipv4/tcp_input.c tcp_rcv_state_process(); net/ipv4/tcp_minisocks.c tcp_time_wait()",
    shown: "kernel/fin-timeout",
    near: "kernel/orphan",
    judge,
};

fn judge(scene: &Scene<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    let me = scene.me();
    let waited = me.states.iter().find(|change| change.new == TcpState::FinWait2).map(|change| change.at);
    match waited {
        Some(at) => judgement.support(Source::Kernel, format!("the socket was in FIN-WAIT-2 at {at}")),
        None if !me.states.is_empty() => judgement.exclude(Source::Kernel, "the socket was never in FIN-WAIT-2"),
        None => {}
    }
    if me.standing.is_some() {
        judgement.exclude(Source::Kernel, "the socket stands in the table at the end");
    }
    if !scene.model.has(Source::Wire) {
        // Nothing else tells whether the peer closed in time.
        judgement.supports.clear();
        return judgement;
    }
    if scene.me().sent.iter().any(|seen| seen.flags.fin()) && !fin_acknowledged(scene) {
        judgement.exclude(Source::Wire, "its FIN was never acknowledged");
    }
    let timeout = scene.sysctl("net.ipv4.tcp_fin_timeout").map(Duration::from_secs);
    let (Some(since), Some(timeout), true) = (waited, timeout, scene.model.hz > 0) else {
        by_wire(&mut judgement, scene, scene.model.end);
        return judgement;
    };
    let window = wheel::fin_wait2_end(timeout, scene.phase(since), scene.model.hz);
    let slack = scene.model.canary.0.max(INSTANT.0);
    let due = Due {
        what: "acknowledgement of the FIN".into(),
        since,
        nominal: window.nominal.into(),
        window: (window.earliest.into(), Span(Span::from(window.latest).0 + slack)),
        sum: format!("tcp_fin_timeout {}", s(timeout.into())),
    };
    // The trace shows no end of a time-wait socket: that it was gone at the end of the case is all that is seen.
    let elapsed = scene.model.end.since(since);
    let text = format!("{} were over between the {} and the end of the case (nominal {}: {})", s(elapsed), due.what, s(due.nominal), due.sum);
    if elapsed >= due.window.0 {
        judgement.support(Source::Settings, text);
    } else {
        judgement.exclude(Source::Settings, text);
    }
    by_wire(&mut judgement, scene, since.after(due.window.0));
    judgement.due = Some(due);
    judgement
}

/// A peer that closes or resets before the time is over ends the wait, and so does data of its that nobody can read any more.
fn by_wire(judgement: &mut Judgement, scene: &Scene<'_>, until: Moment) {
    let me = scene.me();
    let ends = |seen: &&Seen| seen.at < until && (seen.flags.fin() || seen.flags.rst());
    if let Some(end) = me.delivered.iter().find(ends) {
        let what = if end.flags.fin() { "FIN" } else { "RST" };
        judgement.exclude(Source::Wire, format!("the peer's {what} was delivered at {}", end.at));
    } else if let Some(reset) = me.sent.iter().filter(ends).find(|seen| seen.flags.rst()) {
        judgement.exclude(Source::Wire, format!("it sent a RST at {}", reset.at));
    } else {
        judgement.support(Source::Wire, "no FIN or RST of the peer was delivered meanwhile");
    }
}
