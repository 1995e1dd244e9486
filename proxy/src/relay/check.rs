//! Health checks: a connection to the server that is closed as soon as it stands (manual, 5.2 `check`).

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use rustix::io::Errno;

use super::moment::{Limit, Moment};
use super::outgoing::Outgoing;
use super::poll::Ready;
use super::proxy_protocol::{self, Header, Version};
use super::server::Health;
use super::socket;
use crate::config;

/// Intervals below this do not spread the first checks of all servers (`SRV_CHK_INTER_THRES`).
const SPREADS: Duration = Duration::from_secs(1);

/// The checks of one server.
#[derive(Debug)]
pub struct Check {
    /// The backend, by its place.
    pub backend: usize,
    /// The server, by its place in it.
    pub server: usize,
    settings: config::Check,
    address: SocketAddr,
    outgoing: Rc<Outgoing>,
    /// `timeout connect`, which limits a check only where there is a `timeout check` too (manual, 4.2 `timeout check`).
    connect: Limit,
    /// The attempt that is under way.
    attempt: Option<(OwnedFd, Moment)>,
    /// What the last one found.
    pub last: Option<Result>,
    /// When it is to go on: the next attempt, or the end of this one.
    pub due: Moment,
    /// When its timer's entry wakes it.
    pub woken: Moment,
}

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Result {
    /// Why the server is held for down; `None`: it answered.
    pub failure: Option<Failure>,
    /// How long the check took; `None` if there was none.
    pub took: Option<Duration>,
}

/// Why a check failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There was no answer in time.
    Timeout,
    /// The connection was refused, or the server could not be reached.
    Connect(Errno),
    /// So many sessions in a row got no connection.
    Sessions(u32),
}

impl Result {
    /// In a word (`check_statuses` in `src/check.c`).
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.failure {
            None => "L4OK",
            Some(Failure::Timeout) => "L4TOUT",
            Some(Failure::Connect(_)) => "L4CON",
            Some(Failure::Sessions(_)) => "HANA",
        }
    }

    /// In some words.
    #[must_use]
    pub fn description(&self) -> &'static str {
        match self.failure {
            None => "Layer4 check passed",
            Some(Failure::Timeout) => "Layer4 timeout",
            Some(Failure::Connect(_)) => "Layer4 connection problem",
            Some(Failure::Sessions(_)) => "Health analyze",
        }
    }

    /// What there is to say beyond that.
    #[must_use]
    pub fn info(&self) -> Option<String> {
        match self.failure {
            Some(Failure::Connect(errno)) => Some(nix::errno::Errno::from_raw(errno.raw_os_error()).desc().to_owned()),
            Some(Failure::Sessions(errors)) => {
                Some(format!("Detected {errors} consecutive errors, last one was: L4 unsuccessful connection"))
            }
            None | Some(Failure::Timeout) => None,
        }
    }

    /// As numbers: HAProxy's status and result (`enum healthcheck_status`, `enum chk_result`).
    #[must_use]
    pub fn numbers(&self) -> (u8, u8) {
        match self.failure {
            None => (6, 3),
            Some(Failure::Timeout) => (7, 2),
            Some(Failure::Connect(_)) => (8, 2),
            Some(Failure::Sessions(_)) => (4, 2),
        }
    }
}

impl Check {
    /// The checks of a server, the first of which comes at `due`.
    #[must_use]
    pub fn new(
        place: (usize, usize),
        settings: &config::Check,
        address: SocketAddr,
        timeouts: &config::Timeouts,
        outgoing: Rc<Outgoing>,
        due: Moment,
    ) -> Check {
        let connect = timeouts.check.and(timeouts.connect).into();
        Check {
            backend: place.0,
            server: place.1,
            settings: settings.clone(),
            address,
            outgoing,
            connect,
            attempt: None,
            last: None,
            due,
            woken: Moment::NEVER,
        }
    }

    /// Begins an attempt; what it returns is to be waited for, or is the result already.
    ///
    /// # Errors
    /// A check that failed at once.
    pub fn begin(&mut self, now: Moment) -> std::result::Result<&OwnedFd, Result> {
        match socket::probing(self.address, &self.outgoing) {
            Ok(socket) => {
                self.due = now.plus(self.settings.interval).min(now.after(self.connect));
                Ok(&self.attempt.insert((socket, now)).0)
            }
            Err(error) => Err(Result { failure: Some(Failure::Connect(error.errno())), took: Some(Duration::ZERO) }),
        }
    }

