//! `wait: { until: closed }` for an endpoint that is expected to stand.

use super::{Lint, Remark, Subject};

/// The entry in the list.
pub const LINT: Lint = Lint {
    name: "waits-for-what-stays",
    about: "`wait: { until: closed }` waits for an endpoint that is expected to stand for ever",
    source: "RFC 9293, 3.5.1: a half-open endpoint knows nothing of the other's end, and no timer of its own may run",
    in_every_case: false,
    find,
};

fn find(subject: &Subject<'_>) -> Vec<Remark> {
    let timeline = &subject.case.timeline;
    // What is started later may be what stands.
    let Some(index) = timeline.iter().rposition(|step| step.verb == "wait") else { return Vec::new() };
    let later = timeline[index..].iter().any(|step| ["start", "reboot"].contains(&step.verb));
    let is_off =
        |node: &str| timeline[..index].iter().any(|step| step.verb == "power-off" && step.kind.object() == Some(node));
    let (wait, at) = (&timeline[index], timeline[index].kind.object());
    let stands = |mechanism: &str| ["open", "half-open"].contains(&mechanism);
    let standing = subject.case.expect.iter().find_map(|expectation| {
        let connection = &expectation.connection;
        let open = expectation.mechanism.as_deref() == Some("open");
        let ends = [connection.from.as_str(), connection.to.as_str()].into_iter().filter(|_| open);
        let claimed =
            expectation.endpoints.iter().filter(|(_, mechanism)| stands(mechanism)).map(|(node, _)| node.as_str());
        let mut all = ends.chain(claimed).filter(|node| !node.contains('*'));
        all.find(|node| at.is_none_or(|at| at == *node) && !is_off(node)).map(|node| (node, expectation.line))
    });
    let remark = standing.filter(|_| !later).map(|(node, line)| Remark {
        line: wait.line,
        message: format!(
            "this waits for `{node}` too, whose endpoint is expected to stand (line {line}): it cannot succeed"
        ),
        help: format!("wait at the other end, `wait: {{ until: closed, at: …, at most: … }}`; `{node}` closes nothing"),
    });
    remark.into_iter().collect()
}
