//! `broker: embedded`: the harness's own AMQP 0-9-1 broker.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Kind, Surroundings, rabbit_log};
use crate::actors::broker::Settings;
use crate::actors::manners::sockets;
use crate::actors::{Manners, Part};
use crate::evidence::{Fact, Role};
use crate::lab::enter::Place;
use crate::lab::process::ReadLine;
use crate::scenario::{Fields, Heartbeat, Port, ServiceWord};

/// The word in a scenario.
pub const WORD: ServiceWord<Arc<dyn Kind>> = ServiceWord {
    key: "broker",
    value: Some("embedded"),
    beside: &[],
    about: "an AMQP 0-9-1 broker that behaves as RabbitMQ does: `port`, `heartbeat`, `handshake timeout`, socket options",
    decode,
};

/// IANA's port for AMQP.
const PORT: u16 = 5672;
/// RabbitMQ's `heartbeat`, seconds.
const HEARTBEAT_S: u16 = 60;
/// RabbitMQ's `handshake_timeout`.
const HANDSHAKE: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Broker {
    port: u16,
    settings: Settings,
    manners: Manners,
}

fn decode(fields: &mut Fields<'_>) -> Option<Arc<dyn Kind>> {
    let port = fields.optional::<Port>("port").map_or(PORT, |port| port.0);
    let heartbeat_s = fields.optional::<Heartbeat>("heartbeat").map_or(HEARTBEAT_S, |heartbeat| heartbeat.0);
    let handshake_timeout = fields.optional::<Duration>("handshake timeout").unwrap_or(HANDSHAKE);
    // RabbitMQ's `tcp_listen_options` have `{linger, {true, 0}}`: whatever is not closed on both sides is reset.
    let manners = Manners { linger_s: Some(0), ..sockets(fields) };
    Some(Arc::new(Broker { port, settings: Settings { heartbeat_s, handshake_timeout }, manners }))
}

impl Kind for Broker {
    fn name(&self) -> &'static str {
        "broker"
    }

    fn is_actor(&self) -> bool {
        true
    }

    fn role(&self) -> Role {
        Role::Server
    }

    fn port(&self) -> Option<u16> {
        Some(self.port)
    }

    fn place(&self, _directory: &Path, env: &[(String, String)]) -> std::io::Result<Place> {
        let part = Part::Broker { port: self.port, settings: self.settings, manners: self.manners.clone() };
        Ok(Place::of(vec![String::new(), "actor".into(), serde_json::to_string(&part)?], Path::new("/"), env))
    }

    fn settings(&self, service: &Surroundings<'_>) -> Vec<Fact> {
        let handshake_timeout_ms = u64::try_from(self.settings.handshake_timeout.as_millis()).ok();
        vec![Fact::BrokerSettings { service: service.name.into(), handshake_timeout_ms, checks_every_ms: None }]
    }

    fn reads(&self, _service: &Surroundings<'_>) -> ReadLine {
        Arc::new(rabbit_log::read)
    }
}
