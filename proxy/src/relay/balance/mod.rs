//! How a backend chooses a server. A further algorithm is one file here and one line in [`algorithm`].

mod first;
mod leastconn;
mod map;
mod random;
mod ring;
mod roundrobin;
mod source;
mod static_rr;

use std::fmt::Debug;
use std::net::IpAddr;

use super::server::{Load, Server};
use crate::config::{Balance as Wanted, HashType};

/// One way to choose.
pub trait Balance: Debug {
    /// The server for the next session, by its place in the backend, out of `candidates`: those of the `team` that may take one now, at
    /// least one.
    fn choose(&mut self, team: &[(usize, &Server)], candidates: &[(usize, &Server)], client: IpAddr) -> usize;

    /// Whether a server may be chosen now: by most, one that has a place for which nobody waits.
    fn may_take(&self, server: &Server, load: Load) -> bool {
        server.is_free(load)
    }

    /// Whether a session whose server turns out to be full waits for any, and not for that one.
    fn waits_for_any(&self) -> bool {
        false
    }

    /// Whether a session waits as soon as others wait for any server, as that shows that all are full.
    fn lets_those_who_wait_go_first(&self) -> bool {
        false
    }

    /// Whether the first backup server is the answer when there is no other, even if it is full.
    fn takes_a_sole_backup(&self) -> bool {
        false
    }

    /// Whether the server that just failed is passed over.
    fn avoids(&self) -> bool {
        true
    }

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
        Wanted::RoundRobin => Box::new(roundrobin::RoundRobin::default()),
        Wanted::StaticRoundRobin => Box::new(static_rr::StaticRoundRobin::default()),
        Wanted::LeastConn => Box::new(leastconn::LeastConn),
        Wanted::First => Box::new(first::First),
        Wanted::Source => Box::new(source::Source::new(hash)),
        Wanted::Random { draws } => Box::new(random::Random::new(draws)),
    }
}
