//! The other side's host reset the connection.

use super::super::decide::Judgement;
use super::super::scene::{Scene, Way};
use super::patterns::{ends_by, established, must_show};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "peer-reset",
    scope: Scope::Endpoint,
    who: "the other side",
    fires: "a RST was delivered",
    counted_from: "no timer",
    settings: "none",
    wire: "RST delivered",
    application: "ECONNRESET",
    source: "RFC 9293, 3.5.3",
    shown: "applications/reset",
    near: "applications/close",
    judge,
};

fn judge(scene: &Scene<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    ends_by(&mut judgement, scene, &[Way::GotRst]);
    established(&mut judgement, scene);
    must_show(&mut judgement, scene);
    judgement
}
