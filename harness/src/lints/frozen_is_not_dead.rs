//! `freeze`, and the author expects what follows when a host dies.

use super::subject::Mistaken;
use super::{Lint, Remark, Subject};

/// The entry in the list.
pub const LINT: Lint = Lint {
    name: "frozen-is-not-dead",
    about: "a process is frozen, as `docker pause` does, and the end that is expected is one of a dead host",
    source: "tcp_rcv_established in net/ipv4/tcp_input.c: probes and data are acknowledged without the application",
    in_every_case: false,
    find,
};

/// What a kernel that answers never lets happen.
const ENDS: [&str; 2] = ["tcp-keepalive", "tcp-retransmission"];

fn find(subject: &Subject<'_>) -> Vec<Remark> {
    let misled =
        subject.mistaken_for_dead(&["freeze"], &ENDS).map(|Mistaken { step, process, node, mechanism }| Remark {
            line: step.line,
            message: format!(
                "the kernel of a frozen process still answers: `{mechanism}` never ends a connection to `{process}`"
            ),
            help: format!("only an application's timer ends it; `power-off: {node}` is a host that dies"),
        });
    misled.collect()
}
