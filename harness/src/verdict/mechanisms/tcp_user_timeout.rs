//! TCP_USER_TIMEOUT.

use std::time::Duration;

use crate::evidence::{Source, Span};
use crate::wheel;

use super::super::decide::{Due, Judgement};
use super::super::scene::{INSTANT, Scene};
use super::patterns::{kernel_gave_up, s};
use super::tcp_keepalive::waited_for_an_answer;
use super::tcp_retransmission::{observed_rto, phase, retransmissions};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "tcp-user-timeout",
    scope: Scope::Cause,
    who: "kernel",
    fires: "TCP_USER_TIMEOUT has passed with unacknowledged data; with keepalive on and idle, at the first probe due after it",
    counted_from: "the first retransmission when data is unacknowledged; the last packet received when idle with keepalive",
    settings: "TCP_USER_TIMEOUT; alone on an idle connection it does nothing",
    wire: "retransmissions or probes without an answer; the idle case ends with a RST",
    application: "ETIMEDOUT",
    source: "tcp(7) TCP_USER_TIMEOUT; net/ipv4/tcp_timer.c tcp_keepalive_timer(), retransmits_timed_out(); RFC 5482",
    shown: "kernel/user-timeout",
    near: "kernel/user-timeout-outlasts[keepalive=not-before-an-hour]",
    judge,
};

fn judge(scene: &Scene<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    kernel_gave_up(&mut judgement, scene, &["ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"]);
    if !waited_for_an_answer(scene) {
        judgement.exclude(Source::Wire, "neither a probe of its own nor data was unanswered");
    }
    let Some(options) = &scene.me().options else { return judgement };
    if options.user_timeout_ms == 0 {
        judgement.exclude_alone(Source::Settings, "TCP_USER_TIMEOUT is 0 (off)");
        return judgement;
    }
    let timeout = Duration::from_millis(options.user_timeout_ms.into());
    let end = scene.end().filter(|end| end.way.own()).map(|end| end.at);
    let busy = end.is_some_and(|end| scene.unacknowledged(end) > 0);
    let sum = format!("TCP_USER_TIMEOUT {}", s(timeout.into()));
    judgement.due = if busy {
        by_retransmission(scene, timeout, sum)
    } else if options.keepalive.is_some() {
        super::tcp_keepalive::due(scene, Some(timeout), sum)
    } else {
        judgement.exclude_alone(Source::Settings, "on an idle connection without SO_KEEPALIVE, TCP_USER_TIMEOUT does nothing");
        None
    };
    if let (Some(end), Some(due)) = (end, &judgement.due) {
        let text = format!("{} after the {} (nominal {}: {})", s(end.since(due.since)), due.what, s(due.nominal), due.sum);
        if due.allows(end) {
            judgement.support(Source::Settings, text);
        } else {
            judgement.exclude(Source::Settings, text);
        }
    }
    judgement
}

fn by_retransmission(scene: &Scene<'_>, timeout: Duration, sum: String) -> Option<Due> {
    let seen = retransmissions(scene, scene.until());
    let first = *seen.first().filter(|_| scene.model.hz > 0)?;
    let (sent, phase) = (observed_rto(scene, &seen), phase(scene, first));
    let window = wheel::busy_user_timeout_death(&sent, timeout, phase, scene.model.hz);
    let slack = scene.model.canary.0.max(INSTANT.0);
    Some(Due {
        what: "first retransmission".into(),
        since: first,
        nominal: timeout.into(),
        window: (Span::from(window.earliest), Span(Span::from(window.latest).0 + slack)),
        sum,
    })
}
