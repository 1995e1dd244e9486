//! `stop-reading` and `resume-reading`: an application leaves what comes in its kernel's buffer, or takes it from there again.
//!
//! On the wire: acknowledgements with ever smaller windows, when the buffer is full a window of 0, and the sender's window probes,
//! which are answered; after `resume-reading` a segment that opens the window. Small payload does not fill the buffer, and is
//! acknowledged as ever.

use std::sync::Arc;

use super::{Playing, Verb};
use crate::actors::{Order, What};
use crate::clock::readable;
use crate::evidence::{Fact, Report};
use crate::keys;
use crate::lab::{Error, Lab};
use crate::scenario::{ProcessName, Shape, Shaped, Value, Word};

/// The program has only to hear of it.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(5);

/// `- stop-reading: orders`
pub const STOP_READING: Word<Arc<dyn Verb>> = Word {
    name: "stop-reading",
    about: "a `protocol: tcp` client or `server: echo` leaves what comes in its kernel's buffer: when that is full its window is 0, and the sender's kernel probes it. The opposite is `resume-reading`",
    example: "{ of: app, connection: 1 }",
    takes: Shape::Either(&[ProcessName::SHAPE, ReadingKeys::SHAPE]),
    decode: |value| decode(value, false),
};

/// `- resume-reading: orders`
pub const RESUME_READING: Word<Arc<dyn Verb>> = Word {
    name: "resume-reading",
    about: "it reads again: what came meanwhile first",
    example: "app",
    takes: Shape::Either(&[ProcessName::SHAPE, ReadingKeys::SHAPE]),
    decode: |value| decode(value, true),
};

keys! {
    /// Who reads.
    struct ReadingKeys {
        OF: required ProcessName = "of", "app", "the client or server";
        CONNECTION: optional u32 = "connection", "2", "all of them", "only on this one of its connections, counted from 1";
    }
}

#[derive(Debug)]
struct Reading {
    process: String,
    connection: Option<u32>,
    on: bool,
}

fn decode(value: Value<'_>, on: bool) -> Option<Arc<dyn Verb>> {
    if value.is_scalar() {
        return Some(Arc::new(Reading { process: value.decode::<ProcessName>()?.to_string(), connection: None, on }));
    }
    let mut fields = value.fields(ReadingKeys::TABLE)?;
    let process = fields.required(ReadingKeys::OF);
    let connection = fields.optional(ReadingKeys::CONNECTION);
    fields.finish();
    Some(Arc::new(Reading { process: process?.to_string(), connection, on }))
}

impl Reading {
    fn what(&self) -> What {
        if self.on { What::ResumeReading } else { What::StopReading }
    }

    fn verb(&self) -> &'static str {
        if self.on { RESUME_READING.name } else { STOP_READING.name }
    }

    fn done(&self, lab: &Lab) -> usize {
        lab.ledger.count(|fact| {
            matches!(fact, Fact::Application { process, connection, report: Report::Reading { on }, .. }
                if *process == self.process && *on == self.on && self.connection.is_none_or(|only| only == *connection))
        })
    }
}

impl Verb for Reading {
    fn order(&self) -> Option<(&str, What)> {
        Some((&self.process, self.what()))
    }

    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a> {
        Box::pin(async {
            let before = self.done(lab);
            lab.injected(self.verb(), &self.process);
            lab.order(&self.process, &Order { connection: self.connection, what: self.what() })?;
            let done = lab.ledger.until(|_| self.done(lab) > before);
            tokio::time::timeout(LIMIT, done).await.map_err(|_| {
                let (verb, limit) = (self.verb(), readable(LIMIT));
                Error::Limit(format!(
                    "`{verb}`: no connection of `{}` has followed within {limit}; is it frozen, or are they closed?",
                    self.process
                ))
            })
        })
    }
}