    /// Whether an attempt is under way.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.attempt.is_some()
    }

    /// Takes in what epoll told, or that the time is over; what became of the attempt, once something did.
    pub fn look(&mut self, ready: Ready, now: Moment) -> Option<Result> {
        let (socket, began) = self.attempt.as_ref()?;
        let failure = match socket::error(socket) {
            Some(errno) => Some(Failure::Connect(errno)),
            None if ready.writable => self.say_for_whom(socket).err().map(Failure::Connect),
            None if self.due <= now => Some(Failure::Timeout),
            None => return None,
        };
        let took = now.since(*began);
        socket::reset_on_close(socket);
        self.attempt = None;
        Some(Result { failure, took: Some(took) })
    }

    /// Leaves this attempt out: the server is not to be checked now.
    pub fn skip(&mut self, now: Moment) {
        while self.due <= now {
            self.due = self.due.plus(self.settings.interval);
        }
    }

    /// Says that it speaks for itself, if it is to say for whom it speaks.
    fn say_for_whom(&self, socket: &OwnedFd) -> std::result::Result<(), Errno> {
        let Some(version) = self.settings.send_proxy.and_then(Version::numbered) else { return Ok(()) };
        let header = match (version, socket::local(socket)) {
            // The text has no word for this.
            (Version::One, Some(source)) => Header::For { source, destination: self.address },
            _ => Header::Itself,
        };
        socket::transmit_all(socket, &proxy_protocol::write(version, header))
    }

    /// Sets the time of the next attempt, by the server's health now (`srv_getinter`).
    ///
    /// It differs by chance from the interval by up to `spread` percent of it (`process_chk_conn`).
    pub fn rest(&mut self, health: Health, spread: u32, now: Moment) {
        let settings = &self.settings;
        let interval = if health.is_changing() {
            settings.fast_interval.unwrap_or(settings.interval)
        } else if health.is_up() {
            settings.interval
        } else {
            settings.down_interval.unwrap_or(settings.interval)
        };
        let most = interval * spread / 100;
        let chance = if most.is_zero() { Duration::ZERO } else { most.mul_f64(2.0 * rand::random::<f64>()) };
        self.due = now.plus(interval + most - chance);
    }

    /// Sessions told of errors: the next attempt comes soon, if `fastinter` says how soon. Says whether its time has changed.
    pub fn hurry(&mut self, now: Moment) -> bool {
        let soon = self.settings.fast_interval.map_or(Moment::NEVER, |interval| now.plus(interval));
        if self.is_under_way() || soon >= self.due {
            return false;
        }
        self.due = soon;
        true
    }
}

/// When the first check of each server comes: all of them spread over the shortest of their intervals, or over `max-spread-checks`
/// (`start_checks`).
#[must_use]
pub fn first_times(intervals: &[Duration], most: Option<Duration>, now: Moment) -> Vec<Moment> {
    let shortest = intervals.iter().copied().filter(|interval| *interval >= SPREADS).min().unwrap_or_default();
    let count = u32::try_from(intervals.len()).unwrap_or(u32::MAX).max(1);
    let spread = |(place, interval): (u32, &Duration)| {
        now.plus((*interval).max(shortest).min(most.unwrap_or(Duration::MAX)) * place / count)
    };
    (0..).zip(intervals).map(spread).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn check(settings: &config::Check, now: Moment) -> Check {
        let address = ([127, 0, 0, 1], 1).into();
        Check::new((0, 0), settings, address, &config::Timeouts::default(), Rc::default(), now)
    }

    #[test]
    fn first_checks_are_spread_over_the_shortest_interval_or_what_is_asked_for() {
        let now = Moment::now();
        let intervals = [4 * SECOND, 2 * SECOND];
        assert_eq!(first_times(&intervals, None, now), [now, now.plus(SECOND)]);
        assert_eq!(first_times(&intervals, Some(SECOND), now), [now, now.plus(SECOND / 2)]);
    }

    #[test]
    fn intervals_differ_by_chance_by_so_many_percent() {
        let now = Moment::now();
        let settings = config::Check { interval: 10 * SECOND, ..config::Check::default() };
        let mut check = check(&settings, now);
        let mut waits: Vec<Duration> = Vec::new();
        for _ in 0..100 {
            check.rest(Health::starting(Some(&settings)), 50, now);
            waits.push(check.due.since(now));
        }
        assert!(waits.iter().all(|wait| (5 * SECOND..=15 * SECOND).contains(wait)), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait < 9 * SECOND) && waits.iter().any(|wait| *wait > 11 * SECOND));
        check.rest(Health::starting(Some(&settings)), 0, now);
        assert_eq!(check.due, now.plus(10 * SECOND));
    }

    #[test]
    fn intervals_follow_the_servers_health() {
        let now = Moment::now();
        let (fast_interval, down_interval) = (Some(SECOND), Some(9 * SECOND));
        let settings = config::Check { rise: 2, fall: 2, fast_interval, down_interval, ..config::Check::default() };
        let (mut check, mut health) = (check(&settings, now), Health::starting(Some(&settings)));
        let mut waits = Vec::new();
        for passes in [true, false, false, true] {
            if passes {
                health.passed()
            } else {
                health.failed()
            };
            check.rest(health, 0, now);
            waits.push(check.due.since(now));
        }
        assert_eq!(waits, [settings.interval, SECOND, 9 * SECOND, SECOND]);
    }
}
