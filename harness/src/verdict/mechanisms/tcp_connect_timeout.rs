//! An attempt to connect that nobody answered.

use crate::evidence::{Report, Source, Span, TcpState};
use crate::wheel;

use super::super::decide::{Due, Judgement};
use super::super::scene::{INSTANT, Scene, Way};
use super::patterns::{ended_as, given_up_with, must_show_own, s};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "tcp-connect-timeout",
    scope: Scope::Cause,
    who: "kernel",
    fires: "a SYN was sent again as often as tcp_syn_retries allows, and nobody answered",
    counted_from: "the first SYN; since Linux 6.5 the first timeouts are all of 1 s (tcp_syn_linear_timeouts), then they double",
    settings: "net.ipv4.tcp_syn_retries, net.ipv4.tcp_syn_linear_timeouts; TCP_USER_TIMEOUT and TCP_SYNCNT, where they are shorter",
    wire: "SYNs without an answer, then silence",
    application: "ETIMEDOUT from connect(2)",
    source: "tcp(7) tcp_syn_retries; Documentation/networking/ip-sysctl.rst; net/ipv4/tcp_timer.c tcp_write_timeout(); RFC 9293, 3.8.3",
    shown: "kernel/connect-timeout",
    near: "kernel/unreachable-by-router",
    judge,
};

fn judge(scene: &Scene<'_>) -> Judgement {
    if scene.side == 1 {
        return Judgement::inapplicable("the other endpoint made the attempt to connect");
    }
    let mut judgement = Judgement::default();
    ended_as(&mut judgement, scene, |ending| ending.way == Way::Died);
    given_up_with(&mut judgement, scene, &["ETIMEDOUT"]);
    by_answer(&mut judgement, scene);
    by_report(&mut judgement, scene);
    must_show_own(&mut judgement, scene);
    if scene.me().host_down.is_some() {
        judgement.exclude_alone(Source::Timeline, "its host was powered off meanwhile");
    }
    by_time(&mut judgement, scene);
    judgement
}

/// A SYN that was answered does not time out.
fn by_answer(judgement: &mut Judgement, scene: &Scene<'_>) {
    let me = scene.me();
    if me.states.iter().any(|change| change.new == TcpState::Established) {
        judgement.exclude(Source::Kernel, "the connection was established");
    }
    let syns = me.sent.iter().filter(|seen| seen.flags.syn()).count();
    if me.delivered.iter().any(|seen| seen.flags.syn()) {
        judgement.exclude(Source::Wire, "the SYN was answered by a SYN");
    } else if me.delivered.iter().any(|seen| seen.flags.rst()) {
        judgement.exclude(Source::Wire, "the SYN was answered by a RST");
    } else if syns > 0 {
        judgement.support(Source::Wire, format!("{syns} SYNs were sent and not answered"));
    } else if !me.sent.is_empty() {
        judgement.exclude(Source::Wire, "it sent no SYN");
    }
}

fn by_report(judgement: &mut Judgement, scene: &Scene<'_>) {
    for (_, report) in &scene.me().reports {
        match report {
            Report::ConnectFailed { errno } if errno == "ETIMEDOUT" => {
                judgement.support(Source::Log, "connect(2) failed with ETIMEDOUT");
            }
            Report::ConnectFailed { errno } => judgement.exclude(Source::Log, format!("connect(2) failed with {errno}")),
            Report::Connected => judgement.exclude(Source::Log, "the program says that it is connected"),
            _ => {}
        }
    }
}

fn by_time(judgement: &mut Judgement, scene: &Scene<'_>) {
    let sysctl = |name| scene.sysctl(name).and_then(|n| u32::try_from(n).ok());
    let Some(retries) = sysctl("net.ipv4.tcp_syn_retries") else { return };
    let linear = sysctl("net.ipv4.tcp_syn_linear_timeouts").unwrap_or(0);
    let user_timeout = scene.me().options.as_ref().is_some_and(|options| options.user_timeout_ms > 0);
    let first = scene.me().sent.iter().find(|seen| seen.flags.syn()).map(|seen| seen.at);
    let Some(first) = first.filter(|_| scene.model.hz > 0 && !user_timeout && !scene.connection().stood()) else {
        return;
    };
    let window = wheel::syn_death(retries, linear, scene.phase(first), scene.model.hz);
    let slack = scene.model.canary.0.max(INSTANT.0);
    let due = Due {
        what: format!("SYN to {}", scene.peer().me().node),
        since: first,
        nominal: window.nominal.into(),
        window: (window.earliest.into(), Span(Span::from(window.latest).0 + slack)),
        sum: format!("tcp_syn_retries {retries}, tcp_syn_linear_timeouts {linear}"),
    };
    if let Some(end) = scene.kernel_end().map(|end| end.at) {
        let text = format!("{} after the {} (nominal {}: {})", s(end.since(first)), due.what, s(due.nominal), due.sum);
        if due.allows(end) {
            judgement.support(Source::Settings, text);
        } else {
            judgement.exclude(Source::Settings, text);
        }
    }
    judgement.due = Some(due);
}
