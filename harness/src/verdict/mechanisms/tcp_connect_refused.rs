//! A connection attempt that a host without a listener refused.

use crate::evidence::{Report, Source, TcpState};

use super::super::decide::Judgement;
use super::super::scene::Scene;
use super::patterns::seen;
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "tcp-connect-refused",
    scope: Scope::Cause,
    who: "peer kernel",
    fires: "a SYN reached a host on whose port nobody listens",
    counted_from: "no timer",
    settings: "none",
    wire: "SYN, answered by RST",
    application: "ECONNREFUSED from connect(2)",
    source: "RFC 9293, 3.10.7.1; net/ipv4/tcp_input.c tcp_reset()",
    shown: "kernel/connect-refused",
    near: "kernel/connect-timeout",
    judge,
};

fn judge(scene: &Scene<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    // The same facts rule at both ends: the one that refused has no socket to ask.
    let opener = if scene.side == 0 { *scene } else { scene.peer() };
    let me = opener.me();
    if me.states.iter().any(|change| change.new == TcpState::Established) {
        judgement.exclude(Source::Kernel, "the connection was established");
    } else if me.errors.iter().any(|(_, errno)| errno == "ECONNREFUSED") {
        judgement.support(Source::Kernel, "the socket's error is ECONNREFUSED");
    } else if let Some(end) = opener.kernel_end() {
        judgement.exclude(Source::Kernel, format!("{} at {}, without ECONNREFUSED", seen(&end), end.at));
    }
    if me.delivered.iter().any(|s| s.flags.syn()) {
        judgement.exclude(Source::Wire, "the SYN was answered by a SYN");
    } else if me.delivered.iter().any(|s| s.flags.rst()) {
        judgement.support(Source::Wire, "the SYN was answered by a RST");
    } else if scene.model.has(Source::Wire) {
        judgement.exclude(Source::Wire, "no RST was delivered");
    }
    for (_, report) in &me.reports {
        match report {
            Report::ConnectFailed { errno } if errno == "ECONNREFUSED" => {
                judgement.support(Source::Log, "connect(2) failed with ECONNREFUSED");
            }
            Report::ConnectFailed { errno } => judgement.exclude(Source::Log, format!("connect(2) failed with {errno}")),
            Report::Connected => judgement.exclude(Source::Log, "the program says that it is connected"),
            _ => {}
        }
    }
    judgement
}
