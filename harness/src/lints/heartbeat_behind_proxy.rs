//! A heartbeat that is slower than the proxy's timer.

use std::time::Duration;

use super::{Lint, Remark, Subject};
use crate::actors::Part;
use crate::clock::readable;

/// The entry in the list.
pub const LINT: Lint = Lint {
    name: "heartbeat-behind-proxy",
    about: "a client's heartbeats come no more often than its proxy's inactivity timer fires",
    source: "AMQP 0-9-1, 4.2.7, and RabbitMQ's heartbeat guide: one each half of the timeout; MQTT 5, 3.1.2.10: PINGREQ within the keep-alive",
    in_every_case: false,
    find,
};

fn find(subject: &Subject<'_>) -> Vec<Remark> {
    if subject.claims("proxy-timeout-") {
        return Vec::new();
    }
    let slow = subject.case.clients.iter().filter_map(|client| {
        let every = match subject.part(client.name.as_str())? {
            Part::Amqp { heartbeat_s: Some(seconds @ 1..), .. } => Duration::from_secs(u64::from(*seconds)) / 2,
            Part::Mqtt { settings, .. } if settings.keep_alive_s > 0 => {
                Duration::from_secs(settings.keep_alive_s.into())
            }
            _ => return None,
        };
        let proxy = subject.target(client)?;
        let timers = subject.timers(proxy.name.as_str());
        let shortest = timers.flat_map(|timers| match timers.tunnel {
            Some(tunnel) => [Some(tunnel), None],
            None => [timers.client, timers.server],
        });
        let shortest = Duration::from_millis(shortest.flatten().min()?);
        (shortest <= every && shortest < subject.longest()).then(|| Remark {
            line: client.line,
            message: format!(
                "the proxy `{}` is faster than the heartbeat: `{}` speaks each {}, and its timer fires after {}",
                proxy.name,
                client.name,
                readable(every),
                readable(shortest)
            ),
            help: "a heartbeat is to come twice within the proxy's timer; or expect `proxy-timeout-client`".into(),
        })
    });
    slow.collect()
}
