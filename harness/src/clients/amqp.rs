//! `protocol: amqp`: an AMQP 0-9-1 client that publishes to a queue and consumes from it.

use std::sync::Arc;

use super::{Protocol, Way};
use crate::actors::manners::{keepalive, milliseconds};
use crate::actors::{Manners, Part, What};
use crate::keys;
use crate::lab::enter::{Place, environment};
use crate::scenario::{Client, Heartbeat, Shaped, Value, Word};

/// The word in a scenario.
pub const WORD: Word<Arc<dyn Protocol>> = Word {
    name: "amqp",
    about: "an AMQP 0-9-1 client: the library lapin",
    example: "",
    takes: AmqpKeys::SHAPE,
    decode,
};

keys! {
    /// The key of an AMQP client.
    struct AmqpKeys {
        HEARTBEAT: optional Heartbeat = "heartbeat", "30s", "what the broker proposes",
            "what it asks for: whole seconds, or `off`, which it gets whatever the broker proposes";
    }
}

#[derive(Debug)]
struct Amqp {
    heartbeat_s: Option<u16>,
}

fn decode(value: Value<'_>) -> Option<Arc<dyn Protocol>> {
    let mut fields = value.fields(AmqpKeys::TABLE)?;
    let heartbeat_s = fields.optional(AmqpKeys::HEARTBEAT).map(|heartbeat| heartbeat.0);
    fields.finish();
    Some(Arc::new(Amqp { heartbeat_s }))
}

impl Protocol for Amqp {
    fn name(&self) -> &'static str {
        "amqp"
    }

    fn refuses(&self, what: What) -> Option<&'static str> {
        match what {
            What::Send { .. } => Some("`publish` sends messages; other payload would not be AMQP"),
            What::HalfClose => {
                Some("AMQP knows no half-closed connection: `close` ends it in order, with connection.close")
            }
            What::StopReading | What::ResumeReading => Some(
                "its library reads by itself; `protocol: tcp` can be told not to, and `freeze` stops all of a program",
            ),
            What::Publish { .. } | What::Close | What::Reset => None,
        }
    }

    fn place(&self, client: &Client<Arc<dyn Protocol>>, way: &Way<'_>) -> std::io::Result<Place> {
        let manners = Manners {
            keepalive: keepalive(&client.keepalive),
            user_timeout_ms: client.user_timeout.map(milliseconds),
            ..Manners::default()
        };
        let part = Part::Amqp {
            source: way.source,
            target: way.target,
            connections: client.connections,
            heartbeat_s: self.heartbeat_s,
            manners,
        };
        Ok(Place {
            argv: vec![String::new(), "actor".into(), serde_json::to_string(&part)?],
            env: environment(&[]),
            directory: "/".into(),
            ..Place::default()
        })
    }
}
