//! The ledger: where every collector of one case puts what it saw, and where those who wait for something look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::{Fact, Pair, TcpState};
use crate::clock;

/// Log lines that an error shows.
const LAST_LINES: usize = 8;

/// What all collectors of a case share.
///
/// Facts come in with times of CLOCK_MONOTONIC; [`super::list`] puts them on the case's clock.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    seen: Mutex<Seen>,
    /// Somebody put a fact in.
    news: Notify,
}

#[derive(Debug, Default)]
struct Seen {
    facts: Vec<(i64, Fact)>,
    states: HashMap<(String, Pair), TcpState>,
    last_ns: i64,
}

impl Ledger {
    /// Puts a fact in, with its time on CLOCK_MONOTONIC in nanoseconds.
    pub fn put(&self, at_monotonic_ns: i64, fact: Fact) {
        let mut seen = self.seen();
        if let Fact::State { node, pair, new, .. } = &fact {
            seen.states.insert((node.clone(), *pair), *new);
        }
        if matches!(fact, Fact::Segment(_) | Fact::State { .. } | Fact::ProxyLog(_) | Fact::Application { .. }) {
            seen.last_ns = seen.last_ns.max(at_monotonic_ns);
        }
        seen.facts.push((at_monotonic_ns, fact));
        drop(seen);
        self.inner.news.notify_waiters();
    }

    /// Puts a fact in that became true just now.
    pub fn put_now(&self, fact: Fact) {
        self.put(clock::monotonic_ns(), fact);
    }

    /// The last known state of each socket of a connection, by node.
    #[must_use]
    pub fn states(&self) -> Vec<(String, Pair, TcpState)> {
        self.seen().states.iter().map(|((node, pair), state)| (node.clone(), *pair, *state)).collect()
    }

    /// Waits until `done` holds for the facts so far; it is asked again after every fact.
    pub async fn until(&self, mut done: impl FnMut(&Ledger) -> bool) {
        loop {
            let news = self.inner.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            if done(self) {
                return;
            }
            news.await;
        }
    }

    /// Whether any fact so far satisfies `wanted`.
    #[must_use]
    pub fn any(&self, mut wanted: impl FnMut(&Fact) -> bool) -> bool {
        self.seen().facts.iter().any(|(_, fact)| wanted(fact))
    }

    /// Shows all facts so far, in the order in which they were put in.
    pub fn each(&self, mut look: impl FnMut(&Fact)) {
        self.seen().facts.iter().for_each(|(_, fact)| look(fact));
    }

    /// How many facts so far satisfy `wanted`.
    #[must_use]
    pub fn count(&self, mut wanted: impl FnMut(&Fact) -> bool) -> usize {
        self.seen().facts.iter().filter(|(_, fact)| wanted(fact)).count()
    }

    /// The last lines that a program logged, for an error about it.
    #[must_use]
    pub fn last_lines(&self, program: &str) -> Vec<String> {
        let seen = self.seen();
        let lines = seen.facts.iter().rev().filter_map(|(_, fact)| match fact {
            Fact::ServiceLog { service, line, .. } if service == program => Some(line.clone()),
            _ => None,
        });
        let mut lines: Vec<_> = lines.take(LAST_LINES).collect();
        lines.reverse();
        lines
    }

    /// When the lab last did something by itself (a segment, a state, a log line), CLOCK_MONOTONIC.
    #[must_use]
    pub fn last_activity_ns(&self) -> i64 {
        self.seen().last_ns
    }

    /// Takes all facts out, with their times of CLOCK_MONOTONIC.
    #[must_use]
    pub fn take(&self) -> Vec<(i64, Fact)> {
        std::mem::take(&mut self.seen().facts)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        // A collector that panicked in `put` left whole facts behind: they are still evidence.
        self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
