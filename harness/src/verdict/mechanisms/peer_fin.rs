//! The other side closed.

use crate::evidence::Source;

use super::super::decide::Judgement;
use super::super::scene::{Scene, Way};
use super::patterns::{ends_by, heard_nothing, must_show};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "peer-fin",
    scope: Scope::Endpoint,
    who: "the other side",
    fires: "a FIN was delivered",
    counted_from: "no timer",
    settings: "none",
    wire: "FIN delivered before this endpoint sent one",
    application: "EOF",
    source: "RFC 9293, 3.6",
    shown: "applications/close",
    near: "applications/reset",
    judge,
};

fn judge(scene: &Scene<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    ends_by(&mut judgement, scene, &[Way::GotFin]);
    must_show(&mut judgement, scene);
    if heard_nothing(scene) {
        judgement.exclude(Source::Wire, "no segment was ever delivered to it");
    }
    judgement
}
