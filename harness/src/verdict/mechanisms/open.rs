//! Nothing ended the connection.

use crate::evidence::{Source, TcpState};

use super::super::decide::Judgement;
use super::super::scene::Scene;
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "open",
    scope: Scope::Cause,
    who: "nobody",
    fires: "nothing: both endpoints stand at the end",
    counted_from: "no timer",
    settings: "none",
    wire: "neither FIN nor RST",
    application: "nothing",
    source: "the socket tables at the end of the case (sock_diag(7))",
    shown: "kernel/restored",
    near: "seed/idle",
    judge: |scene| {
        let mut judgement = standing(scene);
        if super::tcp_synack_timeout::unacknowledged(&scene.peer()) {
            judgement.exclude(Source::Wire, "the other endpoint's SYN, ACK was never acknowledged");
        }
        for ending in scene.peer().endings() {
            judgement.exclude(ending.source, format!("at the other endpoint {} at {}", super::patterns::seen(&ending), ending.at));
        }
        if let Some((at, log)) = scene.peer().proxy_log() {
            let text = format!("the proxy logged the session's end (`{}`) at {at}", log.said());
            judgement.exclude(Source::Log, text);
        }
        if scene.peer().me().host_down.is_some() {
            judgement.exclude_alone(Source::Timeline, "the other endpoint's host was powered off");
        }
        judgement
    },
};

/// This endpoint stands: no end of it was seen by any source.
pub(super) fn standing(scene: &Scene<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    for ending in scene.endings() {
        judgement.exclude(ending.source, format!("{} at {}", super::patterns::seen(&ending), ending.at));
    }
    if let Some((at, log)) = scene.proxy_log() {
        judgement.exclude(Source::Log, format!("the proxy logged the session's end (`{}`) at {at}", log.said()));
    }
    if scene.me().host_down.is_some() {
        judgement.exclude_alone(Source::Timeline, "its host was powered off");
    }
    if scene.me().standing == Some(TcpState::Established) {
        judgement.support(Source::Kernel, "the socket stands in the table at the end, ESTABLISHED");
    } else if scene.model.tables && scene.me().standing.is_none() {
        judgement.exclude(Source::Kernel, "the socket is not in the table at the end");
    }
    if super::tcp_synack_timeout::unacknowledged(scene) {
        judgement.exclude(Source::Wire, "its SYN, ACK was never acknowledged");
    } else if super::patterns::heard_nothing(scene) {
        judgement.exclude(Source::Wire, "no segment was ever delivered to it");
    } else if super::patterns::unanswered(scene) || super::patterns::never_answered(scene) {
        judgement.exclude(Source::Wire, "the handshake never came to its end");
    } else if scene.model.has(Source::Wire) && scene.wire_end().is_none() {
        judgement.support(Source::Wire, "no FIN or RST passed at this end of the wire");
    }
    judgement
}
