//! A socket that nobody holds any more, and whose FIN nobody acknowledges.

use crate::evidence::{Context, Moment, Source, Span, TcpState};
use crate::wheel;

use super::super::decide::{Due, Judgement};
use super::super::model::{StateChange, before};
use super::super::scene::{INSTANT, Scene};
use super::patterns::s;
use super::tcp_retransmission::{observed_rto, phase, retransmissions};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "tcp-orphan-retries",
    scope: Scope::Orphan,
    who: "kernel",
    fires: "a process has closed its socket, and the FIN (or data before it) was sent again as long as tcp_orphan_retries allows",
    counted_from: "the first retransmission by timeout; the socket ends at the first retransmission timeout after that time",
    settings: "net.ipv4.tcp_orphan_retries: a time as for tcp_retries2; 0 means 8 (102.2 s)",
    wire: "the FIN again and again, at doubling distances, then silence: no RST is sent",
    application: "nothing: it has closed the socket long before",
    source: "Documentation/networking/ip-sysctl.rst tcp_orphan_retries; net/ipv4/tcp_timer.c tcp_orphan_retries(), tcp_write_timeout()",
    shown: "kernel/orphan",
    near: "kernel/orphan-acknowledged",
    judge,
};

fn judge(scene: &Scene<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    let me = scene.me();
    let waits = |state| matches!(state, TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck);
    let last = me.states.last();
    let by_timer = |change: &&StateChange| !matches!(change.context, Context::Process { .. });
    let ended = last.filter(|change| waits(change.old) && change.new == TcpState::Close).filter(by_timer);
    let ended = ended.map(|change| change.at);
    match (ended, last) {
        (Some(at), _) => judgement.support(Source::Kernel, format!("the socket was ended at {at}, before its FIN was acknowledged")),
        (None, Some(_)) => judgement.exclude(Source::Kernel, "the socket was not ended by a timer while its FIN waited for an answer"),
        (None, None) => {}
    }
    if let Some(at) = me.resets_received.first() {
        judgement.exclude(Source::Kernel, format!("the kernel took a RST for the socket at {at}"));
    }
    if me.standing.is_some() {
        judgement.exclude(Source::Kernel, "the socket stands in the table at the end");
    }
    let until = ended.unwrap_or(scene.model.end);
    if let Some(reset) = me.delivered.iter().find(|seen| seen.flags.rst()) {
        judgement.exclude(Source::Wire, format!("a RST was delivered at {}", reset.at));
    }
    if let Some(reset) = me.sent.iter().find(|seen| seen.flags.rst()) {
        judgement.exclude(Source::Wire, format!("it sent a RST at {}: this timer sends none", reset.at));
    }
    by_time(&mut judgement, scene, ended);
    if fin_acknowledged(scene) {
        judgement.exclude(Source::Wire, "its FIN was acknowledged");
    } else if scene.unacknowledged(until) > 0 {
        judgement.support(Source::Wire, "its FIN was never acknowledged");
    } else {
        // In the trace the last acknowledgement ends a socket just as its timer does.
        judgement.supports.clear();
    }
    judgement
}

/// Whether the wire shows an acknowledgement of this endpoint's FIN.
pub(super) fn fin_acknowledged(scene: &Scene<'_>) -> bool {
    let me = scene.me();
    let acknowledged = |end: u32| me.delivered.iter().any(|seen| seen.flags.ack() && !before(seen.ack, end));
    me.sent.iter().filter(|seen| seen.flags.fin()).any(|fin| acknowledged(fin.end()))
}

fn by_time(judgement: &mut Judgement, scene: &Scene<'_>, ended: Option<Moment>) {
    let setting = scene.sysctl("net.ipv4.tcp_orphan_retries").and_then(|n| u32::try_from(n).ok());
    let seen = retransmissions(scene, ended.unwrap_or(scene.model.end));
    let (Some(setting), Some(first), true) = (setting, seen.first().copied(), scene.model.hz > 0) else { return };
    if scene.me().options.as_ref().is_some_and(|options| options.user_timeout_ms > 0) {
        // retransmits_timed_out() takes the user timeout in place of the retries' time, of orphans too.
        return;
    }
    let retries = wheel::orphan_retries(setting);
    let sent = observed_rto(scene, &seen);
    let window = wheel::retransmission_death(&sent, retries, phase(scene, first), scene.model.hz);
    let slack = scene.model.canary.0.max(INSTANT.0);
    let due = Due {
        what: "first retransmission".into(),
        since: first,
        nominal: window.nominal.into(),
        window: (window.earliest.into(), Span(Span::from(window.latest).0 + slack)),
        sum: format!("first timeout after {} (tcp_orphan_retries {setting})", s(window.nominal.into())),
    };
    if let Some(end) = ended {
        let text = format!("{} after the {} (nominal {}: {})", s(end.since(first)), due.what, s(due.nominal), due.sum);
        if due.allows(end) {
            judgement.support(Source::Settings, text);
        } else {
            judgement.exclude(Source::Settings, text);
        }
    }
    judgement.struck = ended;
    judgement.due = Some(due);
}
