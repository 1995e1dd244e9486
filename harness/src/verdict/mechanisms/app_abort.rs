//! An application's own abort.

use crate::evidence::Source;

use super::super::decide::Judgement;
use super::super::scene::{Scene, Way};
use super::patterns::{ends_by, must_show};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "app-abort",
    scope: Scope::Cause,
    who: "application",
    fires: "close(2) with SO_LINGER 0, or with received data that was not read",
    counted_from: "no timer",
    settings: "SO_LINGER",
    wire: "RST",
    application: "the peer gets ECONNRESET",
    source: "RFC 2525, 2.17; socket(7) SO_LINGER; kernel reset reasons TCP_ABORT_ON_CLOSE, TCP_ABORT_ON_LINGER, TCP_STATE (include/net/rstreason.h)",
    shown: "applications/reset",
    near: "applications/half-close",
    judge,
};

/// The kernel's reasons for a RST that an application caused.
const REASONS: [&str; 5] =
    ["TCP_ABORT_ON_CLOSE", "TCP_ABORT_ON_LINGER", "TCP_ABORT_ON_DATA", "TCP_STATE", "TCP_DISCONNECT_WITH_DATA"];

fn judge(scene: &Scene<'_>) -> Judgement {
    if scene.at_proxy() {
        return Judgement::inapplicable("a proxy's decisions have names of their own");
    }
    let mut judgement = Judgement::default();
    ends_by(&mut judgement, scene, &[Way::SentRst]);
    super::app_close::alive(&mut judgement, scene);
    super::app_close::unasked(&mut judgement, scene);
    if let Some((_, Some(reason))) = scene.reset_made() {
        let text = format!("the kernel's reason for the RST is {reason}");
        if REASONS.contains(&reason) {
            judgement.support(Source::Kernel, text);
        } else {
            judgement.exclude(Source::Kernel, text);
        }
    }
    must_show(&mut judgement, scene);
    judgement
}
