//! The round of a backend's servers that `static-rr` and `source` go by: each as often as its weight says, as far from itself as may be
//! (`recalc_server_map` in `src/lb_map.c`).

use crate::relay::server::Server;

/// A round, made anew when other servers take sessions, or with other weights.
#[derive(Debug, Default)]
pub struct Map {
    made_of: Vec<(usize, u32)>,
    /// Servers by their places in the backend.
    round: Vec<usize>,
}

impl Map {
    /// The round of these servers.
    pub fn of(&mut self, team: &[(usize, &Server)]) -> &[usize] {
        let wanted = team.iter().map(|(place, server)| (*place, server.weight));
        if !wanted.clone().eq(self.made_of.iter().copied()) {
            self.made_of = wanted.collect();
            self.round = round(&self.made_of);
        }
        &self.round
    }
}

/// Each server's score grows by its weight with every turn; whose is worth most turns has it and pays all weights. Of equals it is the first.
fn round(team: &[(usize, u32)]) -> Vec<usize> {
    let all: i64 = team.iter().map(|(_, weight)| i64::from(*weight)).sum();
    let mut scores = vec![0; team.len()];
    let turn = |_| {
        let mut best: Option<(usize, i64)> = None;
        for (index, (_, weight)) in team.iter().enumerate() {
            scores[index] += i64::from(*weight);
            let turns = (scores[index] + all) / all;
            if best.is_none_or(|(_, most)| turns > most) {
                best = Some((index, turns));
            }
        }
        let (index, _) = best?;
        scores[index] -= all;
        Some(team[index].0)
    };
    (0..all).filter_map(turn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_has_each_server_as_often_as_its_weight_says_and_begins_with_the_first() {
        assert_eq!(round(&[(0, 1), (1, 1), (2, 1)]), [0, 1, 2]);
        let round = round(&[(0, 1), (4, 3)]);
        assert_eq!((round.len(), round.iter().filter(|place| **place == 4).count()), (4, 3));
    }

    #[test]
    fn nobody_without_a_weight_has_a_turn() {
        assert_eq!(round(&[(0, 0)]), [0; 0]);
    }
}
