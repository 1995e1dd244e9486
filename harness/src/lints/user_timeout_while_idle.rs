//! TCP_USER_TIMEOUT without keepalive at a client that has nothing to send.

use super::subject::silences;
use super::{Lint, Remark, Subject};
use crate::actors::{Part, What};
use crate::scenario::Keepalive;

/// The entry in the list.
pub const LINT: Lint = Lint {
    name: "user-timeout-while-idle",
    about: "a client has a `user timeout` without keepalive, and sends nothing behind the fault: nothing ever fires",
    source: "tcp(7): TCP_USER_TIMEOUT counts unacknowledged data, and keepalive's probes where keepalive is on",
    in_every_case: false,
    find,
};

fn find(subject: &Subject<'_>) -> Vec<Remark> {
    let timeline = &subject.case.timeline;
    let Some(fault) = timeline.iter().position(silences) else { return Vec::new() };
    let idle = subject.case.clients.iter().filter(|client| {
        let name = client.name.as_str();
        // AMQP's heartbeats and MQTT's are payload, and whoever sends again and again needs no step.
        let speaks = !matches!(subject.part(name), Some(Part::Client { manners, .. }) if manners.sends.is_none());
        let sends =
            |order| matches!(order, Some((of, What::Send { .. } | What::HalfClose | What::Close)) if of == name);
        let from = fault.saturating_sub(1);
        let sent = timeline[from..].iter().any(|step| sends(step.kind.order()) || step.kind.object() == Some(name));
        client.user_timeout.is_some() && client.keepalive == Keepalive::Off && !speaks && !sent
    });
    let remarks = idle.map(|client| Remark {
        line: client.line,
        message: format!(
            "`user timeout` of `{}` never fires: without keepalive it counts data that is not acknowledged, and nothing is \
             sent behind `{}`",
            client.name, timeline[fault].verb
        ),
        help: "switch keepalive on, or `send` behind the fault".into(),
    });
    remarks.collect()
}
