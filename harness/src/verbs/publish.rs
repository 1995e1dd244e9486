//! `publish`: a client publishes messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Playing, Verb};
use crate::actors::{Order, What};
use crate::clock::readable;
use crate::evidence::store::Ledger;
use crate::evidence::{Fact, Report};
use crate::keys;
use crate::lab::{Error, Lab};
use crate::scenario::{Bytes, ClientName, OnOff, Shaped, Word};

/// As RabbitMQ confirms a message of its own accord; what is not confirmed by then is in a broken place.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(10);

/// `- publish: { client: orders, messages: 3 }`
pub const PUBLISH: Word<Arc<dyn Verb>> = Word {
    name: "publish",
    about: "an AMQP or MQTT client publishes messages, and the step waits until the broker has confirmed them, at most 10 s",
    example: "{ client: orders, messages: 3 }",
    takes: PublishKeys::SHAPE,
    decode: |value| {
        let mut fields = value.fields(PublishKeys::TABLE)?;
        let client = fields.required(PublishKeys::CLIENT);
        let messages = fields.optional(PublishKeys::MESSAGES).unwrap_or(1);
        let bytes = fields.optional(PublishKeys::BYTES).map_or(100, |bytes| bytes.0);
        let connection = fields.optional(PublishKeys::CONNECTION);
        let confirmed = fields.optional(PublishKeys::AWAIT).is_none_or(|on| on.0);
        fields.finish();
        let order = Order { connection, what: What::Publish { messages, bytes } };
        Some(Arc::new(Publish { client: client?.to_string(), order, confirmed }))
    },
};

keys! {
    /// What is published.
    struct PublishKeys {
        CLIENT: required ClientName = "client", "orders", "the client that publishes; it speaks AMQP or MQTT";
        MESSAGES: optional u64 = "messages", "3", "1", "how many";
        BYTES: optional Bytes = "bytes", "1kB", "100", "how much payload each has";
        CONNECTION: optional u32 = "connection", "1", "on all of them", "only on this one of its connections, counted from 1";
        AWAIT: optional OnOff = "await", "off", "`on`",
            "whether the step waits until the broker has confirmed them, at most 10 s";
    }
}

#[derive(Debug)]
struct Publish {
    client: String,
    order: Order,
    confirmed: bool,
}

impl Verb for Publish {
    fn order(&self) -> Option<(&str, What)> {
        Some((&self.client, self.order.what))
    }

    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a> {
        Box::pin(async {
            let What::Publish { messages, .. } = self.order.what else { return Ok(()) };
            let before = self.standing(&lab.ledger);
            lab.order(&self.client, &self.order)?;
            lab.injected("publish", &self.client);
            if !self.confirmed {
                return Ok(());
            }
            // Of each connection that stands: so many more, or its end.
            let missing = |ledger: &Ledger| {
                let now = self.standing(ledger);
                let missing = before.iter().map(|(number, before)| {
                    let wanted = before + messages;
                    now.get(number).map_or(0, |confirmed| wanted.saturating_sub(*confirmed))
                });
                missing.sum::<u64>()
            };
            let confirmed = lab.ledger.until(|ledger| missing(ledger) == 0);
            tokio::time::timeout(LIMIT, confirmed).await.map_err(|_| {
                Error::Limit(format!(
                    "`publish`: {} messages of client `{}` are not confirmed by its broker within {}; \
                     `await: off` publishes without waiting for that",
                    missing(&lab.ledger),
                    self.client,
                    readable(LIMIT)
                ))
            })
        })
    }
}

impl Publish {
    /// The client's connections that stand, and how many messages the broker has confirmed of each.
    fn standing(&self, ledger: &Ledger) -> BTreeMap<u32, u64> {
        let mut standing = BTreeMap::new();
        ledger.each(|fact| {
            if let Fact::Application { process, connection, report, .. } = fact
                && *process == self.client
                && self.order.connection.is_none_or(|only| only == *connection)
            {
                match report {
                    Report::Connected => drop(standing.insert(*connection, 0)),
                    Report::Published { confirmed, .. } => drop(standing.insert(*connection, *confirmed)),
                    Report::Closed { .. } => drop(standing.remove(connection)),
                    _ => {}
                }
            }
        });
        standing
    }
}
