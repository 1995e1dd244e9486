//! `start`: a service that has ended, or a client that starts later, is started.

use std::sync::Arc;

use super::{Playing, Verb};
use crate::lab::Lab;
use crate::scenario::{ClientName, OnOff, ProcessName, Value, Word};

/// `- start: s1`
pub const START: Word<Arc<dyn Verb>> = Word {
    name: "start",
    about: "starts a service that has ended, or a client with `starts: later`: `start: s1` or `start: { client, await: off }`",
    decode,
};

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
    let mut fields = value.fields()?;
    let client = fields.required::<ClientName>("client");
    let awaits = fields.optional::<OnOff>("await").is_none_or(|on| on.0);
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
