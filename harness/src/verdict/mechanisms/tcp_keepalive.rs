//! TCP keepalive.

use std::time::Duration;

use crate::evidence::{Moment, Source, Span, TcpState};
use crate::wheel::{self, Phase, Window};

use super::super::decide::{Due, Judgement};
use super::super::scene::{INSTANT, Scene};
use super::patterns::{kernel_gave_up, no_end_on_wire, s};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "tcp-keepalive",
    scope: Scope::Cause,
    who: "kernel",
    fires: "the connection is idle and so many probes in a row stay unanswered",
    counted_from: "the last packet *received*, the peer's own probes not counted; the timer is not re-armed by traffic but reckons anew when it fires",
    settings: "SO_KEEPALIVE with TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, or net.ipv4.tcp_keepalive_time, _intvl, _probes",
    wire: "probes (no payload, sequence number one below the next) without an answer, then a RST, which a cut swallows",
    application: "ETIMEDOUT on the next read",
    source: "tcp(7); net/ipv4/tcp_timer.c tcp_keepalive_timer(); RFC 9293, 3.8.4",
    shown: "seed/cut-client",
    near: "kernel/keepalive-outstanding[session=in-flight]",
    judge,
};

/// The reset reason that the kernel gives when this timer ends a connection (include/net/rstreason.h).
pub(super) const REASON: &str = "TCP_KEEPALIVE_TIMEOUT";

/// A probe that the node's own device drops at once is not counted, and tried again after this time
/// (TCP_RESOURCE_PROBE_INTERVAL, include/net/tcp.h). A device without a carrier does so until the kernel has noticed, up to 1 s.
const LOCAL_LOSS: Span = Span::millis(500);

/// In how many ticks a timer can have been armed whose first arming is reckoned through for each of them.
const ARMING_TICKS: u128 = 64;

fn judge(scene: &Scene<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    kernel_gave_up(&mut judgement, scene, &["ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"]);
    by_reset(&mut judgement, scene);
    if let Some(end) = scene.end() {
        let waiting = scene.unacknowledged(end.at);
        if waiting > 0 && end.way.own() {
            judgement.exclude(Source::Wire, format!("{waiting} bytes were unacknowledged: keepalive does not run then"));
        }
    }
    if !waited_for_an_answer(scene) {
        judgement.exclude(Source::Wire, "no probe of its own was unanswered");
    }
    if no_end_on_wire(scene) {
        judgement.exclude(Source::Wire, "it put no RST on the wire: this timer always does");
    }
    by_settings(&mut judgement, scene);
    judgement
}

/// Whether a probe of this endpoint, or data, was unanswered at its end, or could have been without being seen on the wire.
pub(super) fn waited_for_an_answer(scene: &Scene<'_>) -> bool {
    let Some(end) = scene.end().filter(|_| scene.model.has(Source::Wire) && scene.carrier()) else { return true };
    !scene.unanswered_probes(end.at).is_empty() || scene.unacknowledged(end.at) > 0
}

/// The keepalive timer, and only it, ends a connection with a RST of this reason.
pub(super) fn by_reset(judgement: &mut Judgement, scene: &Scene<'_>) {
    if scene.kernel_end().is_none() {
        return;
    }
    match scene.reset_made() {
        Some((_, Some(reason))) if reason == REASON => {
            judgement.support(Source::Kernel, format!("the kernel's reason for the RST is {reason}"));
        }
        Some((_, Some(reason))) => {
            judgement.exclude(Source::Kernel, format!("the kernel's reason for the RST is {reason}"));
        }
        Some((_, None)) => {}
        None => judgement.exclude(Source::Kernel, "the kernel made no RST: this timer always does"),
    }
}

