//! `balance random`: of some servers drawn by chance, by weight, the one with the least load.

use std::net::IpAddr;

use rand::RngExt;
use rand::rngs::SmallRng;

use super::{Balance, leastconn};
use crate::relay::server::{Load, Server};

/// The algorithm.
#[derive(Debug)]
pub struct Random {
    draws: u32,
    chance: SmallRng,
}

impl Random {
    /// Draws so many for each choice.
    #[must_use]
    pub fn new(draws: u32) -> Random {
        Random { draws: draws.max(1), chance: rand::make_rng() }
    }

    /// One server, each as likely as its weight is heavy.
    fn draw<'a>(&mut self, candidates: &'a [(usize, &'a Server)]) -> Option<&'a (usize, &'a Server)> {
        let all: u64 = candidates.iter().map(|(_, server)| u64::from(server.share())).sum();
        let mut at = self.chance.random_range(0..all.max(1));
        candidates.iter().find(|(_, server)| {
            let weight = u64::from(server.share());
            let hit = at < weight;
            at = at.saturating_sub(weight);
            hit
        })
    }
}

impl Balance for Random {
    fn name(&self) -> &'static str {
        "random"
    }

    fn choose(&mut self, _team: &[(usize, &Server)], candidates: &[(usize, &Server)], _client: IpAddr) -> usize {
        let drawn: Vec<_> = (0..self.draws).filter_map(|_| self.draw(candidates)).collect();
        let least = drawn.into_iter().min_by_key(|(_, server)| leastconn::load(server));
        least.or(candidates.first()).map_or(0, |(place, _)| *place)
    }

    fn may_take(&self, _server: &Server, _load: Load) -> bool {
        true
    }

    fn waits_for_any(&self) -> bool {
        true
    }
}
