//! A server as the proxy sees it: whether it is up, and how much it has to do.

use std::net::SocketAddr;
use std::rc::Rc;

use super::counters::Counters;
use super::moment::Moment;
use super::outgoing::Outgoing;
use crate::config;

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
    /// Its sessions are ended when it is marked down.
    pub shutdown_sessions_when_down: bool,
    /// The sessions of backup servers are ended when it comes up.
    pub shutdown_backup_sessions_when_up: bool,
    /// How connections to it are made.
    pub outgoing: Rc<Outgoing>,
    /// Its health; one without checks is up.
    pub health: Health,
    /// The sessions that hold a place at it.
    pub served: u32,
    /// The sessions that connect to it or stand, as the log counts them (`srv_conn`).
    pub current: u32,
    /// What is counted of it.
    pub counters: Counters,
    /// When its load changed last, counted in changes: of equally loaded servers the one is next that has waited longest.
    pub turn: u64,
}

impl Server {
    /// Whether it may be given sessions.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.state == State::Ready && self.health.is_up() && self.weight > 0
    }

    /// Whether one more session finds a place.
    #[must_use]
    pub fn has_place(&self) -> bool {
        self.maxconn.is_none_or(|most| self.served < most)
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
}
