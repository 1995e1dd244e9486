//! The other endpoint is gone, and this one does not know it.

use crate::evidence::{Source, TcpState};

use super::open::standing;
use super::patterns::no_end_on_wire;
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "half-open",
    scope: Scope::Cause,
    who: "nobody",
    fires: "nothing here: the other endpoint is gone, and its FIN or RST never came",
    counted_from: "no timer",
    settings: "none",
    wire: "whatever the other endpoint sent was not delivered",
    application: "nothing: a reader waits for ever",
    source: "RFC 9293, 3.5.1; the socket tables at the end of the case (sock_diag(7))",
    shown: "seed/cut-client",
    near: "middleboxes/nlb-renewed",
    judge: |scene| {
        let mut judgement = standing(scene);
        let peer = scene.peer();
        for ending in peer.endings() {
            judgement.support(ending.source, format!("at the other endpoint {} at {}", super::patterns::seen(&ending), ending.at));
        }
        if let Some(down) = peer.me().host_down {
            judgement.support(Source::Timeline, format!("the other endpoint's host was powered off at {down}"));
        } else if peer.me().standing == Some(TcpState::Established) {
            judgement.exclude(Source::Kernel, "the other endpoint stands in the table at the end, ESTABLISHED");
        }
        let forgotten = super::tcp_synack_timeout::unacknowledged(&peer);
        if forgotten && scene.model.tables && peer.me().standing.is_none() {
            judgement.support(Source::Wire, "the other endpoint's SYN, ACK was never acknowledged, and it has no socket");
        }
        // A kernel gives up in silence only when it waits for something.
        let end = scene.model.end;
        let closed = peer.last_received(end).is_some_and(|seen| seen.window == 0);
        let waits = peer.unacknowledged(end) > 0 || closed && !peer.unanswered_probes(end).is_empty();
        if peer.me().host_down.is_none() && !waits && !forgotten && no_end_on_wire(&peer) {
            judgement.exclude(Source::Wire, "the other endpoint put no FIN or RST on the wire, and waits for no answer");
        }
        judgement
    },
};
