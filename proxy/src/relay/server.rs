//! A server as the proxy sees it: whether it is up, and how much it has to do.

use std::net::SocketAddr;
use std::rc::Rc;

use super::counters::Counters;
use super::moment::Moment;
use super::outgoing::Outgoing;
use super::proxy_protocol::Version;
use super::queue::Queue;
use crate::config::{self, Reactions};

/// A server of a backend.
#[derive(Debug)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// Its number (`id`).
    pub number: u32,
    /// Whether the configuration gives it that number.
    pub has_own_number: bool,
    /// Where it is.
    pub address: SocketAddr,
    /// How much of the load it takes, against the others: 0 to 256; with 0 it takes none.
    pub weight: u32,
    /// That weight as the configuration has it.
    pub initial_weight: u32,
    /// What an operator lets it do.
    pub state: State,
    /// Whether the configuration has it in maintenance (`disabled`).
    pub starts_disabled: bool,
    /// When it went down or up, or its state changed.
    pub changed: Moment,
    /// Whether it is used only when no other is there.
    pub backup: bool,
    /// The most sessions that it takes at once.
    pub maxconn: Option<u32>,
    /// The most that it takes at once while its backend has little load; `maxconn` unless set.
    pub minconn: Option<u32>,
    /// The most sessions that wait for it alone.
    pub maxqueue: Option<u32>,
    /// For how many seconds its load rises after it came up.
    pub slowstart: Option<u64>,
    /// What sessions tell of its health, and what follows.
    pub reactions: Reactions,
    /// How its clients are named to it.
    pub send_proxy: Option<Version>,
    /// Its sessions are ended when it is marked down.
    pub shutdown_sessions_when_down: bool,
    /// The sessions of backup servers are ended when it comes up.
    pub shutdown_backup_sessions_when_up: bool,
    /// How connections to it are made.
    pub outgoing: Rc<Outgoing>,
    /// Its health; one without checks is up.
    pub health: Health,
    /// The sessions that wait for a place at it and at no other.
    pub queue: Queue,
    /// Since which second of the wall's clock its load rises, and how far it has come, in sixteenths.
    pub starting: Option<(u64, u32)>,
    /// Connections in a row that sessions could not make.
    pub errors: u32,
    /// The sessions that hold a place at it.
    pub served: u32,
    /// The sessions that connect to it or stand, as the log counts them (`srv_conn`).
    pub current: u32,
    /// What is counted of it.
    pub counters: Counters,
    /// When its load changed last, counted in changes: of equally loaded servers the one is next that has waited longest.
    pub turn: u64,
}

/// What the limit of a server depends on.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The sessions of its backend.
    pub sessions: u32,
    /// So many are a full load (`fullconn`).
    pub full: u32,
    /// The second of the wall's clock.
    pub second: u64,
}

/// A full weight, in parts of it (`BE_WEIGHT_SCALE`).
pub const SCALE: u32 = 16;
/// `error-limit` unless it is set (`DEF_HANA_ERRLIMIT`).
const ERROR_LIMIT: u32 = 10;

