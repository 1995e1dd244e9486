//! `broker: mosquitto`: the MQTT broker of this machine, or one from an image.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::image::{self, Files, FilesKeys, ImageKeys, Source, Usual};
use super::{Kind, Surroundings, mosquitto_log};
use crate::evidence::{Fact, Role};
use crate::keys;
use crate::lab::container::Image;
use crate::lab::enter::Place;
use crate::lab::process::ReadLine;
use crate::scenario::{Fields, FileOrText, Port, ServiceWord};

/// The word in a scenario.
pub const WORD: ServiceWord<Arc<dyn Kind>> = ServiceWord {
    key: "broker",
    value: Some("mosquitto"),
    beside: &["image"],
    about: "mosquitto, an MQTT broker: the one that is installed, or one from an image",
    keys: &[MosquittoKeys::TABLE, ImageKeys::TABLE, FilesKeys::TABLE],
    decode,
};

/// The image that is meant by its public name.
const IMAGE: Usual =
    Usual { name: "eclipse-mosquitto:2", instead: "whyclosed/mosquitto", variable: "WHYCLOSED_MOSQUITTO_IMAGE" };
/// IANA's port for MQTT.
const PORT: u16 = 1883;
/// Where the configuration is for a program of this machine,
const CONFIG: &str = "/run/whyclosed/mosquitto.conf";
/// and where the command of mosquitto's own image looks for it.
const CONFIG_OF_IMAGE: &str = "/mosquitto/config/mosquitto.conf";
/// What a connection has that has not said CONNECT yet: one and a half times the 60 s that it starts with (context.c,
/// `context__init`).
const HANDSHAKE_MS: u64 = 90_000;
/// It looks at its clients every sixth second (keepalive.c, `keepalive__check`: in whole seconds, when more than five have
/// passed; since 2.0.21 each second), and at its clock each tenth of one (mux_epoll.c).
const CHECKS_EVERY_MS: u64 = 6_100;

keys! {
    /// The keys of mosquitto.
    struct MosquittoKeys {
        PORT: optional Port = "port", "1884", "1883", "where it listens";
        CONFIG: optional FileOrText = "config", "mosquitto.conf", "it listens on its port for everybody",
            "your `mosquitto.conf` or its text, used untouched and alone";
    }
}

#[derive(Debug)]
struct Mosquitto {
    image: Option<Source>,
    port: u16,
    config: Option<FileOrText>,
    files: Files,
}

fn decode(fields: &mut Fields<'_>) -> Option<Arc<dyn Kind>> {
    let image = image::source(fields)?;
    let port = fields.optional(MosquittoKeys::PORT).map_or(PORT, |port| port.0);
    let config = fields.optional(MosquittoKeys::CONFIG);
    let files = image::files(fields)?;
    if image.is_none() && !files.is_empty() {
        fields.error_at(
            FilesKeys::FILES.name,
            "there is no image to put files into: name one by `image`, or use `config`",
        );
        return None;
    }
    Some(Arc::new(Mosquitto { image, port, config, files }))
}

impl Mosquitto {
    fn config(&self) -> std::io::Result<String> {
        match &self.config {
            Some(FileOrText::Text(text)) => Ok(text.clone()),
            Some(FileOrText::File(path)) => std::fs::read_to_string(path),
            // Without a listener of its own it takes connections from its own host only (mosquitto.conf(5), `listener`).
            None => Ok(format!("listener {} 0.0.0.0\nallow_anonymous true\n", self.port)),
        }
    }
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
        if self.image.is_some() { image::READY_WITHIN } else { Duration::from_secs(10) }
    }

    fn image(&self) -> std::io::Result<Option<Image>> {
        let Some(source) = &self.image else { return Ok(None) };
        let mut files = image::read(&self.files)?;
        if !self.files.contains_key(Path::new(CONFIG_OF_IMAGE)) {
            // What it writes to standard output would wait in a buffer.
            let config = format!("{}\nlog_dest stderr\nlog_type all\n", self.config()?);
            files.push((CONFIG_OF_IMAGE.into(), config.into_bytes()));
        }
        Ok(Some(Image { files, ..image::chosen(Some(source), &IMAGE) }))
    }

    fn place(&self, directory: &Path, env: &[(String, String)]) -> std::io::Result<Place> {
        // `-v`: everything is logged, whatever the configuration says (mosquitto(8)); where to, it says, or else to standard error.
        let argv = ["mosquitto", "-v", "-c", CONFIG].map(String::from);
        Ok(Place { files: vec![(PathBuf::from(CONFIG), self.config()?)], ..Place::of(argv.into(), directory, env) })
    }

    fn settings(&self, service: &Surroundings<'_>) -> Vec<Fact> {
        vec![Fact::BrokerSettings {
            service: service.name.into(),
            handshake_timeout_ms: Some(HANDSHAKE_MS),
            checks_every_ms: Some(CHECKS_EVERY_MS),
        }]
    }

    fn reads(&self, _service: &Surroundings<'_>) -> ReadLine {
        Arc::new(mosquitto_log::read)
    }
}
