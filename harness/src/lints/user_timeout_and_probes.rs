//! TCP_USER_TIMEOUT beside keepalive: the count of probes holds no more.

use super::{Lint, Remark, Subject};
use crate::scenario::Keepalive;

/// The entry in the list.
pub const LINT: Lint = Lint {
    name: "user-timeout-and-probes",
    about: "a client has keepalive and a `user timeout`, and `tcp-keepalive` is expected: TCP_USER_TIMEOUT decides",
    source: "tcp_keepalive_timer in net/ipv4/tcp_timer.c; tcp(7): TCP_USER_TIMEOUT overrides keepalive's count",
    in_every_case: false,
    find,
};

fn find(subject: &Subject<'_>) -> Vec<Remark> {
    let both = subject
        .case
        .clients
        .iter()
        .filter(|client| client.keepalive != Keepalive::Off && client.user_timeout.is_some());
    let misled = both.flat_map(|client| {
        let (name, node) = (client.name.as_str(), client.node.as_str());
        let claims = subject.claims_at(node, &["tcp-keepalive"]);
        claims.filter(move |expectation| {
            let of = expectation.connection.client.as_ref();
            let by = expectation.closed_by.as_deref();
            of.is_none_or(|of| of.matches(name))
                && expectation.connection.from.matches(node)
                && by.is_none_or(|by| by == node)
        })
    });
    let remarks = misled.map(|expectation| Remark {
        line: expectation.line,
        message: "with a `user timeout`, keepalive's probes are not counted: the connection ends by `tcp-user-timeout`"
            .into(),
        help: "expect `tcp-user-timeout`, at the first probe at which it has passed; or leave one of the two out"
            .into(),
    });
    remarks.collect()
}
