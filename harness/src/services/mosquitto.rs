//! `broker: mosquitto`: the MQTT broker, in a container.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Kind;
use super::image::{self, Files};
use crate::evidence::Role;
use crate::lab::container::Image;
use crate::lab::enter::Place;
use crate::scenario::{Fields, Port, ServiceWord};

/// The word in a scenario.
pub const WORD: ServiceWord<Arc<dyn Kind>> = ServiceWord {
    key: "broker",
    value: Some("mosquitto"),
    beside: &["image"],
    about: "mosquitto, an MQTT broker, in a container: `port`, `image`, `files`",
    decode,
};

/// The image, unless the scenario or [`OVERRIDE`] names another.
const IMAGE: &str = "eclipse-mosquitto:2";
/// What `make images` builds, for where there is no such image.
const INSTEAD: &str = "whyclosed/mosquitto";
/// The environment variable that names another image.
pub const OVERRIDE: &str = "WHYCLOSED_MOSQUITTO_IMAGE";
/// IANA's port for MQTT.
const PORT: u16 = 1883;
/// Where the image's own command looks for its configuration.
const CONFIG: &str = "/mosquitto/config/mosquitto.conf";

#[derive(Debug)]
struct Mosquitto {
    image: Option<String>,
    port: u16,
    files: Files,
}

fn decode(fields: &mut Fields<'_>) -> Option<Arc<dyn Kind>> {
    let image = image::name(fields)?;
    let port = fields.optional::<Port>("port").map_or(PORT, |port| port.0);
    let files = image::files(fields)?;
    let image = image.or_else(|| std::env::var(OVERRIDE).ok());
    Some(Arc::new(Mosquitto { image, port, files }))
}

impl Kind for Mosquitto {
    fn name(&self) -> &'static str {
        "mosquitto"
    }

    fn role(&self) -> Role {
        Role::Server
    }

    fn port(&self) -> Option<u16> {
        Some(self.port)
    }

    fn ready_within(&self) -> Duration {
        image::READY_WITHIN
    }

    fn image(&self) -> std::io::Result<Option<Image>> {
        let (name, instead) = image::chosen(self.image.as_deref(), IMAGE, INSTEAD);
        let mut files = image::read(&self.files)?;
        // Without a listener of its own it takes connections from its own host only (mosquitto.conf(5), `listener`). What it writes
        // to standard output would wait in a buffer.
        let config = format!("listener {} 0.0.0.0\nallow_anonymous true\nlog_dest stderr\nlog_type all\n", self.port);
        if !self.files.contains_key(Path::new(CONFIG)) {
            files.push((CONFIG.into(), config.into_bytes()));
        }
        Ok(Some(Image { name, instead, files, ..Image::default() }))
    }

    fn place(&self, _directory: &Path, _env: &[(String, String)]) -> std::io::Result<Place> {
        image::no_place()
    }
}
