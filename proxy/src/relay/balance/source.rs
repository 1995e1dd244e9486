//! `balance source`: by the client's address, so that a client comes to the same server as long as the same servers are up.

use std::net::IpAddr;

use super::Balance;
use super::map::Map;
use crate::config::{HashMethod, HashType};
use crate::relay::server::{Load, Server};

/// The algorithm, with `hash-type map-based`: the hash is a place in a round of all servers, each as often in it as its weight.
#[derive(Debug)]
pub struct Source {
    avalanche: bool,
    consistent: bool,
    map: Map,
}

impl Source {
    /// With this kind of hash.
    #[must_use]
    pub fn new(hash: HashType) -> Source {
        Source { avalanche: hash.avalanche, consistent: hash.method == HashMethod::Consistent, map: Map::default() }
    }
}

impl Balance for Source {
    fn name(&self) -> &'static str {
        "source"
    }

    fn takes_weights(&self) -> bool {
        self.consistent
    }

    fn choose(&mut self, team: &[(usize, &Server)], candidates: &[(usize, &Server)], client: IpAddr) -> usize {
        let hash = hash(client);
        let hash = if self.avalanche { mixed(hash) } else { hash };
        let round = self.map.of(team);
        let turn = (hash as usize).checked_rem(round.len());
        turn.map_or_else(|| candidates.first().map_or(0, |(place, _)| *place), |turn| round[turn])
    }

    /// A client's server is its server, full or not.
    fn may_take(&self, _server: &Server, _load: Load) -> bool {
        true
    }

    fn avoids(&self) -> bool {
        false
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
