//! A SYN, ACK that nobody acknowledges.

use crate::evidence::{Source, Span, TcpState};
use crate::wheel;

use super::super::decide::{Due, Judgement};
use super::super::model::Seen;
use super::super::scene::{INSTANT, Scene};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "tcp-synack-timeout",
    scope: Scope::Cause,
    who: "kernel",
    fires: "a SYN, ACK was sent again as often as tcp_synack_retries allows, and nobody acknowledged it",
    counted_from: "the first SYN, ACK; the timeouts double from 1 s; a SYN that comes again arms the timer anew",
    settings: "net.ipv4.tcp_synack_retries, or TCP_SYNCNT of the listener",
    wire: "the SYN, ACK again and again, then silence: no RST is sent; what the other endpoint sends later meets RST",
    application: "nothing: it has not been told of the connection. The other endpoint may take it for established",
    source: "Documentation/networking/ip-sysctl.rst tcp_synack_retries; net/ipv4/inet_connection_sock.c reqsk_timer_handler(); net/ipv4/tcp_minisocks.c tcp_check_req()",
    shown: "kernel/synack-timeout",
    near: "kernel/connect-timeout",
    judge,
};

fn judge(scene: &Scene<'_>) -> Judgement {
    if scene.side == 0 {
        return Judgement::inapplicable("it opened the connection");
    }
    let mut judgement = Judgement::default();
    let me = scene.me();
    if let Some(change) = me.states.iter().find(|change| change.new == TcpState::Established) {
        judgement.exclude(Source::Kernel, format!("the connection was established at {}", change.at));
    } else if me.standing.is_some() {
        judgement.exclude(Source::Kernel, "the socket stands in the table at the end");
    } else if scene.model.tables && scene.model.has(Source::Kernel) {
        judgement.support(Source::Kernel, "no socket came of it, and none stands in the table at the end");
    }
    if let Some((at, errno)) = scene.peer().me().errors.iter().find(|(_, errno)| errno == "ECONNREFUSED") {
        judgement.exclude(Source::Kernel, format!("the other endpoint's SYN was refused ({errno}) at {at}"));
    }
    for (at, report) in me.reports.iter().take(1) {
        judgement.exclude(Source::Log, format!("the program knows of the connection ({report:?}) at {at}"));
    }
    if me.options.is_some() {
        judgement.exclude(Source::Settings, "a program held the socket");
    }
    if me.host_down.is_some() {
        judgement.exclude_alone(Source::Timeline, "its host was powered off meanwhile");
    }
    by_wire(&mut judgement, scene);
    judgement
}

/// The segments of this endpoint that answer a SYN.
fn answers(scene: &Scene<'_>) -> Vec<Seen> {
    scene.me().sent.iter().filter(|seen| seen.flags.syn()).copied().collect()
}

/// Whether the wire shows that this endpoint answered a SYN, and that nobody acknowledged the answer.
#[must_use]
pub(super) fn unacknowledged(scene: &Scene<'_>) -> bool {
    let me = scene.me();
    let answers = answers(scene);
    let taken = |seen: &Seen| seen.flags.rst() || (seen.flags.ack() && answers.iter().any(|syn| seen.ack == syn.end()));
    scene.side == 1 && !answers.is_empty() && !me.delivered.iter().any(taken)
}

fn by_wire(judgement: &mut Judgement, scene: &Scene<'_>) {
    if !scene.model.has(Source::Wire) {
        // Nothing else tells whether a SYN came at all.
        judgement.supports.clear();
        return;
    }
    let sent = answers(scene);
    let Some(first) = sent.first() else {
        return judgement.exclude(Source::Wire, "it never answered a SYN");
    };
    if !unacknowledged(scene) {
        return judgement.exclude(Source::Wire, "its SYN, ACK was acknowledged, or refused by RST");
    }
    judgement.support(Source::Wire, format!("{} SYN, ACKs were not acknowledged", sent.len()));
    let retries = scene.sysctl("net.ipv4.tcp_synack_retries").and_then(|n| u32::try_from(n).ok());
    // Each further SYN is answered at once and arms the timer anew: what is counted from the first tells nothing then.
    let asked = scene.me().delivered.iter().filter(|seen| seen.flags.syn()).count();
    let (Some(retries), 1, true) = (retries, asked, scene.model.hz > 0) else { return };
    let again = u32::try_from(sent.len() - 1).unwrap_or(u32::MAX);
    if again != retries {
        judgement.exclude(Source::Wire, format!("the SYN, ACK was sent again {again} times, not {retries}"));
    }
    let window = wheel::syn_ack_death(retries, scene.phase(first.at), scene.model.hz);
    let slack = scene.model.canary.0.max(INSTANT.0);
    let due = Due {
        what: "first SYN, ACK".into(),
        since: first.at,
        nominal: window.nominal.into(),
        window: (window.earliest.into(), Span(Span::from(window.latest).0 + slack)),
        sum: format!("tcp_synack_retries {retries}"),
    };
    let text = format!("{} for a SYN, ACK are {}", due.sum, super::patterns::s(due.nominal));
    if scene.model.end >= first.at.after(due.window.0) {
        judgement.support(Source::Settings, format!("{text}, which were over at the end"));
    } else {
        judgement.exclude(Source::Settings, format!("{text}, which were not over at the end"));
    }
    judgement.due = Some(due);
}
