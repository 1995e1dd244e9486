//! `timeout client` and `timeout server` that differ, and nobody says which one fires.

use super::{Lint, Remark, Subject};

/// The entry in the list.
pub const LINT: Lint = Lint {
    name: "unequal-timeouts",
    about: "a proxy's `timeout client` and `timeout server` differ, and no expectation says which of them fires",
    source: "HAProxy's manual, 4.2 `timeout client`: in TCP mode it is highly recommended that both are equal",
    in_every_case: false,
    find,
};

fn find(subject: &Subject<'_>) -> Vec<Remark> {
    // What is expected of a proxy's timers shows that its author knows them.
    if subject.claims("proxy-timeout-") || subject.case.expect.is_empty() {
        return Vec::new();
    }
    let proxies = subject.case.services.iter().filter_map(|service| {
        let mut timers = subject.timers(service.name.as_str()).filter(|timers| timers.tunnel.is_none());
        let (client, server) = timers.find_map(|timers| {
            let (client, server) = (timers.client?, timers.server?);
            // One that is out of reach was put there by somebody who knows.
            (client != server && subject.longest().as_millis() > u128::from(client.max(server))).then_some((client, server))
        })?;
        Some(Remark {
            line: service.line,
            message: format!(
                "`{}` has `timeout client` {client} ms and `timeout server` {server} ms: in TCP mode they should be equal",
                service.name
            ),
            help: "make them equal, or expect the one that fires: `mechanism: proxy-timeout-client`".into(),
        })
    });
    proxies.collect()
}
