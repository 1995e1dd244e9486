//! A peer whose window is closed and that answers no probe any more.

use crate::evidence::{Moment, Source, Span};
use crate::wheel::{self, Phase, Retransmission};

use super::super::decide::{Due, Judgement};
use super::super::model::Seen;
use super::super::scene::{INSTANT, Scene, Way};
use super::patterns::{kernel_gave_up, s};
use super::tcp_retransmission::{RTO_MIN, observed_rto, phase, retransmitted};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "tcp-zero-window",
    scope: Scope::Cause,
    who: "kernel",
    fires: "data waits for a window that the peer has closed, and so many probes in a row stay unanswered",
    counted_from: "the first unanswered probe; an answer starts the count anew, however long the window stays closed, and the timeout goes on doubling",
    settings: "net.ipv4.tcp_retries2: here a count and no time; TCP_USER_TIMEOUT where it is shorter",
    wire: "the peer's last segment offers a window of 0; probes (no payload, sequence number one below the next) without an answer, at doubling distances, then silence: no RST is sent",
    application: "ETIMEDOUT; a writer was blocked until then",
    source: "net/ipv4/tcp_timer.c tcp_probe_timer(); net/ipv4/tcp_output.c tcp_send_probe0(); RFC 9293, 3.8.6.1",
    shown: "kernel/zero-window",
    near: "kernel/zero-window-answered",
    judge,
};

fn judge(scene: &Scene<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    kernel_gave_up(&mut judgement, scene, &["ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"]);
    by_silence(&mut judgement, scene);
    by_window(&mut judgement, scene);
    let probes = scene.unanswered_probes(scene.until());
    let retries = scene.sysctl("net.ipv4.tcp_retries2").and_then(|n| u32::try_from(n).ok());
    if let Some(retries) = retries {
        by_count(&mut judgement, scene, probes.len(), retries);
        by_time(&mut judgement, scene, &probes, retries);
    }
    judgement
}

/// This death makes no RST, and nothing is retransmitted before it.
fn by_silence(judgement: &mut Judgement, scene: &Scene<'_>) {
    if let Some(ending) = scene.wire_end().filter(|ending| ending.way == Way::SentRst) {
        judgement.exclude(Source::Wire, format!("it sent a RST at {}: this timer sends none", ending.at));
    }
    let Some(end) = scene.kernel_end().filter(|end| end.way == Way::Died) else { return };
    if scene.reset_made().is_some() {
        judgement.exclude(Source::Kernel, "the kernel made a RST: this timer makes none");
    }
    let count = retransmitted(scene, end.at);
    if count > 0 && scene.acknowledged_since(end.at).is_some() {
        judgement.exclude(Source::Kernel, format!("{count} retransmissions of what was unacknowledged: no window is probed then"));
    }
}

/// The window is closed, and what was sent before has been acknowledged.
fn by_window(judgement: &mut Judgement, scene: &Scene<'_>) {
    let until = scene.until();
    let Some(last) = scene.last_received(until).filter(|seen| seen.flags.ack()) else { return };
    if last.window == 0 {
        judgement.support(Source::Wire, format!("the last segment from the peer, at {}, offers a window of 0", last.at));
    } else {
        judgement.exclude(Source::Wire, format!("the last segment from the peer, at {}, offers a window", last.at));
    }
    let waiting = scene.unacknowledged(until);
    if waiting > 0 && scene.carrier() {
        judgement.exclude(Source::Wire, format!("{waiting} bytes were unacknowledged: they are sent again, and no window is probed"));
    }
}

/// Without a carrier probes do not reach the wire, and their number tells nothing.
fn by_count(judgement: &mut Judgement, scene: &Scene<'_>, probes: usize, wanted: u32) {
    if !scene.model.has(Source::Wire) || !scene.carrier() {
        return;
    }
    if u32::try_from(probes) == Ok(wanted) {
        judgement.support(Source::Wire, format!("{probes} probes were sent and not answered"));
    } else {
        judgement.exclude(Source::Wire, format!("{probes} probes were sent and not answered, not {wanted}"));
    }
}

fn by_time(judgement: &mut Judgement, scene: &Scene<'_>, probes: &[Moment], retries: u32) {
    let closed = scene.last_received(scene.until()).is_some_and(|seen| seen.window == 0);
    let [first, _, ..] = probes else { return };
    if !closed || scene.model.hz == 0 {
        return;
    }
    let (timeout, answered) = (timeout(scene, probes), answered(scene, *first));
    let hz = scene.model.hz;
    let nominal = wheel::window_probe_death(&ideal(&timeout, answered, retries), answered, retries, Phase::Unknown, hz).nominal;
    let window = wheel::window_probe_death(&timeout, answered, retries, phase(scene, *first), hz);
    let slack = scene.model.canary.0.max(INSTANT.0);
    let due = Due {
        what: "first unanswered window probe".into(),
        since: *first,
        nominal: nominal.into(),
        window: (window.earliest.into(), Span(Span::from(window.latest).0 + slack)),
        sum: format!("{retries} window probes (tcp_retries2) and one more timeout"),
    };
    if let Some(end) = scene.end().filter(|end| end.way.own()).map(|end| end.at) {
        let text = format!("{} after the {} (nominal {}: {})", s(end.since(*first)), due.what, s(due.nominal), due.sum);
        if due.allows(end) {
            judgement.support(Source::Settings, text);
        } else {
            judgement.exclude(Source::Settings, text);
        }
    }
    judgement.due = Some(due);
}

/// The timeout that led to the first of these probes: each distance is twice the one before, up to the longest.
fn timeout(scene: &Scene<'_>, probes: &[Moment]) -> Retransmission {
    let observed = observed_rto(scene, probes);
    // A gap of the longest timeout can follow any that is at least half as long.
    let half = observed.rto_max / 2;
    let rto = if *observed.rto.end() >= half { half..=half } else { observed.rto.clone() };
    Retransmission { rto, ..observed }
}

/// The same if the path took no time, by the settings alone: the timeout has doubled with each answered probe, `retries` times at the
/// most.
fn ideal(timeout: &Retransmission, answered: u32, retries: u32) -> Retransmission {
    let doubled = RTO_MIN.saturating_mul(1 << answered.min(retries.saturating_sub(1)).min(16));
    let rto = doubled.min(timeout.rto_max / 2);
    Retransmission { rto: rto..=rto, seen: Vec::new(), ..*timeout }
}

/// How many probes were answered since the window closed, before `first`.
fn answered(scene: &Scene<'_>, first: Moment) -> u32 {
    let heard = scene.heard();
    let open = heard.iter().rev().find(|seen| seen.at < first && seen.window > 0);
    let (Some(open), Some(last)) = (open, scene.last_received(first)) else { return 0 };
    let probe = |seen: &&Seen| seen.payload <= 1 && seen.seq == last.ack.wrapping_sub(1);
    let probes = scene.me().sent.iter().filter(|seen| seen.at > open.at && seen.at < first).filter(probe).count();
    u32::try_from(probes).unwrap_or(u32::MAX)
}
