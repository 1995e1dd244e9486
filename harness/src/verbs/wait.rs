//! `wait`: until connections are closed, with a limit.

use std::sync::Arc;
use std::time::Duration;

use super::{Playing, Verb};
use crate::clock::readable;
use crate::evidence::TcpState;
use crate::evidence::store::{Ledger, Standing};
use crate::lab::{Error, Lab};
use crate::scenario::{NodeName, Word};

/// `- wait: { until: closed, at most: 10m }`
pub const WAIT: Word<Arc<dyn Verb>> = Word {
    name: "wait",
    about: "until every endpoint, or every endpoint of one node, is closed: `wait: { until: closed, at, at most }`",
    decode: |value| {
        let mut fields = value.fields()?;
        let until = fields.required_value("until").and_then(|value| value.choose("an event", &[("closed", ())]));
        let at = fields.optional::<NodeName>("at").map(|node| node.to_string());
        let limit = fields.required::<Duration>("at most");
        fields.finish();
        until?;
        Some(Arc::new(Wait { at, limit: limit? }))
    },
};

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
