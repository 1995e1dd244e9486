//! The endpoint's host died.

use crate::evidence::Source;

use super::super::decide::Judgement;
use super::super::scene::Scene;
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "host-down",
    scope: Scope::Endpoint,
    who: "nobody",
    fires: "the host lost its power, and the socket went with its kernel",
    counted_from: "no timer",
    settings: "none",
    wire: "nothing at all",
    application: "it died too; the peer sees nothing until a timer of its own fires",
    source: "the timeline's `power-off`",
    shown: "seed/power-off",
    near: "kernel/unplugged",
    judge,
};

fn judge(scene: &Scene<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    let Some(down) = scene.me().host_down else {
        judgement.exclude_alone(Source::Timeline, "its host was not powered off while the connection stood");
        return judgement;
    };
    judgement.support(Source::Timeline, format!("its host was powered off at {down}"));
    if scene.endings().is_empty() && scene.model.has(Source::Wire) {
        judgement.support(Source::Wire, "nothing ended the connection on the wire before");
    }
    if scene.endings().is_empty() && !scene.me().states.is_empty() {
        judgement.support(Source::Kernel, "the socket stood until then");
    }
    for ending in scene.endings() {
        judgement.exclude(ending.source, format!("before that, {} at {}", super::patterns::seen(&ending), ending.at));
    }
    judgement
}