impl Server {
    /// Whether it may be given sessions.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.state == State::Ready && self.health.is_up() && self.weight > 0
    }

    /// Its part of the load now: sixteenths of its weight, fewer while it starts (`server_recalc_eweight`).
    #[must_use]
    pub fn share(&self) -> u32 {
        self.weight * self.starting.map_or(SCALE, |(_, step)| step)
    }

    /// Whether it came up a short while ago and takes its load step by step.
    #[must_use]
    pub fn starts(&self) -> bool {
        self.starting.is_some()
    }

    /// How much of its weight it has, in percent (`server_throttle_rate`).
    #[must_use]
    pub fn throttle(&self) -> u32 {
        self.starting.map_or(100, |(_, step)| (100 * step).div_ceil(SCALE))
    }

    /// It came up in this second: with `slowstart`, its load begins to rise. Says whether it does. Only some algorithms have the weight
    /// rise too.
    pub fn start(&mut self, second: u64, takes_weights: bool) -> bool {
        self.starting = self.slowstart.map(|_| (second, SCALE));
        self.warm_up(second, takes_weights)
    }

    /// One step further; says whether another one follows.
    pub fn warm_up(&mut self, second: u64, takes_weights: bool) -> bool {
        let (Some((since, _)), Some(takes)) = (self.starting, self.slowstart) else { return false };
        let gone = second.checked_sub(since).filter(|gone| *gone < takes);
        self.starting = gone.map(|gone| {
            let step = (u64::from(SCALE) * gone + takes) / takes;
            (since, if takes_weights { u32::try_from(step).unwrap_or(SCALE).min(SCALE) } else { SCALE })
        });
        self.starts()
    }

    /// How many sessions it takes at once just now; any number if `None` (`srv_dynamic_maxconn`).
    #[must_use]
    pub fn limit(&self, load: Load) -> Option<u32> {
        let most = u64::from(self.maxconn?);
        let least = u64::from(self.minconn.unwrap_or(u32::MAX)).min(most);
        let (sessions, full) = (u64::from(load.sessions), u64::from(load.full.max(1)));
        let mut limit = if sessions >= full { most } else { least.max(sessions * most / full) };
        if let (Some((since, _)), Some(takes)) = (self.starting, self.slowstart)
            && let Some(gone) = load.second.checked_sub(since).filter(|gone| *gone < takes)
        {
            limit = (limit * (100 * gone / takes) / 100).max(1);
        }
        Some(u32::try_from(limit).unwrap_or(u32::MAX))
    }

    /// Another limit: both of its limits, if these are the same.
    pub fn set_limit(&mut self, most: Option<u32>) {
        if self.minconn == self.maxconn {
            self.minconn = most;
        }
        self.maxconn = most;
    }

    /// Whether one more session finds a place for which nobody waits.
    #[must_use]
    pub fn is_free(&self, load: Load) -> bool {
        self.limit(load).is_none_or(|most| self.queue.is_empty() && self.served < most)
    }

    /// Whether one more session finds a place, or may wait for one here (`fwlc_get_next_server`).
    #[must_use]
    pub fn is_free_or_may_wait(&self, load: Load) -> bool {
        let here = self.served as usize + self.queue.len();
        let waits = self.maxqueue.unwrap_or(0) as usize;
        self.limit(load).is_none_or(|most| here < most as usize + waits)
    }

    /// Takes in whether a session's connection was made; how many were not, once these are too many in a row.
    pub fn observed(&mut self, made: bool) -> Option<u32> {
        if !self.reactions.observe_layer4 {
            return None;
        }
        self.errors = if made { 0 } else { self.errors + 1 };
        if self.errors < self.reactions.error_limit.unwrap_or(ERROR_LIMIT) {
            return None;
        }
        self.counters.failed_by_sessions += 1;
        Some(std::mem::take(&mut self.errors))
    }

    /// A check passed: what sessions told before counts no more.
    pub fn forget_errors(&mut self) {
        self.errors = 0;
    }
}

impl Default for Server {
    fn default() -> Server {
        Server {
            name: String::new(),
            number: 1,
            has_own_number: false,
            address: ([0, 0, 0, 0], 0).into(),
            weight: 1,
            initial_weight: 1,
            state: State::Ready,
            starts_disabled: false,
            changed: Moment::now(),
            backup: false,
            maxconn: None,
            minconn: None,
            maxqueue: None,
            slowstart: None,
            reactions: Reactions::default(),
            send_proxy: None,
            shutdown_sessions_when_down: false,
            shutdown_backup_sessions_when_up: false,
            outgoing: Rc::default(),
            health: Health::starting(None),
            queue: Queue::default(),
            starting: None,
            errors: 0,
            served: 0,
            current: 0,
            counters: Counters::default(),
            turn: 0,
        }
    }
}

/// What an operator lets a server do (`set server … state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It takes sessions as long as it is up.
    Ready,
    /// It keeps the sessions that it has.
    Drain,
    /// It is taken for down, and not checked.
    Maintenance,
}

/// A server's health: a count that checks raise and lower between 0 and `rise + fall - 1`; from `rise` on it is up
/// (`set_server_check_status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    count: u32,
    rise: u32,
    fall: u32,
}

/// How a check changed a server's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It went down.
    Down,
    /// It came up.
    Up,
}

impl Health {
    /// At the start: up, but one failed check takes it down, as HAProxy does until the first check has passed.
    #[must_use]
    pub fn starting(check: Option<&config::Check>) -> Health {
        let default = config::Check::default();
        let check = check.unwrap_or(&default);
        let (rise, fall) = (check.rise.max(1), check.fall.max(1));
        Health { count: rise, rise, fall }
    }

    /// In maintenance: down.
    pub fn end(&mut self) {
        self.count = 0;
    }

    /// Behind maintenance: as at the start.
    pub fn begin_anew(&mut self) {
        self.count = self.rise;
    }

    /// One more failure takes it down soon: behind that the next failed check does (`HANA_ONERR_SUDDTH`).
    pub fn let_one_more_take_it_down(&mut self) {
        if self.count > self.rise {
            self.count = self.rise + 1;
        }
    }

    /// One more failure takes it down (`HANA_ONERR_MARKDWN`).
    pub fn let_the_next_take_it_down(&mut self) {
        self.count = self.count.min(self.rise);
    }

    /// `rise`, `fall`, and the count.
    #[must_use]
    pub fn counts(self) -> (u32, u32, u32) {
        (self.rise, self.fall, self.count)
    }

    /// Whether it is up.
    #[must_use]
    pub fn is_up(self) -> bool {
        self.count >= self.rise
    }

