//! A backend: its servers, and which of them takes a session.

use std::collections::VecDeque;
use std::net::IpAddr;

use super::balance::Balance;
use super::counters::Counters;
use super::frontend::Logs;
use super::moment::Limit;
use super::poll::Key;
use super::server::Server;
use super::session::Limits;
use crate::config::Keepalive;

/// A `backend`, or a `listen` section's server side.
#[derive(Debug)]
pub struct Backend {
    /// Its name.
    pub name: String,
    /// Its number (`id`).
    pub number: u32,
    /// Whether the configuration gives it that number.
    pub has_own_number: bool,
    /// Whether it is the server side of a `listen` section.
    pub is_listen: bool,
    /// Its servers.
    pub servers: Vec<Server>,
    /// How it chooses among them.
    pub balance: Box<dyn Balance>,
    /// How often a connection is tried again.
    pub retries: u32,
    /// Which retries may go to another server, as [`crate::config::Proxy::redispatch_interval`] counts; none if `None`.
    pub redispatch: Option<i32>,
    /// `timeout server`, `timeout server-fin`.
    pub limits: Limits,
    /// `timeout tunnel`.
    pub tunnel: Limit,
    /// `timeout connect`.
    pub connect: Limit,
    /// `timeout queue`, or `timeout connect` without one (manual, 4.2 `timeout queue`).
    pub queue_limit: Limit,
    /// Keepalive on the connections to its servers.
    pub keepalive: Keepalive,
    /// Whether these are closed with RST as soon as one direction ends (`option nolinger`).
    pub nolinger: bool,
    /// Where its lines go.
    pub logs: Logs,
    /// Whether every change of a check's result is logged (`option log-health-checks`).
    pub logs_checks: bool,
    /// Its sessions.
    pub sessions: u32,
    /// What is counted of it.
    pub counters: Counters,
    /// The sessions that wait until any of its servers has a place.
    queue: VecDeque<(Key, IpAddr)>,
    /// Changes of load so far.
    turns: u64,
}

/// What became of the search for a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// This one; a place is taken there.
    Server(usize),
    /// All are busy: the session waits. How many were before it.
    Queued(u32),
    /// None is up.
    Nothing,
}

/// What a backend is made of.
#[derive(Debug)]
pub struct Parts {
    /// See [`Backend::name`].
    pub name: String,
    /// See [`Backend::number`].
    pub number: u32,
    /// See [`Backend::has_own_number`].
    pub has_own_number: bool,
    /// See [`Backend::is_listen`].
    pub is_listen: bool,
    /// See [`Backend::servers`].
    pub servers: Vec<Server>,
    /// See [`Backend::balance`].
    pub balance: Box<dyn Balance>,
    /// See [`Backend::retries`].
    pub retries: u32,
    /// See [`Backend::redispatch`].
    pub redispatch: Option<i32>,
    /// The timers of its sessions.
    pub timeouts: crate::config::Timeouts,
    /// See [`Backend::keepalive`].
    pub keepalive: Keepalive,
    /// See [`Backend::nolinger`].
    pub nolinger: bool,
    /// See [`Backend::logs`].
    pub logs: Logs,
    /// See [`Backend::logs_checks`].
    pub logs_checks: bool,
}

impl Backend {
    /// A backend without sessions.
    #[must_use]
    pub fn new(parts: Parts) -> Backend {
        let Parts {
            name,
            number,
            has_own_number,
            is_listen,
            servers,
            balance,
            retries,
            redispatch,
            timeouts,
            keepalive,
            nolinger,
            logs,
            logs_checks,
        } = parts;
        Backend {
            name,
            number,
            has_own_number,
            is_listen,
            servers,
            balance,
            retries,
            redispatch,
            limits: Limits { ordinary: timeouts.server.into(), fin: timeouts.server_fin.into() },
            tunnel: timeouts.tunnel.into(),
            connect: timeouts.connect.into(),
            queue_limit: timeouts.queue.or(timeouts.connect).into(),
            keepalive,
            nolinger,
            logs,
            logs_checks,
            sessions: 0,
            counters: Counters::default(),
            queue: VecDeque::new(),
            turns: 0,
        }
    }

