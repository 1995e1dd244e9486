//! Retransmission timeout.

use std::time::Duration;

use crate::evidence::{Moment, Source, Span};
use crate::wheel::{self, Phase, Retransmission};

use super::super::decide::{Due, Judgement};
use super::super::model::before;
use super::super::scene::{INSTANT, Scene, Way};
use super::patterns::{kernel_gave_up, s};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "tcp-retransmission",
    scope: Scope::Cause,
    who: "kernel",
    fires: "data stays unacknowledged, and retransmitting it has gone on for the time that tcp_retries2 stands for",
    counted_from: "the first retransmission by timeout; the connection ends at the first retransmission timeout after that time",
    settings: "net.ipv4.tcp_retries2: a time, not a count: (2^(n+1) − 1) × 0.2 s for n ≤ 9, then 120 s each",
    wire: "the same segment again and again, at doubling distances, then silence: no RST is sent",
    application: "ETIMEDOUT (EHOSTUNREACH when an ICMP or neighbour error came meanwhile)",
    source: "tcp(7) tcp_retries2; net/ipv4/tcp_timer.c tcp_write_timeout(), tcp_model_timeout(); RFC 6298",
    shown: "seed/cut-in-flight",
    near: "kernel/restored",
    judge,
};

/// The retransmission timeout on a wire without delay (TCP_RTO_MIN).
pub(super) const RTO_MIN: Duration = Duration::from_millis(200);
/// The longest one (TCP_RTO_MAX).
const RTO_MAX: Duration = Duration::from_secs(120);

fn judge(scene: &Scene<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    kernel_gave_up(&mut judgement, scene, &["ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"]);
    by_silence(&mut judgement, scene);
    let end = scene.end().filter(|end| end.way.own()).map(|end| end.at);
    let until = scene.until();
    if scene.model.has(Source::Wire) && scene.carrier() {
        let waiting = scene.unacknowledged(until);
        if waiting > 0 {
            judgement.support(Source::Wire, format!("{waiting} bytes were unacknowledged"));
        } else {
            judgement.exclude(Source::Wire, "nothing was unacknowledged");
        }
    }
    by_time(&mut judgement, scene, end);
    judgement
}

/// This death makes no RST, and comes after retransmissions.
fn by_silence(judgement: &mut Judgement, scene: &Scene<'_>) {
    if let Some(ending) = scene.wire_end().filter(|ending| ending.way == Way::SentRst) {
        judgement.exclude(Source::Wire, format!("it sent a RST at {}: this timer sends none", ending.at));
    }
    let Some(end) = scene.kernel_end().filter(|end| end.way == Way::Died) else { return };
    if scene.reset_made().is_some() {
        judgement.exclude(Source::Kernel, "the kernel made a RST: this timer makes none");
    }
    let count = retransmitted(scene, end.at);
    if count > 0 {
        judgement.support(Source::Kernel, format!("{count} retransmissions"));
    } else {
        judgement.exclude(Source::Kernel, "nothing was retransmitted that was not acknowledged then");
    }
}

/// How often the kernel retransmitted, before `end`, what was still unacknowledged then, as far as the wire tells.
pub(super) fn retransmitted(scene: &Scene<'_>, end: Moment) -> usize {
    let since = scene.acknowledged_since(end).unwrap_or_default();
    scene.me().retransmits.iter().filter(|at| **at > since && **at < end).count()
}

fn by_time(judgement: &mut Judgement, scene: &Scene<'_>, end: Option<Moment>) {
    if scene.me().options.as_ref().is_some_and(|options| options.user_timeout_ms > 0) {
        // retransmits_timed_out() takes the user timeout in place of tcp_retries2's time.
        return judgement.exclude_alone(Source::Settings, "TCP_USER_TIMEOUT is set and replaces tcp_retries2");
    }
    let Some(retries) = scene.sysctl("net.ipv4.tcp_retries2").and_then(|n| u32::try_from(n).ok()) else { return };
    let seen = retransmissions(scene, scene.until());
    let (Some(first), true) = (seen.first().copied(), scene.model.hz > 0) else { return };
    let hz = scene.model.hz;
    let ideal = Retransmission { rto: RTO_MIN..=RTO_MIN, rto_max: RTO_MAX, seen: Vec::new() };
    let nominal = wheel::retransmission_death(&ideal, retries, Phase::Unknown, hz).nominal;
    let window = wheel::retransmission_death(&observed_rto(scene, &seen), retries, phase(scene, first), hz);
    let slack = scene.model.canary.0.max(INSTANT.0);
    let due = Due {
        what: "first retransmission".into(),
        since: first,
        nominal: nominal.into(),
        window: (Span::from(window.earliest), Span(Span::from(window.latest).0 + slack)),
        sum: format!("first timeout after {} (tcp_retries2 {retries})", s(wheel::model_timeout(retries, RTO_MAX).into())),
    };
    if let Some(end) = end {
        let text = format!("{} after the {} (nominal {}: {})", s(end.since(first)), due.what, s(due.nominal), due.sum);
        if due.allows(end) {
            judgement.support(Source::Settings, text);
        } else {
            judgement.exclude(Source::Settings, text);
        }
    }
    judgement.due = Some(due);
}

/// The retransmissions by timeout of the data that is unacknowledged at `until`; a tail loss probe (RFC 8985) is none.
pub(super) fn retransmissions(scene: &Scene<'_>, until: Moment) -> Vec<Moment> {
    let me = scene.me();
    let acked = me.delivered.iter().filter(|s| s.at < until && s.flags.ack()).map(|s| s.ack);
    let acked = acked.fold(None, |far: Option<u32>, n| Some(far.map_or(n, |far| if before(far, n) { n } else { far })));
    let Some(acked) = acked else { return Vec::new() };
    let first = me.sent.iter().filter(|s| s.at < until && s.seq == acked && s.end() != s.seq && !s.flags.rst());
    let times: Vec<Moment> = first.map(|s| s.at).collect();
    let [sent, again @ ..] = times.as_slice() else { return Vec::new() };
    let [one, two, ..] = again else { return again.to_vec() };
    // A timeout doubles; a tail loss probe is followed by an undoubled one.
    let (before_first, after_first) = (one.since(*sent), two.since(*one));
    let probe = after_first.0 < before_first.0 + before_first.0 / 2;
    if probe { again[1..].to_vec() } else { again.to_vec() }
}

/// The retransmission timeout of this connection, as far as its retransmissions tell.
pub(super) fn observed_rto(scene: &Scene<'_>, retransmissions: &[Moment]) -> Retransmission {
    let rto = match retransmissions {
        [one, two, ..] => {
            let gap = Duration::from_nanos(u64::try_from(two.since(*one).0).unwrap_or(0));
            wheel::first_rto(gap, scene.model.hz)
        }
        _ => RTO_MIN..=RTO_MIN * 2,
    };
    let since_first = |at: &Moment| Duration::from_nanos(u64::try_from(at.since(retransmissions[0]).0).unwrap_or(0));
    let seen = retransmissions.iter().skip(1).map(since_first).collect();
    Retransmission { rto, rto_max: RTO_MAX, seen }
}

/// The phase of the wheel at the first retransmission. Without a carrier not every retransmission is seen, and one that the
/// device refuses is tried again after a time of its own: what was seen then tells nothing of the wheel.
pub(super) fn phase(scene: &Scene<'_>, first: Moment) -> Phase {
    if scene.carrier() { scene.phase(first) } else { Phase::Unknown }
}
