//! `broker: embedded`: the harness's own AMQP 0-9-1 broker.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Kind, Surroundings, rabbit_log};
use crate::actors::broker::Settings;
use crate::actors::manners::{SocketKeys, sockets};
use crate::actors::{Manners, Part};
use crate::evidence::{Fact, Role};
use crate::keys;
use crate::lab::enter::Place;
use crate::lab::process::ReadLine;
use crate::scenario::{Fields, Heartbeat, Port, ServiceWord};

/// The word in a scenario.
pub const WORD: ServiceWord<Arc<dyn Kind>> = ServiceWord {
    key: "broker",
    value: Some("embedded"),
    beside: &[],
    about: "an AMQP 0-9-1 broker of the harness's own, which behaves as a RabbitMQ with its default settings does",
    keys: &[BrokerKeys::TABLE, SocketKeys::TABLE],
    decode,
};

/// IANA's port for AMQP.
const PORT: u16 = 5672;
/// RabbitMQ's `heartbeat`, seconds.
const HEARTBEAT_S: u16 = 60;
/// RabbitMQ's `handshake_timeout`.
const HANDSHAKE: Duration = Duration::from_secs(10);

keys! {
    /// The keys of an AMQP broker.
    pub(super) struct BrokerKeys {
        PORT: optional Port = "port", "5673", "5672", "where it listens";
        HEARTBEAT: optional Heartbeat = "heartbeat", "30s", "60s",
            "what it proposes (connection.tune): whole seconds, or `off`. What the client answers holds for both";
        HANDSHAKE_TIMEOUT: optional Duration = "handshake timeout", "5s", "10s",
            "how long a connection may take to connection.open";
    }
}

#[derive(Debug)]
struct Broker {
    port: u16,
    settings: Settings,
    manners: Manners,
}

fn decode(fields: &mut Fields<'_>) -> Option<Arc<dyn Kind>> {
    let port = fields.optional(BrokerKeys::PORT).map_or(PORT, |port| port.0);
    let heartbeat_s = fields.optional(BrokerKeys::HEARTBEAT).map_or(HEARTBEAT_S, |heartbeat| heartbeat.0);
    let handshake_timeout = fields.optional(BrokerKeys::HANDSHAKE_TIMEOUT).unwrap_or(HANDSHAKE);
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
