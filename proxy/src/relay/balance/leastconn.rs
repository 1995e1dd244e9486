//! `balance leastconn`: the server with the fewest sessions for its weight.

use std::net::IpAddr;

use super::Balance;
use crate::relay::server::{Load, Server};

/// The greatest share (`SRV_EWGHT_MAX`).
const HEAVIEST: u64 = 4096;

/// The algorithm.
#[derive(Debug)]
pub struct LeastConn;

impl Balance for LeastConn {
    fn name(&self) -> &'static str {
        "leastconn"
    }

    fn choose(&mut self, _team: &[(usize, &Server)], candidates: &[(usize, &Server)], _client: IpAddr) -> usize {
        let least = candidates.iter().min_by_key(|(_, server)| (load(server), server.turn));
        least.map_or(0, |(place, _)| *place)
    }

    fn may_take(&self, server: &Server, load: Load) -> bool {
        server.is_free_or_may_wait(load)
    }

    fn takes_a_sole_backup(&self) -> bool {
        true
    }
}

/// What a server's load would be with one more session; an idle one is taken whatever its weight (`fwlc_queue_srv`).
pub(super) fn load(server: &Server) -> u64 {
    match u64::from(server.served) + server.queue.len() as u64 {
        0 => 0,
        load => (load + 1) * HEAVIEST / u64::from(server.share().max(1)),
    }
}
