//! `kill`, and the author expects what follows when a host dies.

use super::subject::Mistaken;
use super::{Lint, Remark, Subject};

/// The entry in the list.
pub const LINT: Lint = Lint {
    name: "killed-is-not-dead",
    about: "a process is killed, and the end that is expected is one of a dead host",
    source: "do_exit in kernel/exit.c: the kernel of a killed process closes its sockets, with FIN or RST",
    in_every_case: false,
    find,
};

/// What ends a connection to a host that says nothing any more.
const ENDS: [&str; 3] = ["tcp-keepalive", "tcp-retransmission", "tcp-user-timeout"];

fn find(subject: &Subject<'_>) -> Vec<Remark> {
    let misled = subject.mistaken_for_dead(&["kill", "terminate"], &ENDS).map(|Mistaken { step, node, mechanism, .. }| Remark {
        line: step.line,
        message: format!(
            "`{}` ends a process, not a host: the kernel of `{node}` sends FIN or RST at once, and nothing is left for \
             `{mechanism}` to end",
            step.verb
        ),
        help: format!("`power-off: {node}` is a host that dies; `cut` is a cable"),
    });
    misled.collect()
}
