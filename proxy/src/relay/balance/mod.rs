//! How a backend chooses a server. A further algorithm is one file here and one line in [`algorithm`].

mod first;
mod leastconn;
mod random;
mod roundrobin;
mod source;

use std::fmt::Debug;
use std::net::IpAddr;

use super::server::Server;
use crate::config::{Balance as Wanted, HashType};

/// One way to choose.
pub trait Balance: Debug {
    /// The server for the next session, by its place in the backend, out of `candidates`: those that may take one now, at least one.
    fn choose(&mut self, candidates: &[(usize, &Server)], client: IpAddr) -> usize;

    /// Its name in a configuration.
    fn name(&self) -> &'static str;

    /// Whether weights can change while it works (manual, 4.2 `balance`).
    fn takes_weights(&self) -> bool {
        true
    }

    /// Whether the choice follows from the client alone: then a retry goes to another server only when it is due to.
    fn by_hash(&self) -> bool {
        false
    }
}

/// The algorithm that `balance` and `hash-type` ask for (manual, 4.2).
#[must_use]
pub fn algorithm(wanted: Wanted, hash: HashType) -> Box<dyn Balance> {
    match wanted {
        Wanted::RoundRobin | Wanted::StaticRoundRobin => Box::new(roundrobin::RoundRobin::default()),
        Wanted::LeastConn => Box::new(leastconn::LeastConn),
        Wanted::First => Box::new(first::First),
        Wanted::Source => Box::new(source::Source::new(hash)),
        Wanted::Random { draws } => Box::new(random::Random::new(draws)),
    }
}
