//! `balance first`: the first server that has a place, in the order of the configuration.

use std::net::IpAddr;

use super::Balance;
use crate::relay::server::Server;

/// The algorithm.
#[derive(Debug)]
pub struct First;

impl Balance for First {
    fn name(&self) -> &'static str {
        "first"
    }

    fn choose(&mut self, _team: &[(usize, &Server)], candidates: &[(usize, &Server)], _client: IpAddr) -> usize {
        candidates.iter().map(|(place, _)| *place).min().unwrap_or(0)
    }

    fn lets_those_who_wait_go_first(&self) -> bool {
        true
    }

    fn takes_a_sole_backup(&self) -> bool {
        true
    }
}
