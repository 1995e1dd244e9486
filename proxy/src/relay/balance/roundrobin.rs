//! `balance roundrobin`: the servers by turns, each as often as its weight says, in HAProxy's order (`src/lb_fwrr.c`).
//!
//! A round has as many positions as all servers have weight. Each server has the position of its next turn; a turn takes it as many
//! positions further as the round is long for its weight. Who would come behind this round's end waits for the next one, and the heaviest
//! of those begin it.

use std::collections::HashMap;
use std::net::IpAddr;

use super::Balance;
use crate::relay::server::{SCALE, Server};

/// The algorithm: one round for the servers, another one for those that back them up.
#[derive(Debug, Default)]
pub struct RoundRobin {
    active: Round,
    backup: Round,
}

#[derive(Debug, Default)]
struct Round {
    /// Each server by its place in the backend.
    turns: HashMap<usize, Turn>,
    /// The weight of this round and of the next one.
    length: i64,
    next_length: i64,
    /// How far this one is.
    at: i64,
    /// Servers that were put into line so far.
    lined_up: u64,
}

/// A server's turn.
#[derive(Clone, Copy, Debug)]
struct Turn {
    weight: i64,
    line: Line,
    /// Where it stands in its line, and of equals who came first.
    key: (i64, u64),
    /// The position of its last turn and of its next one, and what is left over of dividing the round by its weight.
    last: i64,
    next: i64,
    left_over: i64,
}

/// Where a server waits for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// It has not had a turn in this round.
    Begins,
    /// It has had one, and has another.
    Goes,
    /// Its next one is in the next round.
    Later,
}

/// The greatest weight (`SRV_EWGHT_MAX`), and how many keys a position has.
const HEAVIEST: i64 = 4096;
const KEYS: i64 = 256;

impl Round {
    /// Takes in who came, went, or has another weight since the last turn.
    fn follow(&mut self, team: &[(usize, &Server)]) {
        let is_first = self.turns.is_empty() && self.length == 0;
        let gone: Vec<usize> =
            self.turns.keys().copied().filter(|place| team.iter().all(|(there, _)| there != place)).collect();
        for place in gone {
            self.next_length -= self.turns.remove(&place).map_or(0, |turn| turn.weight);
        }
        for (place, server) in team {
            let weight = i64::from(server.share());
            match self.turns.get(place).copied() {
                None if is_first => {
                    self.next_length += weight;
                    let turn = Turn { weight, line: Line::Begins, key: (0, 0), last: 0, next: 0, left_over: 0 };
                    self.line_up_by_weight(*place, turn, Line::Begins);
                }
                None => {
                    self.next_length += weight;
                    let next = self.at + (self.next_length + self.length - self.at) / weight.max(1);
                    let turn = Turn { weight, line: Line::Goes, key: (0, 0), last: next, next, left_over: 0 };
                    self.line_up(*place, turn);
                }
                Some(turn) if turn.weight != weight => self.weigh_anew(*place, turn, weight),
                Some(_) => {}
            }
        }
        if is_first {
            (self.length, self.at) = (self.next_length, self.next_length);
        }
    }

    /// A server has another weight (`fwrr_update_server_weight`).
    fn weigh_anew(&mut self, place: usize, turn: Turn, weight: i64) {
        self.next_length += weight - turn.weight;
        if turn.line == Line::Begins {
            return self.line_up_by_weight(place, Turn { weight, ..turn }, Line::Begins);
        }
        let was_next = if turn.line == Line::Later { turn.next + self.length } else { turn.next };
        let step = self.next_length / weight.max(1);
        let next = (turn.last + step).min(was_next);
        let next = if next < self.at + 2 { self.at + step } else { next };
        self.line_up(place, Turn { weight, next, left_over: 0, ..turn });
    }

    fn line_up_by_weight(&mut self, place: usize, turn: Turn, line: Line) {
        self.lined_up += 1;
        self.turns.insert(place, Turn { line, key: (HEAVIEST - turn.weight, self.lined_up), ..turn });
    }

