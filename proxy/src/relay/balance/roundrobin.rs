//! `balance roundrobin`: the servers by turns, each as often as its weight says.

use std::collections::HashMap;
use std::net::IpAddr;

use super::Balance;
use crate::relay::server::Server;

/// Each server's credit grows by its weight with every choice; the richest is taken and pays the weights of all. So the turns of a
/// heavy server are spread among those of the others.
#[derive(Debug, Default)]
pub struct RoundRobin {
    credit: HashMap<usize, i64>,
}

impl Balance for RoundRobin {
    fn name(&self) -> &'static str {
        "roundrobin"
    }

    fn choose(&mut self, _team: &[(usize, &Server)], candidates: &[(usize, &Server)], _client: IpAddr) -> usize {
        let mut richest: Option<(i64, usize)> = None;
        let mut all = 0;
        for (place, server) in candidates {
            let credit = self.credit.entry(*place).or_default();
            *credit += i64::from(server.share());
            all += i64::from(server.share());
            if richest.is_none_or(|(most, _)| *credit > most) {
                richest = Some((*credit, *place));
            }
        }
        let chosen = richest.map_or(0, |(_, place)| place);
        *self.credit.entry(chosen).or_default() -= all;
        chosen
    }

    fn lets_those_who_wait_go_first(&self) -> bool {
        true
    }

    fn takes_a_sole_backup(&self) -> bool {
        true
    }
}
