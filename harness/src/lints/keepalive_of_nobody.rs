//! Keepalive times of a node on which no socket uses them.

use super::{Lint, Remark, Subject};
use crate::actors::KeepaliveSetting;

/// The entry in the list.
pub const LINT: Lint = Lint {
    name: "keepalive-of-nobody",
    about: "a node has keepalive times in its `sysctl`, and no socket there has SO_KEEPALIVE with the system's times",
    source: "tcp(7): the times hold for sockets with SO_KEEPALIVE, and nothing sets that by itself",
    in_every_case: true,
    find,
};

fn find(subject: &Subject<'_>) -> Vec<Remark> {
    let case = subject.case;
    let set = case.nodes.iter().filter_map(|node| {
        let name =
            node.sysctls.iter().map(|(name, _)| name).find(|name| name.starts_with("net.ipv4.tcp_keepalive_"))?;
        Some((node, name))
    });
    let unused = set.filter(|(node, _)| {
        let clients = case.clients.iter().filter(|client| client.node == node.name).map(|client| client.name.as_str());
        let services = case.services.iter().filter(|service| service.node == node.name);
        let mut here = clients.chain(services.map(|service| service.name.as_str())).peekable();
        // What a foreign program does with its sockets is not in the scenario.
        here.peek().is_some()
            && here.all(|process| {
                subject.manners(process).is_some_and(|manners| manners.keepalive != KeepaliveSetting::System)
            })
    });
    let remarks = unused.map(|(node, name)| Remark {
        line: node.line,
        message: format!(
            "`{name}` has no effect: no socket of node `{}` has keepalive with the system's times",
            node.name
        ),
        help: "keepalive is a socket's option first: give the client or server `keepalive: system`".into(),
    });
    remarks.collect()
}
