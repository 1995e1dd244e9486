//! Health checks: a connection to the server that is closed as soon as it stands (manual, 5.2 `check`).

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use rustix::io::Errno;

use super::moment::{Limit, Moment};
use super::outgoing::Outgoing;
use super::poll::Ready;
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
    /// How long the check took.
    pub took: Duration,
}

/// Why a check failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There was no answer in time.
    Timeout,
    /// The connection was refused, or the server could not be reached.
    Connect(Errno),
}

impl Result {
    /// In a word (`check_statuses` in `src/check.c`).
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.failure {
            None => "L4OK",
            Some(Failure::Timeout) => "L4TOUT",
            Some(Failure::Connect(_)) => "L4CON",
        }
    }

    /// In some words.
    #[must_use]
    pub fn description(&self) -> &'static str {
        match self.failure {
            None => "Layer4 check passed",
            Some(Failure::Timeout) => "Layer4 timeout",
            Some(Failure::Connect(_)) => "Layer4 connection problem",
        }
    }

    /// What there is to say beyond that.
    #[must_use]
    pub fn info(&self) -> Option<String> {
        match self.failure {
            Some(Failure::Connect(errno)) => Some(nix::errno::Errno::from_raw(errno.raw_os_error()).desc().to_owned()),
            _ => None,
        }
    }

    /// As numbers: HAProxy's status and result (`enum healthcheck_status`, `enum chk_result`).
    #[must_use]
    pub fn numbers(&self) -> (u8, u8) {
        match self.failure {
            None => (6, 3),
            Some(Failure::Timeout) => (7, 2),
            Some(Failure::Connect(_)) => (8, 2),
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
            Err(error) => Err(Result { failure: Some(Failure::Connect(error.errno())), took: Duration::ZERO }),
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
            None if ready.writable => None,
            None if self.due <= now => Some(Failure::Timeout),
            None => return None,
        };
        let took = now.since(*began);
        socket::reset_on_close(socket);
        self.attempt = None;
        Some(Result { failure, took })
    }

    /// Leaves this attempt out: the server is not to be checked now.
    pub fn skip(&mut self, now: Moment) {
        while self.due <= now {
            self.due = self.due.plus(self.settings.interval);
        }
    }

    /// Sets the time of the next attempt, by the server's health now (`srv_getinter`).
    pub fn rest(&mut self, health: Health, now: Moment) {
        let settings = &self.settings;
        let interval = if health.is_changing() {
            settings.fast_interval.unwrap_or(settings.interval)
        } else if health.is_up() {
            settings.interval
        } else {
            settings.down_interval.unwrap_or(settings.interval)
        };
        self.due = now.plus(interval);
    }
}

/// When the first check of each server comes: all of them spread over the shortest of their intervals (`start_checks`).
#[must_use]
pub fn first_times(intervals: &[Duration], now: Moment) -> Vec<Moment> {
    let shortest = intervals.iter().copied().filter(|interval| *interval >= SPREADS).min().unwrap_or_default();
    let count = u32::try_from(intervals.len()).unwrap_or(u32::MAX).max(1);
    let spread = |(place, interval): (u32, &Duration)| now.plus((*interval).max(shortest) * place / count);
    (0..).zip(intervals).map(spread).collect()
}
