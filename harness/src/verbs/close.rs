//! `close` and `reset`: a client ends its connection in order (FIN), or aborts it (RST).

use std::sync::Arc;

use super::{Playing, Verb};
use crate::actors::{Order, What};
use crate::clock::readable;
use crate::evidence::store::Ledger;
use crate::evidence::{Fact, Report};
use crate::keys;
use crate::lab::{Error, Lab};
use crate::scenario::{ClientName, Shape, Shaped, Value, Word};

/// The close(2) itself; that the peer hears of it is another matter.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(5);

/// `- close: orders`
pub const CLOSE: Word<Arc<dyn Verb>> = Word {
    name: "close",
    about: "the client closes its connections, or one of them: FIN, and before that connection.close if it speaks AMQP, DISCONNECT if it speaks MQTT",
    example: "app",
    takes: Shape::Either(&[ClientName::SHAPE, CloseKeys::SHAPE]),
    decode: |value| decode(value, What::Close),
};

/// `- reset: orders`
pub const RESET: Word<Arc<dyn Verb>> = Word {
    name: "reset",
    about: "the client aborts its connections, or one of them (SO_LINGER 0): RST",
    example: "{ client: app, connection: 1 }",
    takes: Shape::Either(&[ClientName::SHAPE, CloseKeys::SHAPE]),
    decode: |value| decode(value, What::Reset),
};

keys! {
    /// A client, or one of its connections.
    struct CloseKeys {
        CLIENT: required ClientName = "client", "app", "whose connections";
        CONNECTION: optional u32 = "connection", "2", "all of them", "only this one of its connections, counted from 1";
    }
}

#[derive(Debug)]
struct Close {
    client: String,
    order: Order,
}

fn decode(value: Value<'_>, what: What) -> Option<Arc<dyn Verb>> {
    if value.is_scalar() {
        let client = value.decode::<ClientName>()?.to_string();
        return Some(Arc::new(Close { client, order: Order { connection: None, what } }));
    }
    let mut fields = value.fields(CloseKeys::TABLE)?;
    let client = fields.required(CloseKeys::CLIENT);
    let connection = fields.optional(CloseKeys::CONNECTION);
    fields.finish();
    Some(Arc::new(Close { client: client?.to_string(), order: Order { connection, what } }))
}

impl Verb for Close {
    fn order(&self) -> Option<(&str, What)> {
        Some((&self.client, self.order.what))
    }

    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a> {
        Box::pin(async {
            let closed = self.count(lab, |report| matches!(report, Report::Closed { .. }));
            let open = self.count(lab, |report| matches!(report, Report::Connected)).saturating_sub(closed);
            lab.injected(if self.order.what == What::Close { "close" } else { "reset" }, &self.client);
            lab.order(&self.client, &self.order)?;
            let all = |_: &Ledger| self.count(lab, |report| matches!(report, Report::Closed { .. })) >= closed + open;
            tokio::time::timeout(LIMIT, lab.ledger.until(all)).await.map_err(|_| {
                let limit = readable(LIMIT);
                Error::Limit(format!("client `{}` has not closed within {limit}; is it frozen?", self.client))
            })
        })
    }
}

impl Close {
    /// What the client has reported of the connections that are to be closed.
    fn count(&self, lab: &Lab, wanted: fn(&Report) -> bool) -> usize {
        lab.ledger.count(|fact| {
            matches!(fact, Fact::Application { process, connection, report, .. }
                if *process == self.client
                    && self.order.connection.is_none_or(|only| only == *connection)
                    && wanted(report))
        })
    }
}
