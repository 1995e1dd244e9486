//! `balance leastconn`: the server with the fewest sessions for its weight.

use std::net::IpAddr;

use super::Balance;
use crate::relay::server::Server;

/// The greatest weight (`SRV_EWGHT_MAX` without its scale).
const HEAVIEST: u64 = 256;

/// The algorithm.
#[derive(Debug)]
pub struct LeastConn;

impl Balance for LeastConn {
    fn name(&self) -> &'static str {
        "leastconn"
    }

    fn choose(&mut self, candidates: &[(usize, &Server)], _client: IpAddr) -> usize {
        let least = candidates.iter().min_by_key(|(_, server)| (load(server), server.turn));
        least.map_or(0, |(place, _)| *place)
    }
}

/// What a server's load would be with one more session; an idle one is taken whatever its weight (`fwlc_queue_srv`).
pub(super) fn load(server: &Server) -> u64 {
    match u64::from(server.served) {
        0 => 0,
        load => (load + 1) * HEAVIEST / u64::from(server.weight.max(1)),
    }
}
