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
    states: HashMap<(String, Pair), (TcpState, u64)>,
    sockets: u64,
    last_ns: i64,
}

/// A socket of a connection, as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its node.
    pub node: String,
    /// Its ends.
    pub pair: Pair,
    /// Its state.
    pub state: TcpState,
    /// Which socket of the lab it is, in the order in which they were first seen: another one may have the same ends later.
    pub number: u64,
}

impl Ledger {
    /// Puts a fact in, with its time on CLOCK_MONOTONIC in nanoseconds.
    pub fn put(&self, at_monotonic_ns: i64, fact: Fact) {
        let mut seen = self.seen();
        if let Fact::State { node, pair, new, .. } = &fact {
            let key = (node.clone(), *pair);
            let before = seen.states.get(&key).copied().filter(|(state, _)| *state != TcpState::Close);
            let number = before.map_or(seen.sockets + 1, |(_, number)| number);
            seen.sockets = seen.sockets.max(number);
            seen.states.insert(key, (*new, number));
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

    /// The last known state of each socket of a connection.
    #[must_use]
    pub fn states(&self) -> Vec<Standing> {
        let seen = self.seen();
        let standing = |((node, pair), (state, number)): (&(String, Pair), &(TcpState, u64))| Standing {
            node: node.clone(),
            pair: *pair,
            state: *state,
            number: *number,
        };
        seen.states.iter().map(standing).collect()
    }

    /// How many sockets of connections have been seen so far.
    #[must_use]
    pub fn sockets(&self) -> u64 {
        self.seen().sockets
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

#[cfg(test)]
mod tests {
    use super::super::Context;
    use super::*;

    fn is_now(ledger: &Ledger, old: TcpState, new: TcpState) -> Result<Vec<(TcpState, u64)>, std::net::AddrParseError> {
        let pair = Pair { local: "10.0.0.1:32768".parse()?, remote: "10.0.0.2:5672".parse()? };
        ledger.put(0, Fact::State { node: "client".into(), pair, old, new, context: Context::Softirq });
        Ok(ledger.states().into_iter().map(|socket| (socket.state, socket.number)).collect())
    }

    #[test]
    fn a_socket_with_the_ends_of_one_that_is_closed_is_another() -> Result<(), std::net::AddrParseError> {
        let ledger = Ledger::default();
        assert_eq!(is_now(&ledger, TcpState::Close, TcpState::SynSent)?, [(TcpState::SynSent, 1)]);
        assert_eq!(is_now(&ledger, TcpState::SynSent, TcpState::Established)?, [(TcpState::Established, 1)]);
        assert_eq!(is_now(&ledger, TcpState::Established, TcpState::Close)?, [(TcpState::Close, 1)]);
        assert_eq!(ledger.sockets(), 1);
        assert_eq!(is_now(&ledger, TcpState::Close, TcpState::SynSent)?, [(TcpState::SynSent, 2)]);
        assert_eq!(ledger.sockets(), 2);
        Ok(())
    }
}
