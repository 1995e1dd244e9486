//! `wait`: until connections are closed, with a limit.

use std::sync::Arc;
use std::time::Duration;

use super::{Playing, Verb};
use crate::clock::readable;
use crate::evidence::TcpState;
use crate::evidence::store::{Ledger, Standing};
use crate::keys;
use crate::lab::{Error, Lab};
use crate::scenario::{Choice, NodeName, Shaped, Word};

/// `- wait: { until: closed, at most: 10m }`
pub const WAIT: Word<Arc<dyn Verb>> = Word {
    name: "wait",
    about: "until every endpoint, or every endpoint of one node, is closed by its application or kernel; longer than `at most` fails the case",
    example: "{ until: closed, at: client, at most: 10m }",
    takes: WaitKeys::SHAPE,
    decode: |value| {
        let mut fields = value.fields(WaitKeys::TABLE)?;
        let until = fields.required(WaitKeys::UNTIL);
        let at = fields.optional(WaitKeys::AT).map(|node| node.to_string());
        let limit = fields.required(WaitKeys::AT_MOST);
        fields.finish();
        let Event::Closed = until?;
        Some(Arc::new(Wait { at, limit: limit? }))
    },
};

keys! {
    /// What is waited for.
    struct WaitKeys {
        UNTIL: required Event = "until", "closed", "the event: every endpoint is closed by its application or kernel";
        AT: optional NodeName = "at", "client", "all nodes", "only the endpoints of this node";
        AT_MOST: required Duration = "at most", "10m", "how long; more than that fails the case";
    }
}

/// What can be waited for.
#[derive(Clone, Copy, Debug)]
enum Event {
    Closed,
}

impl Choice for Event {
    const WHAT: &'static str = "an event";
    const CHOICES: &'static [(&'static str, Self, &'static str)] =
        &[("closed", Self::Closed, "every endpoint is closed by its application or kernel")];
}

#[derive(Debug)]
struct Wait {
    at: Option<String>,
    limit: Duration,
}

impl Verb for Wait {
    fn object(&self) -> Option<&str> {
        self.at.as_deref()
    }

    fn lasts(&self) -> [Duration; 2] {
        [Duration::ZERO, self.limit]
    }

    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a> {
        Box::pin(async {
            let closed = lab.ledger.until(|ledger| self.open(lab, ledger).is_empty());
            lab.during(tokio::time::timeout(self.limit, closed)).await.map_err(|_| {
                let open = self.open(lab, &lab.ledger);
                let mut open: Vec<_> = open
                    .iter()
                    .map(|Standing { node, pair, state, .. }| {
                        format!("{node}: {} -> {} {state:?}", pair.local, pair.remote)
                    })
                    .collect();
                open.sort();
                Error::Limit(format!(
                    "never closed: `wait` gave up after {}; still open: {}",
                    readable(self.limit),
                    open.join(", ")
                ))
            })
        })
    }
}

impl Wait {
    /// The endpoints that nobody has ended yet: neither their application nor their kernel.
    fn open(&self, lab: &Lab, ledger: &Ledger) -> Vec<Standing> {
        let standing = |state| {
            matches!(state, TcpState::Established | TcpState::CloseWait | TcpState::SynSent | TcpState::SynRecv)
        };
        let here = |node: &str| self.at.as_ref().is_none_or(|at| at == node) && !lab.is_off(node);
        ledger.states().into_iter().filter(|socket| standing(socket.state) && here(&socket.node)).collect()
    }
}
