//! `broker: rabbitmq`: the RabbitMQ that people run, in a container.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::broker::BrokerKeys;
use super::image::{self, Files, FilesKeys, ImageKeys, Source, Usual};
use super::{Kind, Surroundings, rabbit_log, rabbit_modules};
use crate::evidence::{Fact, Role};
use crate::lab::container::Image;
use crate::lab::enter::Place;
use crate::lab::process::ReadLine;
use crate::lab::unpacked::Unpacked;
use crate::scenario::{Fields, ServiceWord};

/// The word in a scenario.
pub const WORD: ServiceWord<Arc<dyn Kind>> = ServiceWord {
    key: "broker",
    value: Some("rabbitmq"),
    beside: &["image"],
    about: "RabbitMQ, from an [image](containers.md)",
    keys: &[BrokerKeys::TABLE, ImageKeys::TABLE, FilesKeys::TABLE],
    decode,
};

/// The image, unless the scenario names another.
const IMAGE: Usual = Usual { name: "rabbitmq:3", instead: "whyclosed/rabbitmq", variable: "WHYCLOSED_RABBITMQ_IMAGE" };
/// IANA's port for AMQP.
const PORT: u16 = 5672;
/// RabbitMQ's `heartbeat`, seconds.
const HEARTBEAT_S: u16 = 60;
/// RabbitMQ's `handshake_timeout`.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Files of this folder are read in the order of their names, the last one wins (RabbitMQ's configuration guide).
const CONFIG: &str = "/etc/rabbitmq/conf.d/90-whyclosed.conf";

#[derive(Debug)]
struct RabbitMq {
    image: Option<Source>,
    port: u16,
    heartbeat_s: u16,
    handshake_timeout: Duration,
    files: Files,
}

fn decode(fields: &mut Fields<'_>) -> Option<Arc<dyn Kind>> {
    let image = image::source(fields)?;
    let port = fields.optional(BrokerKeys::PORT).map_or(PORT, |port| port.0);
    let heartbeat_s = fields.optional(BrokerKeys::HEARTBEAT).map_or(HEARTBEAT_S, |heartbeat| heartbeat.0);
    let handshake_timeout = fields.optional(BrokerKeys::HANDSHAKE_TIMEOUT).unwrap_or(HANDSHAKE);
    let files = image::files(fields)?;
    Some(Arc::new(RabbitMq { image, port, heartbeat_s, handshake_timeout, files }))
}

impl RabbitMq {
    fn config(&self) -> String {
        // IPv4 only, as nodes have no other addresses. From anywhere, as everybody may log in as `guest` in a lab.
        format!(
            "listeners.tcp.1 = 0.0.0.0:{}\nheartbeat = {}\nhandshake_timeout = {}\nloopback_users = none\n\
             log.console = true\nlog.console.level = info\nlog.file = false\n",
            self.port,
            self.heartbeat_s,
            self.handshake_timeout.as_millis(),
        )
    }
}

impl Kind for RabbitMq {
    fn name(&self) -> &'static str {
        "rabbitmq"
    }

    fn role(&self) -> Role {
        Role::Server
    }

    fn port(&self) -> Option<u16> {
        Some(self.port)
    }

    fn ready_line(&self) -> Option<&'static str> {
        Some("Server startup complete")
    }

    fn ready_within(&self) -> Duration {
        // It takes 3 s of one processor; a machine that starts several at once has fewer.
        2 * image::READY_WITHIN
    }

    fn image(&self) -> std::io::Result<Option<Image>> {
        let mut files = image::read(&self.files)?;
        files.push((CONFIG.into(), self.config().into_bytes()));
        let env = [
            // Its own name must mean this host and no other node of the lab.
            ("RABBITMQ_NODENAME", "rabbit@localhost"),
            // Erlang's schedulers spin while they have nothing to do, which takes processors from whatever else is timed. And they
            // sleep on their descriptors, which takes five system calls where one would do: dear ones, in a guest.
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+sbwt none +sbwtdcpu none +sbwtdio none +IOs false"),
        ];
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Some(Image { env, files, ..image::chosen(self.image.as_ref(), &IMAGE) }))
    }

    fn prepare(&self, image: &mut Unpacked) -> std::io::Result<()> {
        rabbit_modules::gather(image)
    }

    fn place(&self, _directory: &Path, _env: &[(String, String)]) -> std::io::Result<Place> {
        image::no_place()
    }

    fn settings(&self, service: &Surroundings<'_>) -> Vec<Fact> {
        let handshake_timeout_ms = u64::try_from(self.handshake_timeout.as_millis()).ok();
        vec![Fact::BrokerSettings { service: service.name.into(), handshake_timeout_ms, checks_every_ms: None }]
    }

    fn reads(&self, _service: &Surroundings<'_>) -> ReadLine {
        Arc::new(rabbit_log::read)
    }
}