    fn line_up(&mut self, place: usize, turn: Turn) {
        if turn.weight <= 0 || turn.next >= 2 * self.length || turn.next >= self.length + self.next_length {
            let turn = Turn { next: turn.next - self.length, ..turn };
            return self.line_up_by_weight(place, turn, Line::Later);
        }
        self.lined_up += 1;
        let key = KEYS * turn.next + (HEAVIEST + turn.left_over - turn.weight) / i64::from(SCALE);
        self.turns.insert(place, Turn { line: Line::Goes, key: (key, self.lined_up), ..turn });
    }

    fn first(&self, line: Line) -> Option<(usize, Turn)> {
        let those = self.turns.iter().filter(|(_, turn)| turn.line == line);
        those.min_by_key(|(_, turn)| turn.key).map(|(place, turn)| (*place, *turn))
    }

    /// Whose turn is next in this round (`fwrr_get_server_from_group`).
    fn whose_turn(&self) -> Option<(usize, Turn)> {
        let goes = self.first(Line::Goes);
        if goes.is_some_and(|(_, turn)| turn.next <= self.at) {
            return goes;
        }
        let begins = self.first(Line::Begins);
        begins.map(|(place, turn)| (place, Turn { next: 0, left_over: 0, ..turn })).or(goes)
    }

    fn next_round(&mut self) {
        for turn in self.turns.values_mut() {
            turn.line = match turn.line {
                Line::Later => Line::Begins,
                Line::Begins => Line::Later,
                Line::Goes => Line::Goes,
            };
        }
        (self.length, self.at) = (self.next_length, self.next_length);
    }

    /// The next server that may be taken. One that may not has had its turn all the same.
    fn choose(&mut self, may: impl Fn(usize) -> bool) -> Option<usize> {
        let (mut switched, mut passed, mut chosen) = (false, Vec::new(), None);
        while chosen.is_none() {
            if self.length == 0 {
                (self.length, self.at) = (self.next_length, self.next_length);
            }
            let Some((place, turn)) = self.whose_turn() else {
                if switched {
                    break;
                }
                switched = true;
                self.next_round();
                continue;
            };
            self.turns.remove(&place);
            let turn = self.moved_on(turn);
            self.at += 1;
            if may(place) {
                chosen = Some((place, turn));
            } else {
                passed.push((place, turn));
            }
        }
        if let Some((place, turn)) = chosen {
            self.line_up(place, turn);
        }
        for (place, turn) in passed.into_iter().rev() {
            if switched {
                self.line_up_by_weight(place, turn, Line::Begins);
            } else {
                self.line_up(place, turn);
            }
        }
        chosen.map(|(place, _)| place)
    }

    /// Behind a turn (`fwrr_update_position`).
    fn moved_on(&self, turn: Turn) -> Turn {
        if turn.weight == 0 {
            return turn;
        }
        let last = if turn.next == 0 { self.at } else { turn.next };
        let left_over = turn.left_over + self.next_length % turn.weight;
        let more = i64::from(left_over >= turn.weight);
        let next = last + self.next_length / turn.weight + more;
        Turn { last, next, left_over: left_over - more * turn.weight, ..turn }
    }
}

impl Balance for RoundRobin {
    fn name(&self) -> &'static str {
        "roundrobin"
    }

    fn choose(&mut self, team: &[(usize, &Server)], candidates: &[(usize, &Server)], _client: IpAddr) -> usize {
        let backups = team.first().is_some_and(|(_, server)| server.backup);
        let round = if backups { &mut self.backup } else { &mut self.active };
        round.follow(team);
        let chosen = round.choose(|place| candidates.iter().any(|(candidate, _)| *candidate == place));
        chosen.or(candidates.first().map(|(place, _)| *place)).unwrap_or(0)
    }

    fn lets_those_who_wait_go_first(&self) -> bool {
        true
    }

    fn takes_a_sole_backup(&self) -> bool {
        true
    }
}