    /// Looks for a server and takes a place there, or one in the queue. `avoid` is the one that just failed, taken only when
    /// there is no other.
    pub fn find(&mut self, session: Key, client: IpAddr, avoid: Option<usize>) -> Found {
        let team = self.team();
        if team.is_empty() {
            return Found::Nothing;
        }
        let free = team.iter().copied().filter(|place| self.servers[*place].has_place());
        let mut candidates: Vec<usize> = free.collect();
        if candidates.len() > 1 {
            candidates.retain(|place| Some(*place) != avoid);
        }
        if candidates.is_empty() {
            let before = u32::try_from(self.queue.len()).unwrap_or(u32::MAX);
            self.queue.push_back((session, client));
            self.counters.most_queued = self.counters.most_queued.max(self.queue.len());
            return Found::Queued(before);
        }
        let candidates: Vec<(usize, &Server)> =
            candidates.iter().map(|place| (*place, &self.servers[*place])).collect();
        let chosen = self.balance.choose(&candidates, client);
        if Some(chosen) != avoid {
            self.counters.chosen += 1;
            self.servers[chosen].counters.chosen += 1;
        }
        self.take_place(chosen);
        Found::Server(chosen)
    }

    /// The servers that take sessions now: the usable ones, else the first usable backup server (manual, 5.2 `backup`).
    fn team(&self) -> Vec<usize> {
        let usable = |backup: bool| {
            let all = self.servers.iter().enumerate();
            all.filter(move |(_, server)| server.backup == backup && server.is_usable()).map(|(place, _)| place)
        };
        let active: Vec<usize> = usable(false).collect();
        if active.is_empty() { usable(true).take(1).collect() } else { active }
    }

    /// Whether the retry of this number, from 1, goes to another server than `place` if there is one. With `option redispatch` that
    /// is every retry, as long as the choice is free; else those that its interval names (`stream_choose_redispatch`).
    #[must_use]
    pub fn redispatches(&self, retry: u32, place: usize) -> bool {
        let Some(interval) = self.redispatch else { return false };
        let every = match interval {
            1.. => interval.unsigned_abs(),
            // Counted from the last one: -1 is the last itself.
            _ => (self.retries + 1).saturating_sub(interval.unsigned_abs()),
        };
        let down = !self.servers[place].health.is_up();
        down || retry.checked_rem(every) == Some(0) || self.active() > 1 && !self.balance.by_hash()
    }

    /// How many servers that are no backup are usable.
    #[must_use]
    pub fn active(&self) -> usize {
        self.servers.iter().filter(|server| !server.backup && server.is_usable()).count()
    }

