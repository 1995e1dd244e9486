//! `protocol: tcp`: the harness's own plain TCP client.

use std::sync::Arc;

use super::{Protocol, Way};
use crate::actors::manners::{ApplicationKeys, application, keepalive, milliseconds};
use crate::actors::{Manners, Part, What};
use crate::lab::enter::{Place, environment};
use crate::scenario::{Client, Shaped, Value, Word};

/// The word in a scenario.
pub const WORD: Word<Arc<dyn Protocol>> = Word {
    name: "tcp",
    about: "a plain TCP client of the harness's own",
    example: "",
    takes: ApplicationKeys::SHAPE,
    decode,
};

#[derive(Debug)]
struct Tcp {
    manners: Manners,
}

fn decode(value: Value<'_>) -> Option<Arc<dyn Protocol>> {
    let mut fields = value.fields(ApplicationKeys::TABLE)?;
    let manners = application(&mut fields);
    fields.finish();
    Some(Arc::new(Tcp { manners: manners? }))
}

impl Protocol for Tcp {
    fn name(&self) -> &'static str {
        "tcp"
    }

    fn refuses(&self, what: What) -> Option<&'static str> {
        matches!(what, What::Publish { .. }).then_some("`send` writes payload; messages are for `protocol: amqp`")
    }

    fn place(&self, client: &Client<Arc<dyn Protocol>>, way: &Way<'_>) -> std::io::Result<Place> {
        let manners = Manners {
            keepalive: keepalive(&client.keepalive),
            user_timeout_ms: client.user_timeout.map(milliseconds),
            ..self.manners.clone()
        };
        let part = Part::Client { source: way.source, target: way.target, connections: client.connections, manners };
        Ok(Place {
            argv: vec![String::new(), "actor".into(), serde_json::to_string(&part)?],
            env: environment(&[]),
            directory: "/".into(),
            ..Place::default()
        })
    }
}
