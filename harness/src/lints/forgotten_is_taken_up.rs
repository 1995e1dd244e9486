//! `forget` of a firewall that takes connections up from the middle.

use super::{Lint, Remark, Subject};

/// The entry in the list.
pub const LINT: Lint = Lint {
    name: "forgotten-is-taken-up",
    about: "a firewall forgets, and takes the connections up again with their next segment",
    source: "nf_conntrack_tcp_loose (Documentation/networking/nf_conntrack-sysctl.rst); docs/notes/conntrack-loose.md",
    in_every_case: false,
    find,
};

/// What a firewall that no longer knows a connection does to it.
const ENDS: [&str; 4] = ["reset-middlebox", "tcp-retransmission", "tcp-keepalive", "tcp-user-timeout"];

fn find(subject: &Subject<'_>) -> Vec<Remark> {
    let forgets = subject.case.timeline.iter().filter(|step| step.verb == "forget");
    let misled = forgets.filter_map(|step| {
        let name = step.kind.object()?;
        let node = subject.case.nodes.iter().find(|node| node.name.as_str() == name)?;
        let firewall = node.firewall.as_ref().filter(|firewall| firewall.loose && firewall.nat.is_none())?;
        let claims = |mechanism: &str| ENDS.contains(&mechanism);
        let expected = subject.case.expect.iter().filter_map(|expectation| expectation.mechanism.as_deref());
        let mechanism = expected.into_iter().find(|mechanism| claims(mechanism))?;
        // A FIN or a cut of another step can be what the expectation is about.
        let others = |verb| ["cut", "unplug", "power-off", "close", "half-close", "shape"].contains(&verb);
        let alone = firewall.payload_idle.is_none() && !subject.case.timeline.iter().any(|step| others(step.verb));
        alone.then(|| Remark {
            line: step.line,
            message: format!(
                "`{name}` is `loose`: it takes a connection that it has forgotten up again with the next segment, and nothing \
                 is left for `{mechanism}` to end"
            ),
            help: "a firewall that drops or resets what it does not know has `loose: off`, or translates addresses (`nat`)".into(),
        })
    });
    misled.collect()
}
