//! `balance source`: by the client's address, so that a client comes to the same server as long as the same servers are up.

use std::net::IpAddr;

use super::Balance;
use super::map::Map;
use super::ring::{Ring, mixed};
use crate::config::{HashMethod, HashType};
use crate::relay::server::{Load, Server};

/// The algorithm.
#[derive(Debug)]
pub struct Source {
    avalanche: bool,
    way: Way,
}

/// How a hash becomes a server.
#[derive(Debug)]
enum Way {
    /// It is a place in a round of all servers, each as often in it as its weight says.
    Map(Map),
    /// It is a point on a ring.
    Ring(Ring),
}

impl Source {
    /// With this kind of hash.
    #[must_use]
    pub fn new(hash: HashType) -> Source {
        let way = match hash.method {
            HashMethod::MapBased => Way::Map(Map::default()),
            HashMethod::Consistent => Way::Ring(Ring::default()),
        };
        Source { avalanche: hash.avalanche, way }
    }
}

impl Balance for Source {
    fn name(&self) -> &'static str {
        "source"
    }

    fn takes_weights(&self) -> bool {
        matches!(self.way, Way::Ring(_))
    }

    fn choose(&mut self, team: &[(usize, &Server)], candidates: &[(usize, &Server)], client: IpAddr) -> usize {
        let hash = match team.len() {
            // Then it is not made at all (`get_server_sh`).
            1 => 0,
            _ if self.avalanche => mixed(hash(client)),
            _ => hash(client),
        };
        let found = match &mut self.way {
            Way::Map(map) => {
                let round = map.of(team);
                (hash as usize).checked_rem(round.len()).map(|turn| round[turn])
            }
            Way::Ring(ring) => ring.nearest(team, hash, |place| candidates.iter().any(|(may, _)| *may == place)),
        };
        found.or(candidates.first().map(|(place, _)| *place)).unwrap_or(0)
    }

    /// A client's server is its server, full or not.
    fn may_take(&self, _server: &Server, _load: Load) -> bool {
        true
    }

    fn avoids(&self) -> bool {
        matches!(self.way, Way::Ring(_))
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
