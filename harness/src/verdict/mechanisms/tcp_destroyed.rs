//! A socket that was ended from outside its program.

use crate::evidence::{Report, Source};

use super::super::decide::Judgement;
use super::super::ending::DESTROYED;
use super::super::scene::{Scene, Way};
use super::patterns::{ended_as, must_show_own, stood};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "tcp-destroyed",
    scope: Scope::Cause,
    who: "operator",
    fires: "an operator had the kernel end the socket from outside its program (SOCK_DESTROY, as `ss -K` does)",
    counted_from: "no timer",
    settings: "none; the kernel needs CONFIG_INET_DIAG_DESTROY, and the operator CAP_NET_ADMIN",
    wire: "RST; nothing for an attempt to connect that was not answered yet",
    application: "ECONNABORTED, which no other end gives; the peer gets ECONNRESET",
    source: "sock_diag(7); ss(8) -K; net/ipv4/tcp_diag.c tcp_diag_destroy(), net/ipv4/tcp.c tcp_abort()",
    shown: "kernel/destroyed",
    near: "applications/reset",
    judge,
};

fn judge(scene: &Scene<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    // On the wire its RST is like any other.
    ended_as(&mut judgement, scene, |ending| ending.way == Way::Destroyed || (ending.source == Source::Wire && ending.way == Way::SentRst));
    if let Some((at, Report::ConnectFailed { errno })) =
        scene.me().reports.iter().find(|(_, report)| matches!(report, Report::ConnectFailed { .. }))
    {
        let text = format!("connect(2) failed with {errno} at {at}");
        if errno == DESTROYED {
            judgement.support(Source::Log, text);
        } else {
            judgement.exclude(Source::Log, text);
        }
    }
    stood(&mut judgement, scene);
    by_timeline(&mut judgement, scene);
    must_show_own(&mut judgement, scene);
    if scene.me().host_down.is_some() && scene.end().is_none() {
        judgement.exclude_alone(Source::Timeline, "its host was powered off meanwhile");
    }
    judgement
}

/// Who destroys sockets is an operator, that is a step. A program of the lab that does it too is told by the kernel alone.
fn by_timeline(judgement: &mut Judgement, scene: &Scene<'_>) {
    let by_kernel = scene.kernel_end().is_some_and(|end| end.way == Way::Destroyed);
    match scene.injected(&["destroy"], scene.until()) {
        Some((at, verb, target)) => judgement.support(Source::Timeline, format!("`{verb}: {target}` at {at}")),
        None if by_kernel => {}
        None => judgement.exclude(Source::Timeline, "no step destroyed connections at its node before"),
    }
}
