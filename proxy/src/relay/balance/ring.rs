//! The ring of `hash-type consistent`: each server stands at as many points of it as it has weight, and a client's server is the one
//! nearest to the client's hash. So only the clients of a server that goes away go elsewhere (`src/lb_chash.c`).

use crate::relay::server::Server;

/// How many points the numbers of two servers are apart (`SRV_EWGHT_RANGE`).
const APART: u32 = 4096;

/// A ring, made anew when other servers take sessions, or with other weights.
#[derive(Debug, Default)]
pub struct Ring {
    made_of: Vec<(usize, u32, u32)>,
    /// Points in their order, each with its server's place in the backend.
    points: Vec<(u32, usize)>,
}

impl Ring {
    /// The server of a hash, out of those that may be chosen of this team.
    pub fn nearest(&mut self, team: &[(usize, &Server)], hash: u32, may: impl Fn(usize) -> bool) -> Option<usize> {
        let wanted = team.iter().map(|(place, server)| (*place, server.number, server.share()));
        if !wanted.clone().eq(self.made_of.iter().copied()) {
            self.made_of = wanted.collect();
            self.points = points(&self.made_of);
        }
        let count = self.points.len();
        let after = self.points.partition_point(|(point, _)| *point < hash).checked_rem(count)?;
        let before = (after + count - 1) % count;
        let behind = hash.wrapping_sub(self.points[before].0) <= self.points[after].0.wrapping_sub(hash);
        let nearest = if behind { before } else { after };
        let onwards = (nearest..count).chain(0..nearest);
        onwards.map(|index| self.points[index].1).find(|place| may(*place))
    }
}

fn points(team: &[(usize, u32, u32)]) -> Vec<(u32, usize)> {
    let of = |(place, number, share): &(usize, u32, u32)| {
        let (place, first) = (*place, number.wrapping_mul(APART));
        (0..*share).map(move |point| (mixed(first.wrapping_add(point)), place))
    };
    let mut points: Vec<(u32, usize)> = team.iter().flat_map(of).collect();
    // Of equal points the one that was put there first comes first.
    points.sort_by_key(|(point, _)| *point);
    points
}

/// Spreads neighbouring numbers over all numbers: one of Bob Jenkins' integer hashes, times a prime near three quarters of the range
/// (`full_hash` in `include/haproxy/intops.h`; manual, 4.2 `hash-type`, `avalanche`).
#[must_use]
pub fn mixed(number: u32) -> u32 {
    let mut a = number;
    a = a.wrapping_add(0x7ed5_5d16).wrapping_add(a << 12);
    a = (a ^ 0xc761_c23c) ^ (a >> 19);
    a = a.wrapping_add(0x1656_67b1).wrapping_add(a << 5);
    a = a.wrapping_add(0xd3a2_646c) ^ (a << 9);
    a = a.wrapping_add(0xfd70_46c5).wrapping_add(a << 3);
    a = (a ^ 0xb55a_4f09) ^ (a >> 16);
    a.wrapping_mul(3_221_225_473)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(number: u32) -> Server {
        Server { number, ..Server::default() }
    }

    #[test]
    fn when_a_server_goes_away_only_its_own_clients_go_elsewhere() {
        let servers = [server(1), server(2), server(3)];
        let team: Vec<(usize, &Server)> = servers.iter().enumerate().collect();
        let mut ring = Ring::default();
        let mut at = |team: &[(usize, &Server)], client: u32| ring.nearest(team, mixed(client), |_| true).unwrap();
        for client in 0..200 {
            let (all, fewer) = (at(&team, client), at(&team[1..], client));
            assert!(all == fewer || all == 0, "client {client} went from {all} to {fewer}");
        }
    }

    #[test]
    fn without_servers_there_is_none() {
        assert_eq!(Ring::default().nearest(&[], 7, |_| true), None);
    }
}
