//! `balance static-rr`: the servers by turns in a fixed round, with weights that cannot change (`map_get_server_rr`).

use std::net::IpAddr;

use super::Balance;
use super::map::Map;
use crate::relay::server::Server;

/// The algorithm.
#[derive(Debug, Default)]
pub struct StaticRoundRobin {
    map: Map,
    /// The next turn.
    next: usize,
}

impl Balance for StaticRoundRobin {
    fn name(&self) -> &'static str {
        "static-rr"
    }

    fn takes_weights(&self) -> bool {
        false
    }

    fn choose(&mut self, team: &[(usize, &Server)], candidates: &[(usize, &Server)], _client: IpAddr) -> usize {
        let round = self.map.of(team);
        let first = if self.next < round.len() { self.next } else { 0 };
        let turns = (first..round.len()).chain(0..first);
        let may = |turn: &usize| candidates.iter().any(|(place, _)| *place == round[*turn]);
        let turn = turns.into_iter().find(may);
        self.next = turn.map_or(first, |turn| turn + 1);
        turn.map_or_else(|| candidates.first().map_or(0, |(place, _)| *place), |turn| round[turn])
    }

    fn lets_those_who_wait_go_first(&self) -> bool {
        true
    }
}
