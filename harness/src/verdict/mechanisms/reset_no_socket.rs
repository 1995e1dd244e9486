//! A RST from a host that does not know the connection.

use crate::evidence::Source;

use super::super::decide::Judgement;
use super::super::scene::{Scene, Way};
use super::patterns::ended_as;
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "reset-no-socket",
    scope: Scope::Stranger,
    who: "peer kernel",
    fires: "a segment reached a host that has no socket for it: it was rebooted, or had ended the connection earlier",
    counted_from: "the segment that met no socket",
    settings: "none",
    wire: "RST from the peer's host in answer to a segment",
    application: "ECONNRESET on the next read, EPIPE on the next write",
    source: "RFC 9293, 3.5.2 group 1; net/ipv4/tcp_ipv4.c tcp_v4_send_reset(), reset reason NO_SOCKET",
    shown: "seed/power-off",
    near: "middleboxes/forget",
    judge,
};

fn judge(scene: &Scene<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    ended_as(&mut judgement, scene, |ending| ending.way == Way::GotRst);
    let Some(end) = scene.end() else {
        judgement.exclude(Source::Timeline, "no end was seen");
        return judgement;
    };
    let peer = scene.peer();
    let before = |at: crate::evidence::Moment| at.0 <= end.at.0 + super::super::scene::INSTANT.0;
    let mut sent = peer.me().resets_sent.iter().rev().filter(|(at, ..)| before(*at));
    if let Some((at, state, reason)) = sent.next() {
        let why = reason.as_deref().unwrap_or("no reason given");
        let text = format!("{}'s kernel sent it at {at}, reason {why}", peer.me().node);
        if state.is_none() {
            judgement.support(Source::Kernel, text);
        } else {
            judgement.exclude(Source::Kernel, text);
        }
    } else if peer.had_socket(end.at) {
        judgement.exclude(Source::Kernel, format!("{} had a socket for it, and its kernel made no RST", peer.me().node));
    }
    if let Some((at, verb, target)) = peer.injected(&["power-off", "reboot"], end.at) {
        judgement.support(Source::Timeline, format!("`{verb}: {target}` at {at}"));
    }
    if scene.model.has(Source::Wire) {
        let from_peer = peer.me().sent.iter().any(|seen| seen.flags.rst() && before(seen.at));
        if from_peer {
            judgement.support(Source::Wire, format!("the RST was sent by {}", peer.me().node));
        } else {
            judgement.exclude(Source::Wire, format!("{} sent no RST", peer.me().node));
        }
    }
    judgement
}
