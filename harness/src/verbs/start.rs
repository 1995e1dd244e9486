//! `start`: a service that has ended, or a client that starts later, is started.

use std::sync::Arc;

use super::{Playing, Verb};
use crate::keys;
use crate::lab::Lab;
use crate::scenario::{ClientName, OnOff, ProcessName, Shape, Shaped, Value, Word};

/// `- start: s1`
pub const START: Word<Arc<dyn Verb>> = Word {
    name: "start",
    about: "starts a service that has ended, or a client with `starts: later`, and waits until its attempts to connect have an answer, at most 10 s. The opposites are `kill` and `terminate`",
    example: "echo",
    takes: Shape::Either(&[ProcessName::SHAPE, StartKeys::SHAPE]),
    decode,
};

keys! {
    /// How a client is started.
    struct StartKeys {
        CLIENT: required ClientName = "client", "late", "a client with `starts: later`";
        AWAIT: optional OnOff = "await", "off", "`on`",
            "whether the step waits until its attempts to connect have an answer, at most 10 s";
    }
}

#[derive(Debug)]
struct Start {
    process: String,
    /// Waits until the attempts to connect have an answer.
    awaits: bool,
}

fn decode(value: Value<'_>) -> Option<Arc<dyn Verb>> {
    if value.is_scalar() {
        return Some(Arc::new(Start { process: value.decode::<ProcessName>()?.to_string(), awaits: true }));
    }
    let mut fields = value.fields(StartKeys::TABLE)?;
    let client = fields.required(StartKeys::CLIENT);
    let awaits = fields.optional(StartKeys::AWAIT).is_none_or(|on| on.0);
    fields.finish();
    Some(Arc::new(Start { process: client?.to_string(), awaits }))
}

impl Verb for Start {
    fn object(&self) -> Option<&str> {
        Some(&self.process)
    }

    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a> {
        Box::pin(async {
            lab.injected("start", &self.process);
            lab.start_service(&self.process).await?;
            lab.start_client(&self.process, self.awaits).await
        })
    }
}
