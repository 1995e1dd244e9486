//! What a proxy passes on from one leg to the other.

use crate::evidence::{Role, Source, Span};

use super::super::decide::Judgement;
use super::super::scene::{INSTANT, Scene, Way};
use super::patterns::{must_show_own, seen, unanswered};
use super::proxy_decision::stood;
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "proxy-relayed",
    scope: Scope::Cause,
    who: "proxy",
    fires: "the session's other leg ended, and the cause of that began outside the proxy",
    counted_from: "the end of the other leg",
    settings: "none",
    wire: "FIN or RST on this leg at once after the other leg's end (HAProxy aborts the server's leg with RST, the client's gets FIN)",
    application: "EOF or a reset; HAProxy logs `--`, `CD` or `SD`, or a later timer's state when a peer ignores the FIN",
    source: "HAProxy configuration manual 2.6, 8.5; measured with 2.6.12",
    shown: "seed/cut-server",
    near: "proxies/killed",
    judge,
};

/// How long HAProxy takes to pass an end on, on an idle machine.
const AT_ONCE: Span = Span::millis(100);

fn judge(scene: &Scene<'_>) -> Judgement {
    match scene.me().role {
        Some(Role::Proxy) => {}
        Some(_) => return Judgement::inapplicable("this endpoint is not a proxy's"),
        None => return Judgement::default(),
    }
    let mut judgement = Judgement::default();
    for ending in scene.endings() {
        if scene.half_closed(ending.source).is_some() {
            judgement.exclude(ending.source, "it passed a FIN on, and the leg stood half-closed for long after that");
        } else if ending.way.by_process() {
            judgement.support(ending.source, seen(&ending));
        } else {
            judgement.exclude(ending.source, format!("{} at {}", seen(&ending), ending.at));
        }
    }
    if scene.may_be_half_closed() {
        judgement.exclude(Source::Kernel, "the leg outlived the FIN, and was ended later");
    }
    must_show_own(&mut judgement, scene);
    if unanswered(scene) {
        by_log(&mut judgement, scene);
    }
    if let Some(exit) = scene.exit() {
        judgement.exclude(Source::Kernel, format!("the proxy's own process ended at {}", exit.at));
    }
    if scene.client_leg() {
        for source in [Source::Kernel, Source::Wire] {
            if stood(scene, source) == Some(false) {
                judgement.exclude(source, "the session had no other leg that stood");
            }
        }
    }
    if let Some(other) = scene.other_leg() {
        against_the_other_leg(&mut judgement, scene, &other);
    }
    judgement
}

/// An attempt that is given up since the client is gone shows in the proxy's own word and nowhere on the wire. Another reason in its
/// log may be that of a later timer, and excludes nothing.
fn by_log(judgement: &mut Judgement, scene: &Scene<'_>) {
    let Some((at, log)) = scene.proxy_log() else { return };
    if log.termination.starts_with(['C', 'S']) {
        judgement.support(Source::Log, format!("the proxy logged `{}` at {at}", log.said()));
    }
}

/// The wire shows that nothing from outside ended a leg, nor could have ended it in silence: a kernel that gives up sends a RST, or waits
/// for the answer to what it has sent.
fn untouched(leg: &Scene<'_>) -> bool {
    match leg.wire_end() {
        Some(end) => end.way == Way::SentFin,
        None => leg.unacknowledged(leg.until()) == 0,
    }
}

fn against_the_other_leg(judgement: &mut Judgement, scene: &Scene<'_>, other: &Scene<'_>) {
    let limit = Span(AT_ONCE.0 + scene.model.canary.0);
    if scene.wire_end().is_none() && scene.model.has(Source::Wire) && untouched(other) {
        judgement.exclude(Source::Wire, "nothing from outside had ended the other leg");
    }
    for mine in scene.endings() {
        let theirs = other.endings().into_iter().find(|theirs| theirs.source == mine.source);
        match theirs {
            Some(theirs) if !theirs.way.by_process() && theirs.at <= mine.at => {
                let after = mine.at.since(theirs.at);
                let text = format!("on the other leg {}, {:.1} ms before", seen(&theirs), after.seconds() * 1000.0);
                // It may wait for its buffer to be written; that it waits excludes nothing.
                if after <= limit {
                    judgement.support(mine.source, text);
                }
            }
            // A kernel that gives up sends a RST or nothing at all: on the wire that excludes nothing.
            // Its RST can be seen a moment after what the woken proxy then does on another wire.
            Some(theirs) if mine.source == Source::Wire && theirs.way == Way::SentRst && theirs.at <= mine.at.after(INSTANT) => {}
            Some(theirs) if mine.source == Source::Wire && other.unacknowledged(mine.at.min(theirs.at)) > 0 => {}
            Some(_) => judgement.exclude(mine.source, "nothing from outside had ended the other leg before"),
            None if mine.source == Source::Kernel && !other.me().states.is_empty() => {
                judgement.exclude(Source::Kernel, "the other leg still stood");
            }
            None => {}
        }
    }
}
