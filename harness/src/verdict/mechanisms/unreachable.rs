//! An attempt to connect to what cannot be reached.

use crate::evidence::{Report, Source, TcpState};

use super::super::decide::Judgement;
use super::super::scene::{Scene, Way};
use super::patterns::{ended_as, given_up_with, must_show_in_kernel};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "unreachable",
    scope: Scope::Cause,
    who: "kernel",
    fires: "while a connection is being made: there is no route, the neighbour does not answer ARP, or a router says so by ICMP",
    counted_from: "no timer of TCP; a neighbour is given up after three ARP requests a second apart",
    settings: "net.ipv4.neigh.*.mcast_solicit, net.ipv4.neigh.*.retrans_time_ms",
    wire: "ARP requests without an answer and no SYN at all; or SYNs and an ICMP message; without a route nothing",
    application: "EHOSTUNREACH or ENETUNREACH from connect(2). Once a connection stands such an error ends nothing: it waits for a timer of TCP's, which then tells it in place of ETIMEDOUT",
    source: "RFC 1122, 4.2.3.9; net/ipv4/tcp_ipv4.c tcp_v4_err(); net/ipv4/arp.c arp_error_report(); net/core/neighbour.c neigh_timer_handler()",
    shown: "kernel/unreachable",
    near: "kernel/connect-timeout",
    judge,
};

/// The errors that say so.
const ERRNOS: [&str; 2] = ["EHOSTUNREACH", "ENETUNREACH"];

fn judge(scene: &Scene<'_>) -> Judgement {
    if scene.side == 1 {
        return Judgement::inapplicable("the other endpoint made the attempt to connect");
    }
    let mut judgement = Judgement::default();
    ended_as(&mut judgement, scene, |ending| ending.way == Way::Died);
    given_up_with(&mut judgement, scene, &ERRNOS);
    for (_, report) in &scene.me().reports {
        match report {
            Report::ConnectFailed { errno } if ERRNOS.contains(&errno.as_str()) => {
                judgement.support(Source::Log, format!("connect(2) failed with {errno}"));
            }
            Report::ConnectFailed { errno } => judgement.exclude(Source::Log, format!("connect(2) failed with {errno}")),
            Report::Connected => judgement.exclude(Source::Log, "the program says that it is connected"),
            _ => {}
        }
    }
    if was_established(scene) {
        judgement.exclude(Source::Kernel, "the connection was established: such an error only waits for a timer then");
    }
    by_wire(&mut judgement, scene);
    must_show_in_kernel(&mut judgement, scene);
    if scene.me().host_down.is_some() {
        judgement.exclude_alone(Source::Timeline, "its host was powered off meanwhile");
    }
    judgement
}

/// What the node was told, or not told in time.
fn by_wire(judgement: &mut Judgement, scene: &Scene<'_>) {
    let me = scene.me();
    if me.delivered.iter().any(|seen| seen.flags.syn() || seen.flags.rst()) {
        judgement.exclude(Source::Wire, "the SYN was answered");
    }
    let requests = scene.arp_unanswered();
    if let Some(last) = requests.last() {
        let text = format!("{} ARP requests of {} were not answered, the last at {last}", requests.len(), me.node);
        judgement.support(Source::Wire, text);
    } else if let Some(at) = scene.icmp_delivered() {
        judgement.support(Source::Wire, format!("an ICMP message was delivered to {} at {at}", me.node));
    } else if me.sent.iter().any(|seen| seen.flags.syn()) {
        judgement.exclude(Source::Wire, "its SYN went out, and neither ICMP nor ARP says that it met nobody");
    }
}

fn was_established(scene: &Scene<'_>) -> bool {
    scene.me().states.iter().any(|change| [change.old, change.new].contains(&TcpState::Established))
}
