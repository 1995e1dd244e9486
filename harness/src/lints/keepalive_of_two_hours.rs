//! `keepalive: system` on a node that has the kernel's own times.

use std::time::Duration;

use super::{Lint, Remark, Subject};
use crate::scenario::Keepalive;

/// The entry in the list.
pub const LINT: Lint = Lint {
    name: "keepalive-of-two-hours",
    about: "a client has `keepalive: system`, and its node's first probe comes after two hours, behind the timeline's end",
    source: "tcp(7): tcp_keepalive_time is 7200 s; a network namespace does not inherit the host's (tcp_sk_init, Linux 4.13)",
    in_every_case: false,
    find,
};

const TIME: &str = "net.ipv4.tcp_keepalive_time";
const TWO_HOURS: Duration = Duration::from_hours(2);

fn find(subject: &Subject<'_>) -> Vec<Remark> {
    if subject.longest() >= TWO_HOURS {
        return Vec::new();
    }
    let clients = subject.case.clients.iter().filter(|client| client.keepalive == Keepalive::System);
    let late = clients.filter(|client| {
        let node = subject.case.nodes.iter().find(|node| node.name == client.node);
        node.is_some_and(|node| node.sysctls.iter().all(|(name, _)| name != TIME))
    });
    let remarks = late.map(|client| Remark {
        line: client.line,
        message: format!(
            "`keepalive: system` does nothing here: node `{}` sends its first probe after 7200 s, and the timeline is over \
             before",
            client.node
        ),
        help: format!("give the node `sysctl: {{ {TIME}: 120 }}`, or the client times of its own; nodes inherit nothing"),
    });
    remarks.collect()
}
