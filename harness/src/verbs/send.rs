//! `send`: a client writes payload.

use std::sync::Arc;

use super::{Playing, Verb};
use crate::actors::{Order, What};
use crate::clock::readable;
use crate::evidence::{Fact, Report};
use crate::keys;
use crate::lab::{Error, Lab};
use crate::scenario::{Bytes, ClientName, OnOff, Shaped, Word};

/// The write(2) itself; that the bytes arrive is another matter.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(5);

/// `- send: { client: orders, bytes: 100 }`
pub const SEND: Word<Arc<dyn Verb>> = Word {
    name: "send",
    about: "a client writes payload, and the step waits for its write(2), at most 5 s",
    example: "{ client: app, bytes: 100 }",
    takes: SendKeys::SHAPE,
    decode: |value| {
        let mut fields = value.fields(SendKeys::TABLE)?;
        let client = fields.required(SendKeys::CLIENT);
        let bytes = fields.optional(SendKeys::BYTES).map_or(100, |bytes| bytes.0);
        let connection = fields.optional(SendKeys::CONNECTION);
        let arrives = fields.optional(SendKeys::AWAIT).is_none_or(|on| on.0);
        fields.finish();
        Some(Arc::new(Send { client: client?.to_string(), bytes, connection, arrives }))
    },
};

keys! {
    /// What is sent.
    struct SendKeys {
        CLIENT: required ClientName = "client", "app", "the client that writes";
        BYTES: optional Bytes = "bytes", "400kB", "100", "how much payload";
        CONNECTION: optional u32 = "connection", "1", "on all of them", "only on this one of its connections, counted from 1";
        AWAIT: optional OnOff = "await", "off", "`on`", "whether the step waits for its write(2), at most 5 s";
    }
}

#[derive(Debug)]
struct Send {
    client: String,
    bytes: u64,
    connection: Option<u32>,
    arrives: bool,
}

impl Verb for Send {
    fn order(&self) -> Option<(&str, What)> {
        Some((&self.client, What::Send { bytes: self.bytes }))
    }

    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a> {
        Box::pin(async {
            let before = self.writes(lab);
            lab.order(&self.client, &Order { connection: self.connection, what: What::Send { bytes: self.bytes } })?;
            lab.injected("send", &self.client);
            if !self.arrives {
                return Ok(());
            }
            let written = lab.ledger.until(|_| self.writes(lab) > before);
            tokio::time::timeout(LIMIT, written).await.map_err(|_| {
                Error::Limit(format!(
                    "`send`: client `{}` has not written {} bytes within {}; `await: off` sends without waiting for that",
                    self.client,
                    self.bytes,
                    readable(LIMIT)
                ))
            })
        })
    }
}

impl Send {
    /// Writes that the client has finished, failed ones too.
    fn writes(&self, lab: &Lab) -> usize {
        lab.ledger.count(|fact| {
            matches!(fact, Fact::Application { process, connection, report: Report::Sent { .. } | Report::Error { .. } | Report::Closed { .. }, .. }
                if *process == self.client && self.connection.is_none_or(|only| only == *connection))
        })
    }
}