    /// The weight of all servers that take sessions now.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.team().iter().map(|place| self.servers[*place].weight).sum()
    }

    /// How many backup servers are usable.
    #[must_use]
    pub fn standing_by(&self) -> usize {
        self.servers.iter().filter(|server| server.backup && server.is_usable()).count()
    }

    fn take_place(&mut self, place: usize) {
        self.turns += 1;
        let server = &mut self.servers[place];
        server.served += 1;
        server.turn = self.turns;
    }

    /// Gives a place back.
    pub fn give_place_back(&mut self, place: usize) {
        self.turns += 1;
        let server = &mut self.servers[place];
        server.served = server.served.saturating_sub(1);
        server.turn = self.turns;
    }

    /// The session that has waited longest, if there is a server with a place for it now; the place is taken
    /// (`process_srv_queue`).
    pub fn next_in_queue(&mut self) -> Option<(Key, usize)> {
        let (session, client) = *self.queue.front()?;
        let candidates: Vec<(usize, &Server)> = self
            .team()
            .into_iter()
            .filter(|place| self.servers[*place].has_place())
            .map(|place| (place, &self.servers[place]))
            .collect();
        if candidates.is_empty() {
            return None;
        }
        let chosen = self.balance.choose(&candidates, client);
        self.queue.pop_front();
        self.take_place(chosen);
        Some((session, chosen))
    }

    /// A session waits no more.
    pub fn leave_queue(&mut self, session: Key) {
        self.queue.retain(|(waiting, _)| *waiting != session);
    }

    /// How many wait in its queue.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::config::{self, HashType};
    use crate::relay::balance;
    use crate::relay::moment::Moment;
    use crate::relay::server::{Health, State};

    fn server(name: &str, maxconn: Option<u32>) -> Server {
        Server {
            name: name.into(),
            number: 1,
            has_own_number: false,
            address: ([127, 0, 0, 1], 1).into(),
            weight: 1,
            initial_weight: 1,
            state: State::Ready,
            starts_disabled: false,
            changed: Moment::now(),
            backup: false,
            maxconn,
            shutdown_sessions_when_down: false,
            shutdown_backup_sessions_when_up: false,
            outgoing: Rc::default(),
            health: Health::starting(None),
            served: 0,
            current: 0,
            counters: Counters::default(),
            turn: 0,
        }
    }

    fn backend(algorithm: config::Balance, servers: Vec<Server>) -> Backend {
        Backend::new(Parts {
            name: "b".into(),
            number: 2,
            has_own_number: false,
            is_listen: true,
            servers,
            balance: balance::algorithm(algorithm, HashType::default()),
            retries: 3,
            redispatch: Some(-1),
            timeouts: crate::config::Timeouts::default(),
            keepalive: Keepalive::default(),
            nolinger: false,
            logs: Logs::default(),
            logs_checks: false,
        })
    }

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn key(place: u32) -> Key {
        Key { place, serial: 1 }
    }

    fn found(backend: &mut Backend, count: u32) -> Vec<Found> {
        (0..count).map(|place| backend.find(key(place), CLIENT, None)).collect()
    }

    #[test]
    fn leastconn_takes_the_server_with_the_fewest_sessions_and_of_equals_the_one_that_waited_longest() {
        let mut backend = backend(config::Balance::LeastConn, vec![server("a", None), server("b", None)]);
        let chosen = found(&mut backend, 4);
        assert_eq!(chosen, [Found::Server(0), Found::Server(1), Found::Server(0), Found::Server(1)]);
        backend.give_place_back(1);
        assert_eq!(backend.find(key(9), CLIENT, None), Found::Server(1));
    }

    #[test]
    fn roundrobin_goes_round_by_weight() {
        let mut heavy = server("a", None);
        heavy.weight = 2;
        let mut backend = backend(config::Balance::RoundRobin, vec![heavy, server("b", None)]);
        let chosen = found(&mut backend, 6);
        assert_eq!(chosen.iter().filter(|found| **found == Found::Server(0)).count(), 4);
    }

    #[test]
    fn a_server_that_just_failed_is_avoided_while_there_is_another() {
        let mut backend = backend(config::Balance::LeastConn, vec![server("a", None), server("b", None)]);
        assert_eq!(backend.find(key(1), CLIENT, Some(0)), Found::Server(1));
        backend.servers[1].health.failed();
        assert_eq!(backend.find(key(2), CLIENT, Some(0)), Found::Server(0));
    }

    #[test]
    fn a_session_beyond_every_maxconn_waits_and_gets_the_place_that_comes_free() {
        let mut backend = backend(config::Balance::LeastConn, vec![server("a", Some(1))]);
        assert_eq!(found(&mut backend, 2), [Found::Server(0), Found::Queued(0)]);
        assert_eq!(backend.next_in_queue(), None);
        backend.give_place_back(0);
        assert_eq!(backend.next_in_queue(), Some((key(1), 0)));
    }

    #[test]
    fn without_a_server_that_is_up_there_is_nothing() {
        let mut backend = backend(config::Balance::LeastConn, vec![server("a", None)]);
        backend.servers[0].health.failed();
        assert_eq!(backend.find(key(1), CLIENT, None), Found::Nothing);
    }

    #[test]
    fn a_backup_server_is_taken_only_when_no_other_is_up() {
        let mut spare = server("b", None);
        spare.backup = true;
        let mut backend = backend(config::Balance::LeastConn, vec![server("a", None), spare]);
        assert_eq!(backend.find(key(1), CLIENT, None), Found::Server(0));
        backend.servers[0].health.failed();
        assert_eq!(backend.find(key(2), CLIENT, None), Found::Server(1));
    }
}
