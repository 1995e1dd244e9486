//! A backend: its servers, and which of them takes a session.

use std::net::IpAddr;

use super::balance::{self, Balance};
use super::counters::Counters;
use super::frontend::Logs;
use super::moment::{Limit, wall_second};
use super::poll::Key;
use super::queue::{Left, Queue};
use super::server::{Load, Server};
use super::session::Limits;
use crate::config::{Keepalive, Proxy};

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
    /// The load at which servers with `minconn` take `maxconn` sessions.
    pub fullconn: u32,
    /// Whether all backup servers are used when no other is there, and not only the first (`option allbackups`).
    pub all_backups: bool,
    /// The sessions that wait until any of its servers has a place.
    queue: Queue,
    /// It stands in where a frontend has no backend; nobody has named it.
    pub stands_in: bool,
    /// Sessions that had to wait so far.
    comers: u64,
    /// Changes of load so far.
    turns: u64,
}

/// What became of the search for a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// This one; a place is taken there.
    Server(usize),
    /// The session waits for this server, or for any.
    Queued(Option<usize>),
    /// It is for this server, for which as many wait already as may.
    Full(usize),
    /// None is up.
    Nothing,
}

/// A session that waits no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// The session, and its position.
    pub left: Left,
    /// Whether it waited for one server, and not for any.
    pub at_server: bool,
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
    /// See [`Backend::fullconn`].
    pub fullconn: u32,
    /// See [`Backend::all_backups`].
    pub all_backups: bool,
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
            fullconn,
            all_backups,
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
            fullconn,
            all_backups,
            queue: Queue::default(),
            stands_in: false,
            comers: 0,
            turns: 0,
        }
    }

    /// What takes the sessions of a frontend that has no backend: it has no servers.
    #[must_use]
    pub fn nowhere(frontend: &Proxy) -> Backend {
        let parts = Parts {
            name: frontend.name.clone(),
            number: 0,
            has_own_number: false,
            is_listen: false,
            servers: Vec::new(),
            balance: balance::algorithm(frontend.balance, frontend.hash_type),
            retries: frontend.retries,
            redispatch: None,
            timeouts: frontend.timeouts,
            keepalive: frontend.server_keepalive,
            nolinger: frontend.nolinger,
            fullconn: 0,
            all_backups: false,
            logs: Logs::default(),
            logs_checks: false,
        };
        Backend { stands_in: true, ..Backend::new(parts) }
    }

    /// Looks for a server and takes a place there, or one in a queue (`assign_server_and_queue`). `avoid` is the one that just failed,
    /// taken only when there is no other.
    pub fn find(&mut self, session: Key, client: IpAddr, avoid: Option<usize>) -> Found {
        let team = self.team();
        if team.is_empty() {
            return Found::Nothing;
        }
        let load = self.load();
        let others_wait = !self.queue.is_empty() && self.queue.len() != self.sessions as usize;
        if others_wait && self.balance.lets_those_who_wait_go_first() {
            return self.wait(session, None);
        }
        let usable = |places: &[usize]| -> Vec<(usize, &Server)> {
            places.iter().map(|place| (*place, &self.servers[*place])).collect()
        };
        let all = usable(&team);
        // The first backup server alone is the answer, full or not (`lbprm.fbck`).
        let sole = self.active() == 0 && !self.all_backups && self.balance.takes_a_sole_backup();
        let mut candidates = all.clone();
        candidates.retain(|(_, server)| sole || self.balance.may_take(server, load));
        if candidates.len() > 1 && self.balance.avoids() {
            candidates.retain(|(place, _)| Some(*place) != avoid);
        }
        if candidates.is_empty() {
            return self.wait(session, None);
        }
        let chosen = if sole { team[0] } else { self.balance.choose(&all, &candidates, client) };
        if self.balance.waits_for_any() && !self.servers[chosen].is_free(load) {
            return self.wait(session, None);
        }
        if Some(chosen) != avoid {
            self.counters.chosen += 1;
            self.servers[chosen].counters.chosen += 1;
        }
        if self.servers[chosen].is_free(load) {
            self.take_place(chosen);
            return Found::Server(chosen);
        }
        let server = &self.servers[chosen];
        if server.maxqueue.is_some_and(|most| server.queue.len() >= most as usize) {
            return Found::Full(chosen);
        }
        self.wait(session, Some(chosen))
    }

    /// What servers' limits depend on.
    fn load(&self) -> Load {
        Load { sessions: self.sessions, full: self.fullconn, second: wall_second() }
    }

    /// A session waits for a server, or for any.
    fn wait(&mut self, session: Key, server: Option<usize>) -> Found {
        self.comers += 1;
        let (queue, counters) = match server {
            Some(place) => {
                let server = &mut self.servers[place];
                (&mut server.queue, &mut server.counters)
            }
            None => (&mut self.queue, &mut self.counters),
        };
        queue.enter(session, self.comers);
        counters.most_queued = counters.most_queued.max(queue.len());
        Found::Queued(server)
    }

    /// The servers that take sessions now: the usable ones, else the first usable backup server, or with `option allbackups` all of
    /// them (manual, 4.2 `option allbackups`, 5.2 `backup`).
    fn team(&self) -> Vec<usize> {
        let usable = |backup: bool| {
            let all = self.servers.iter().enumerate();
            all.filter(move |(_, server)| server.backup == backup && server.is_usable()).map(|(place, _)| place)
        };
        let active: Vec<usize> = usable(false).collect();
        let backups = if self.all_backups { usize::MAX } else { 1 };
        if active.is_empty() { usable(true).take(backups).collect() } else { active }
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

    /// The session that a place at this server is for, if it has one: who has waited longest, for it or for any; the place is taken
    /// (`process_srv_queue`).
    pub fn next_for(&mut self, place: usize) -> Option<Served> {
        let server = &self.servers[place];
        let limit = server.limit(self.load())?;
        if server.served >= limit {
            return None;
        }
        let own = server.queue.first();
        let any = self.queue.first().filter(|_| self.team().contains(&place));
        let at_server = match (own, any) {
            (Some(own), Some(any)) => own < any,
            (own, any) => own.is_some() || any.is_none(),
        };
        let left = if at_server { self.servers[place].queue.serve() } else { self.queue.serve() }?;
        self.take_place(place);
        Some(Served { left, at_server })
    }

    /// A session that waits for any server, if this one, which just came up, has a place for it; the place is taken
    /// (`pendconn_grab_from_px`).
    pub fn grab(&mut self, place: usize) -> Option<Served> {
        let server = &self.servers[place];
        if !self.team().contains(&place) || server.limit(self.load()).is_some_and(|limit| server.served >= limit) {
            return None;
        }
        let left = self.queue.serve()?;
        self.take_place(place);
        Some(Served { left, at_server: false })
    }

    /// The sessions that wait for this server, which takes none any more, if they may go elsewhere (`pendconn_redistribute`).
    pub fn redistribute(&mut self, place: usize) -> Vec<Served> {
        let may = self.redispatch.is_some();
        let queue = &mut self.servers[place].queue;
        let left = std::iter::from_fn(|| if may { queue.serve() } else { None });
        left.map(|left| Served { left, at_server: true }).collect()
    }

    /// A session waits no more.
    pub fn leave_queue(&mut self, session: Key) -> Option<Served> {
        if let Some(left) = self.queue.leave(session) {
            return Some(Served { left, at_server: false });
        }
        let left = self.servers.iter_mut().find_map(|server| server.queue.leave(session));
        left.map(|left| Served { left, at_server: true })
    }

    /// How many wait for any server.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, HashType};
    fn server(name: &str, maxconn: Option<u32>) -> Server {
        Server { name: name.into(), maxconn, minconn: maxconn, ..Server::default() }
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
            fullconn: 1000,
            all_backups: false,
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
        assert_eq!(found(&mut backend, 2), [Found::Server(0), Found::Queued(None)]);
        assert_eq!(backend.next_for(0), None);
        backend.give_place_back(0);
        assert_eq!(backend.next_for(0).map(|served| served.left), Some(Left { session: key(1), position: 1 }));
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
    fn with(algorithm: config::Balance, change: impl Fn(&mut Server), count: usize) -> Backend {
        let one = |place: usize| {
            let mut server = server(&format!("s{place}"), None);
            change(&mut server);
            server
        };
        backend(algorithm, (0..count).map(one).collect())
    }

    #[test]
    fn all_backup_servers_are_used_only_where_that_is_asked_for() {
        for (all, taken) in [(false, [Found::Server(0); 2]), (true, [Found::Server(0), Found::Server(1)])] {
            let mut backend = with(config::Balance::RoundRobin, |server| server.backup = true, 2);
            backend.all_backups = all;
            assert_eq!(found(&mut backend, 2), taken);
        }
    }

    #[test]
    fn leastconn_lets_sessions_wait_for_a_server_as_long_as_maxqueue_allows_and_then_for_any() {
        let limits =
            |server: &mut Server| (server.maxconn, server.minconn, server.maxqueue) = (Some(1), Some(1), Some(1));
        let mut backend = with(config::Balance::LeastConn, limits, 1);
        assert_eq!(found(&mut backend, 3), [Found::Server(0), Found::Queued(Some(0)), Found::Queued(None)]);
        backend.give_place_back(0);
        let served = backend.next_for(0).unwrap();
        assert_eq!((served.left.session, served.at_server), (key(1), true));
    }

    #[test]
    fn a_hash_gives_a_session_its_server_full_or_not_until_its_queue_is_full() {
        let limits =
            |server: &mut Server| (server.maxconn, server.minconn, server.maxqueue) = (Some(1), Some(1), Some(1));
        let mut backend = with(config::Balance::Source, limits, 2);
        let [Found::Server(own), queued, full] = found(&mut backend, 3)[..] else { panic!("nothing was found") };
        assert_eq!([queued, full], [Found::Queued(Some(own)), Found::Full(own)]);
    }

    #[test]
    fn sessions_that_wait_for_a_server_may_go_elsewhere_only_with_redispatch() {
        let limits = |server: &mut Server| (server.maxconn, server.minconn) = (Some(1), Some(1));
        for (redispatch, moved) in [(Some(-1), 1), (None, 0)] {
            let mut backend = with(config::Balance::Source, limits, 1);
            backend.redispatch = redispatch;
            found(&mut backend, 2);
            assert_eq!(backend.redistribute(0).len(), moved);
        }
    }

    #[test]
    fn a_server_that_comes_up_takes_as_many_as_it_has_places_for() {
        let mut backend = backend(config::Balance::RoundRobin, vec![server("a", Some(1)), server("b", Some(2))]);
        backend.servers[1].health.failed();
        assert_eq!(found(&mut backend, 5)[1..], [Found::Queued(None); 4]);
        backend.servers[1].health.passed();
        backend.servers[1].health.passed();
        let grabbed = std::iter::from_fn(|| backend.grab(1)).map(|served| served.left.session);
        assert_eq!(grabbed.collect::<Vec<_>>(), [key(1), key(2)]);
    }

    #[test]
    fn static_rr_goes_round_by_weight_from_the_first_server_on() {
        let mut heavy = server("a", None);
        heavy.weight = 2;
        let mut backend = backend(config::Balance::StaticRoundRobin, vec![server("b", None), heavy]);
        let chosen = found(&mut backend, 6);
        assert_eq!(chosen.iter().filter(|found| **found == Found::Server(1)).count(), 4);
    }
}