    /// Whether it is neither surely up nor surely down: `fastinter` counts.
    #[must_use]
    pub fn is_changing(self) -> bool {
        self.count != 0 && self.count != self.rise + self.fall - 1
    }

    /// A check passed.
    pub fn passed(&mut self) -> Option<Change> {
        let was = self.is_up();
        self.count = (self.count + 1).min(self.rise + self.fall - 1);
        if self.is_up() {
            self.count = self.rise + self.fall - 1;
        }
        (!was && self.is_up()).then_some(Change::Up)
    }

    /// A check failed.
    pub fn failed(&mut self) -> Option<Change> {
        let was = self.is_up();
        self.count = self.count.saturating_sub(1);
        if !self.is_up() {
            self.count = 0;
        }
        (was && !self.is_up()).then_some(Change::Down)
    }

    /// How far it is, as the log tells: checks that speak for its state, of how many.
    #[must_use]
    pub fn progress(self) -> (u32, u32) {
        if self.is_up() { (self.count - self.rise + 1, self.fall) } else { (self.count, self.rise) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(rise: u32, fall: u32) -> Health {
        Health::starting(Some(&config::Check { rise, fall, ..config::Check::default() }))
    }

    #[test]
    fn a_server_goes_down_after_fall_failed_checks_in_a_row() {
        let mut health = health(2, 3);
        assert_eq!(health.passed(), None);
        assert_eq!([health.failed(), health.failed(), health.failed()], [None, None, Some(Change::Down)]);
    }

    #[test]
    fn a_good_check_in_between_makes_the_failed_ones_count_anew() {
        let mut health = health(2, 3);
        health.passed();
        health.failed();
        health.failed();
        health.passed();
        assert_eq!([health.failed(), health.failed(), health.failed()], [None, None, Some(Change::Down)]);
    }

    #[test]
    fn a_server_comes_up_after_rise_good_checks_in_a_row() {
        let mut health = health(2, 1);
        assert_eq!(health.failed(), Some(Change::Down));
        assert_eq!([health.passed(), health.passed()], [None, Some(Change::Up)]);
    }

    #[test]
    fn before_the_first_good_check_one_failed_check_is_enough() {
        assert_eq!(health(2, 3).failed(), Some(Change::Down));
    }

    const NOW: u64 = 1_000;

    fn load(sessions: u32, second: u64) -> Load {
        Load { sessions, full: 4, second }
    }

    #[test]
    fn between_minconn_and_maxconn_the_limit_follows_the_load() {
        let server = Server { maxconn: Some(8), minconn: Some(3), ..Server::default() };
        let limits = [1, 2, 3, 4, 9].map(|sessions| server.limit(load(sessions, NOW)));
        assert_eq!(limits, [Some(3), Some(4), Some(6), Some(8), Some(8)]);
        assert_eq!(Server::default().limit(load(1, NOW)), None);
    }

    #[test]
    fn a_server_with_slowstart_takes_its_load_second_by_second() {
        let mut server =
            Server { maxconn: Some(10), minconn: Some(10), weight: 10, slowstart: Some(20), ..Server::default() };
        assert!(server.start(NOW, true));
        assert_eq!((server.share(), server.limit(load(9, NOW))), (10, Some(1)));
        assert!(server.warm_up(NOW + 10, true));
        assert_eq!((server.share(), server.limit(load(9, NOW + 10))), (90, Some(5)));
        assert!(!server.warm_up(NOW + 20, true));
        assert_eq!((server.share(), server.limit(load(9, NOW + 20))), (160, Some(10)));
    }

    #[test]
    fn where_weights_cannot_change_only_the_limit_starts_slowly() {
        let mut server = Server { maxconn: Some(10), minconn: Some(10), slowstart: Some(20), ..Server::default() };
        server.start(NOW, false);
        assert_eq!((server.share(), server.limit(load(9, NOW + 4))), (16, Some(2)));
    }

    #[test]
    fn sessions_tell_of_a_server_only_when_too_many_in_a_row_got_no_connection() {
        let reactions = Reactions { observe_layer4: true, error_limit: Some(2), ..Reactions::default() };
        let mut server = Server { reactions, ..Server::default() };
        assert_eq!([false, true, false, false].map(|made| server.observed(made)), [None, None, None, Some(2)]);
        assert_eq!(Server::default().observed(false), None);
    }

    #[test]
    fn what_sessions_tell_takes_a_server_down_at_once_or_with_the_next_failure() {
        let surely_up = || {
            let mut health = health(2, 3);
            health.passed();
            health
        };
        let mut marked = surely_up();
        marked.let_the_next_take_it_down();
        assert_eq!(marked.failed(), Some(Change::Down));
        marked.let_the_next_take_it_down();
        assert_eq!(marked.failed(), None, "it is down already");
        let mut suddenly = surely_up();
        suddenly.let_one_more_take_it_down();
        assert_eq!([suddenly.failed(), suddenly.failed()], [None, Some(Change::Down)]);
    }
}
