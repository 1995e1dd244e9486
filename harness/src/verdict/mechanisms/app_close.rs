//! An application's own orderly close.

use crate::evidence::{Meaning, Source, Why};

use super::super::decide::Judgement;
use super::super::protocol::Spoke;
use super::super::scene::{Scene, Way};
use super::patterns::{ends_by, must_show_own_fin};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "app-close",
    scope: Scope::Cause,
    who: "application",
    fires: "close(2) or shutdown(2) by the application's own decision",
    counted_from: "no timer",
    settings: "none",
    wire: "FIN, answered by the peer",
    application: "the peer reads EOF",
    source: "RFC 9293, 3.6; close(2), shutdown(2)",
    shown: "applications/close",
    near: "applications/reset",
    judge,
};

fn judge(scene: &Scene<'_>) -> Judgement {
    if scene.at_proxy() {
        return Judgement::inapplicable("a proxy's decisions have names of their own");
    }
    let mut judgement = Judgement::default();
    ends_by(&mut judgement, scene, &[Way::SentFin, Way::Abandoned]);
    alive(&mut judgement, scene);
    unasked(&mut judgement, scene);
    must_show_own_fin(&mut judgement, scene);
    judgement
}

/// The application lived, and says so if it reports.
pub(super) fn alive(judgement: &mut Judgement, scene: &Scene<'_>) {
    let Some(end) = scene.end() else { return };
    if let Some(exit) = scene.exit() {
        judgement.exclude(Source::Kernel, format!("its process ended at {}", exit.at));
    } else if scene.model.has(Source::Kernel) && !scene.me().states.is_empty() {
        judgement.support(Source::Kernel, "its process lived on");
    }
    // SIGKILL leaves a program no moment of its own; of an earlier one at its place this connection was not.
    let opened = scene.me().states.first().map(|state| state.at);
    let killed = scene.injected(&["kill"], end.at).filter(|(at, ..)| opened.is_some_and(|opened| opened.0 < at.0));
    if let Some((at, verb, target)) = killed {
        judgement.exclude(Source::Timeline, format!("`{verb}: {target}` at {at}: a killed program decides nothing"));
    }
    if scene.closed_by_program(&end) {
        judgement.support(Source::Log, "the program says that it closed the connection");
    } else if scene.reports() {
        judgement.exclude(Source::Log, "the program does not say that it closed the connection");
    }
}

/// It closed by its own decision: neither had the protocol's connection been closed, nor did a timer of the protocol make it.
pub(super) fn unasked(judgement: &mut Judgement, scene: &Scene<'_>) {
    if let Some(close) = scene.said(Meaning::Closes, scene.until()) {
        judgement.exclude(Source::Wire, format!("{} had passed at {}", close.name, close.at));
    }
    let Some((_, why, text)) = scene.word() else { return };
    let due = match why {
        Why::Heartbeat => super::heartbeat::due(scene),
        Why::HandshakeTimeout => super::handshake_timeout::due(scene),
        Why::ProtocolClose if scene.spoke() == Spoke::Yes => None,
        // A broker that is spoken to in another protocol refuses that without a frame of its own.
        Why::ProtocolClose | Why::Peer | Why::Other => return,
    };
    judgement.exclude(Source::Log, text);
    // Alone a time proves no intent; it bears out a program's word that it was a timer.
    if let Some(due) = due.filter(|due| scene.end().is_some_and(|end| due.allows(end.at))) {
        judgement.exclude(Source::Settings, format!("at that moment {} after the {} were over", due.sum, due.what));
    }
}
