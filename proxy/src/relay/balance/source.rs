//! `balance source`: by the client's address, so that a client comes to the same server as long as the same servers are up.

use std::net::IpAddr;

use super::Balance;
use super::roundrobin::RoundRobin;
use crate::config::{HashMethod, HashType};
use crate::relay::server::Server;

/// The algorithm, with `hash-type map-based`: the hash is a place in a round of all servers, each as often in it as its weight.
#[derive(Debug)]
pub struct Source {
    avalanche: bool,
    consistent: bool,
}

impl Source {
    /// With this kind of hash.
    #[must_use]
    pub fn new(hash: HashType) -> Source {
        Source { avalanche: hash.avalanche, consistent: hash.method == HashMethod::Consistent }
    }
}

impl Balance for Source {
    fn name(&self) -> &'static str {
        "source"
    }

    fn takes_weights(&self) -> bool {
        self.consistent
    }

    fn choose(&mut self, candidates: &[(usize, &Server)], client: IpAddr) -> usize {
        let hash = hash(client);
        let hash = if self.avalanche { mixed(hash) } else { hash };
        let round: u32 = candidates.iter().map(|(_, server)| server.weight).sum();
        let mut turns = RoundRobin::default();
        let turn = hash % round.max(1);
        (0..=turn).map(|_| turns.choose(candidates, client)).last().unwrap_or(0)
    }

    fn by_hash(&self) -> bool {
        true
    }
}

/// The address' 32-bit words, one over the other (`get_server_sh`).
fn hash(client: IpAddr) -> u32 {
    match client {
        IpAddr::V4(address) => address.to_bits(),
        IpAddr::V6(address) => {
            let words = address.octets();
            let words = words.chunks_exact(4).map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]));
            words.fold(0, |hash, word| hash ^ word)
        }
    }
}

/// Spreads neighbouring hashes (the finalizer of a 32-bit integer hash; manual, 4.2 `hash-type`, `avalanche`).
fn mixed(mut hash: u32) -> u32 {
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}