fn by_settings(judgement: &mut Judgement, scene: &Scene<'_>) {
    let Some(options) = &scene.me().options else { return };
    let Some(keepalive) = options.keepalive else {
        judgement.exclude_alone(Source::Settings, "SO_KEEPALIVE is off");
        return;
    };
    if options.user_timeout_ms > 0 {
        judgement.exclude_alone(Source::Settings, "TCP_USER_TIMEOUT is set and overrides the number of probes");
        return;
    }
    let end = scene.end().filter(|end| end.way.own()).map(|end| end.at);
    let sum = format!("{} s + {} × {} s", keepalive.idle_s, keepalive.probes, keepalive.interval_s);
    judgement.due = due(scene, None, sum);
    let (Some(end), Some(due)) = (end, judgement.due.clone()) else { return };
    by_probes(judgement, scene, end, keepalive.probes);
    let text = format!("{} after the {} (nominal {} = {sum})", s(end.since(due.since)), due.what, s(due.nominal), sum = due.sum);
    if due.allows(end) {
        judgement.support(Source::Settings, text);
    } else {
        judgement.exclude(Source::Settings, text);
    }
}

/// Without a carrier probes do not reach the wire, and their number tells nothing.
fn by_probes(judgement: &mut Judgement, scene: &Scene<'_>, end: Moment, wanted: u32) {
    let probes = scene.unanswered_probes(end).len();
    if !scene.model.has(Source::Wire) || !scene.carrier() {
        return;
    }
    if u32::try_from(probes) == Ok(wanted) {
        judgement.support(Source::Wire, format!("{probes} probes were sent and not answered"));
    } else {
        judgement.exclude(Source::Wire, format!("{probes} probes were sent and not answered, not {wanted}"));
    }
}

/// When the keepalive timer ends this connection, counted from the last packet that reached the endpoint.
pub(super) fn due(scene: &Scene<'_>, user_timeout: Option<Duration>, sum: String) -> Option<Due> {
    let keepalive = scene.me().keepalive()?;
    if !scene.model.has(Source::Wire) || scene.model.hz == 0 {
        return None;
    }
    let until = scene.until();
    let heard: Vec<Moment> = scene.heard().iter().map(|seen| seen.at).filter(|at| *at < until).collect();
    let since = heard.last().copied().unwrap_or_default().max(scene.established());
    let settings = wheel::Keepalive {
        idle: Duration::from_secs(keepalive.idle_s.into()),
        interval: Duration::from_secs(keepalive.interval_s.into()),
        probes: keepalive.probes,
    };
    let windows = armings(scene).into_iter().map(|(armed, phase)| {
        let after = heard.iter().filter_map(|at| u64::try_from(at.since(armed).0).ok().filter(|since| *since > 0));
        let received: Vec<Duration> = after.map(Duration::from_nanos).collect();
        let window = wheel::keepalive_death(settings, user_timeout, &received, phase, scene.model.hz);
        // Without a packet behind the arming the window is counted from the arming itself.
        if received.is_empty() { window.after(duration(armed.since(since))) } else { window }
    });
    let Window { nominal, earliest, latest } = windows.reduce(Window::union)?;
    let mut slack = scene.model.canary.0.max(INSTANT.0);
    if !scene.carrier() {
        slack += LOCAL_LOSS.0 * (i64::from(keepalive.probes) + 1);
    }
    Some(Due {
        what: format!("last packet from {}", scene.peer().me().node),
        since,
        nominal: nominal.into(),
        window: (earliest.into(), Span(Span::from(latest).0 + slack)),
        sum,
    })
}

/// The moments at which the timer can have been armed first, with the phase of the wheel.
///
/// It is armed when the connection is established, or when SO_KEEPALIVE is switched on or TCP_KEEPIDLE set later: until the
/// settings were read. Where that leaves too many ticks, the phase tells nothing.
fn armings(scene: &Scene<'_>) -> Vec<(Moment, Phase)> {
    let established = scene.established();
    let told = scene.me().states.iter().any(|change| change.new == TcpState::Established);
    let by = scene.me().keepalive_by.filter(|_| told && scene.model.wheel.is_some());
    let tick = 1_000_000_000 / i64::from(scene.model.hz);
    match by.map(|by| duration(by.since(established)).as_nanos().div_ceil(tick.unsigned_abs().max(1).into())) {
        Some(ticks) if ticks <= ARMING_TICKS => {
            let moments = (0..=ticks).map(|n| established.after(Span(tick * i64::try_from(n).unwrap_or(0))));
            moments.map(|at| (at, scene.phase(at))).collect()
        }
        _ => vec![(established, Phase::Unknown)],
    }
}

/// A span that is none when it is negative.
fn duration(span: Span) -> Duration {
    Duration::from_nanos(u64::try_from(span.0).unwrap_or(0))
}
