//! `protocol: mqtt`: an MQTT client that publishes to a topic and is subscribed to it.

use std::sync::Arc;
use std::time::Duration;

use super::{Protocol, Way};
use crate::actors::manners::{keepalive, milliseconds};
use crate::actors::mqtt::{Pingresp, Settings, Version};
use crate::actors::{Manners, Part, What};
use crate::keys;
use crate::lab::enter::{Place, environment};
use crate::scenario::{Choice, Client, Fields, Heartbeat, Optional, Shaped, Value, Word};

/// The word in a scenario.
pub const WORD: Word<Arc<dyn Protocol>> =
    Word { name: "mqtt", about: "an MQTT client: the library rumqttc", example: "", takes: MqttKeys::SHAPE, decode };

/// rumqttc's `MqttOptions::new`.
const KEEP_ALIVE_S: u16 = 60;
/// rumqttc's `connection_timeout`: TCP's handshake and MQTT's together.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// rumqttc refuses less in MQTT 5, and none at all (v5 `MqttOptions::set_keep_alive`).
const LEAST_OF_FIVE: Duration = Duration::from_secs(5);

keys! {
    /// The keys of an MQTT client.
    struct MqttKeys {
        KEEP_ALIVE: optional Heartbeat = "keep alive", "30s", "60s",
            "what it asks for: whole seconds, or `off`. Not to be confused with TCP's `keepalive`";
        VERSION: optional Version = "version", "5", "`3.1.1`",
            "of MQTT. In 5 rumqttc wants a keep-alive of 5 s at least, and the broker may answer with another one";
        PINGRESP: optional Pingresp = "pingresp", "ignored", "`enforced`",
            "a broker that does not answer a PINGREQ: `enforced`, given up when the next one is due, as rumqttc does; `ignored`, as clients do that do not look for the answer";
    }
}

impl Choice for Version {
    const WHAT: &'static str = "a version of MQTT";
    const CHOICES: &'static [(&'static str, Self, &'static str)] =
        &[("3.1.1", Self::V3, "MQTT 3.1.1"), ("5", Self::V5, "MQTT 5")];
}

impl Choice for Pingresp {
    const WHAT: &'static str = "what to make of a PINGREQ without an answer";
    const CHOICES: &'static [(&'static str, Self, &'static str)] = &[
        ("enforced", Self::Enforced, "the broker is given up when the next one is due"),
        ("ignored", Self::Ignored, "nobody looks for the answer"),
    ];
}

#[derive(Debug)]
struct Mqtt {
    version: Version,
    keep_alive_s: u16,
    pingresp: Pingresp,
}

fn decode(value: Value<'_>) -> Option<Arc<dyn Protocol>> {
    let mut fields = value.fields(MqttKeys::TABLE)?;
    let keep_alive_s = fields.optional(MqttKeys::KEEP_ALIVE).map_or(KEEP_ALIVE_S, |keep_alive| keep_alive.0);
    let version = choose(&mut fields, MqttKeys::VERSION);
    let pingresp = choose(&mut fields, MqttKeys::PINGRESP);
    if version == Some(Version::V5) && Duration::from_secs(keep_alive_s.into()) < LEAST_OF_FIVE {
        fields.error_at(MqttKeys::KEEP_ALIVE.name, "rumqttc has no keep-alive below 5 s in MQTT 5, and always one");
        return None;
    }
    fields.finish();
    Some(Arc::new(Mqtt { version: version?, keep_alive_s, pingresp: pingresp? }))
}

/// One of a few words; the usual one, unless the key is there.
fn choose<T: Choice + Default>(fields: &mut Fields<'_>, key: Optional<T>) -> Option<T> {
    match fields.optional_value(key) {
        None => Some(T::default()),
        Some(value) => value.decode(),
    }
}

impl Protocol for Mqtt {
    fn name(&self) -> &'static str {
        "mqtt"
    }

    fn refuses(&self, what: What) -> Option<&'static str> {
        match what {
            What::Send { .. } => Some("`publish` sends messages; other payload would not be MQTT"),
            What::HalfClose => Some("MQTT knows no half-closed connection: `close` ends it in order, with DISCONNECT"),
            What::StopReading | What::ResumeReading => Some(
                "its library reads by itself; `protocol: tcp` can be told not to, and `freeze` stops all of a program",
            ),
            What::Publish { .. } | What::Close | What::Reset => None,
        }
    }

    fn handshake_timeout(&self) -> Option<Duration> {
        Some(HANDSHAKE)
    }

    fn place(&self, client: &Client<Arc<dyn Protocol>>, way: &Way<'_>) -> std::io::Result<Place> {
        let manners = Manners {
            keepalive: keepalive(&client.keepalive),
            user_timeout_ms: client.user_timeout.map(milliseconds),
            ..Manners::default()
        };
        let settings = Settings {
            name: client.name.to_string(),
            version: self.version,
            keep_alive_s: self.keep_alive_s,
            pingresp: self.pingresp,
        };
        let part =
            Part::Mqtt { source: way.source, target: way.target, connections: client.connections, settings, manners };
        Ok(Place {
            argv: vec![String::new(), "actor".into(), serde_json::to_string(&part)?],
            env: environment(&[]),
            directory: "/".into(),
            ..Place::default()
        })
    }
}
