//! `half-close`: a client shuts its sending side down (shutdown(2), SHUT_WR) and goes on reading.
//!
//! On the wire: FIN behind what it has written, acknowledged by the peer's kernel; what the peer sends is still taken. There is no
//! opposite, as a FIN cannot be taken back: `close` ends the other direction too.

use std::sync::Arc;

use super::{Playing, Verb};
use crate::actors::{Order, What};
use crate::clock::readable;
use crate::evidence::{Fact, Report};
use crate::keys;
use crate::lab::{Error, Lab};
use crate::scenario::{ClientName, Shape, Shaped, Word};

/// The shutdown(2), behind the write(2) of what was ordered before.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(5);

/// `- half-close: orders`
pub const HALF_CLOSE: Word<Arc<dyn Verb>> = Word {
    name: "half-close",
    about: "the client shuts its sending side (shutdown(2)) behind what it has to write: FIN; it goes on reading. No opposite: a FIN is not taken back; `close` ends the rest",
    example: "app",
    takes: Shape::Either(&[ClientName::SHAPE, HalfCloseKeys::SHAPE]),
    decode: |value| {
        if value.is_scalar() {
            return Some(Arc::new(HalfClose { client: value.decode::<ClientName>()?.to_string(), connection: None }));
        }
        let mut fields = value.fields(HalfCloseKeys::TABLE)?;
        let client = fields.required(HalfCloseKeys::CLIENT);
        let connection = fields.optional(HalfCloseKeys::CONNECTION);
        fields.finish();
        Some(Arc::new(HalfClose { client: client?.to_string(), connection }))
    },
};

keys! {
    /// A client, or one of its connections.
    struct HalfCloseKeys {
        CLIENT: required ClientName = "client", "app", "whose connections";
        CONNECTION: optional u32 = "connection", "2", "all of them", "only this one of its connections, counted from 1";
    }
}

#[derive(Debug)]
struct HalfClose {
    client: String,
    connection: Option<u32>,
}

impl Verb for HalfClose {
    fn order(&self) -> Option<(&str, What)> {
        Some((&self.client, What::HalfClose))
    }

    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a> {
        Box::pin(async {
            let before = self.done(lab);
            lab.injected("half-close", &self.client);
            lab.order(&self.client, &Order { connection: self.connection, what: What::HalfClose })?;
            let done = lab.ledger.until(|_| self.done(lab) > before);
            tokio::time::timeout(LIMIT, done).await.map_err(|_| {
                let limit = readable(LIMIT);
                Error::Limit(format!(
                    "`half-close`: client `{}` has not shut its sending side within {limit}; is it frozen, is its connection \
                     closed, or is more to be sent before than the peer takes?",
                    self.client
                ))
            })
        })
    }
}

impl HalfClose {
    fn done(&self, lab: &Lab) -> usize {
        lab.ledger.count(|fact| {
            matches!(fact, Fact::Application { process, connection, report: Report::HalfClosed { .. }, .. }
                if *process == self.client && self.connection.is_none_or(|only| only == *connection))
        })
    }
}
