//! Waiting for sockets and for a moment: epoll(7), edge-triggered, and timerfd_create(2).
//!
//! A socket is entered once, for all that can happen to it, and leaves when it is closed: no system call is spent on what is
//! waited for. The moment is a timer's, and not epoll_wait(2)'s own limit, which the kernel overruns by a thousandth, up to 100 ms
//! (`select_estimate_accuracy`, fs/select.c).

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime};

use super::moment::Moment;

/// How many events one wait takes at most.
const BATCH: usize = 256;

/// Who an event is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Token {
    /// A socket that is listened on, by its place in the list.
    Listener(u32),
    /// A session's connection from its client.
    Client(Key),
    /// A session's connection to its server.
    Server(Key),
    /// A server's health check, by its place in the list.
    Check(u32),
    /// The stats socket, by its place in the list.
    Stats(u32),
    /// A connection to a stats socket.
    Operator(Key),
    /// Signals.
    Signal,
    /// The moment that is waited for has come.
    Clock,
}

/// A place in a slab, and which of its owners over time is meant: an event of the last one must not reach the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The place.
    pub place: u32,
    /// The owner, 24 bits.
    pub serial: u32,
}

impl Key {
    /// How many bits of a serial number an event carries.
    pub const SERIAL_BITS: u32 = 24;
}

impl Token {
    fn pack(self) -> u64 {
        let (kind, key) = match self {
            Token::Listener(place) => (0, Key { place, serial: 0 }),
            Token::Client(key) => (1, key),
            Token::Server(key) => (2, key),
            Token::Check(place) => (3, Key { place, serial: 0 }),
            Token::Stats(place) => (4, Key { place, serial: 0 }),
            Token::Operator(key) => (5, key),
            Token::Signal => (6, Key { place: 0, serial: 0 }),
            Token::Clock => (7, Key { place: 0, serial: 0 }),
        };
        let serial = key.serial & ((1 << Key::SERIAL_BITS) - 1);
        (kind << 56) | (u64::from(serial) << 32) | u64::from(key.place)
    }

    fn unpack(packed: u64) -> Token {
        // Both parts are cut to their width on purpose.
        let key = Key { place: packed as u32, serial: (packed >> 32) as u32 & ((1 << Key::SERIAL_BITS) - 1) };
        match packed >> 56 {
            0 => Token::Listener(key.place),
            1 => Token::Client(key),
            2 => Token::Server(key),
            3 => Token::Check(key.place),
            4 => Token::Stats(key.place),
            5 => Token::Operator(key),
            6 => Token::Signal,
            _ => Token::Clock,
        }
    }
}

/// What became possible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// There is something to read: bytes, the peer's FIN, an error.
    pub readable: bool,
    /// There is room to write, or writing will fail.
    pub writable: bool,
    /// The peer has sent FIN, or the connection is broken: reading comes to an end.
    pub hangup: bool,
    /// The connection is broken.
    pub broken: bool,
}

/// The kernel's list of what is waited for.
pub struct Poll {
    epoll: OwnedFd,
    timer: OwnedFd,
    /// What the timer is set to.
    until: Moment,
    events: Vec<Event>,
}

impl Poll {
    /// An empty list.
    ///
    /// # Errors
    /// As epoll_create1(2) and timerfd_create(2).
    pub fn new() -> std::io::Result<Poll> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let edge = EventFlags::IN | EventFlags::ET;
        epoll::add(&epoll, &timer, EventData::new_u64(Token::Clock.pack()), edge)?;
        Ok(Poll { epoll, timer, until: Moment::NEVER, events: Vec::with_capacity(BATCH) })
    }

    /// Enters a connection, for everything; it leaves when its descriptor is closed.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    pub fn connection(&self, socket: impl AsFd, token: Token) -> std::io::Result<()> {
        let all = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        Ok(epoll::add(&self.epoll, socket, EventData::new_u64(token.pack()), all)?)
    }

    /// Enters a source that is asked again as long as it has something to read.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    pub fn source(&self, source: impl AsFd, token: Token) -> std::io::Result<()> {
        Ok(epoll::add(&self.epoll, source, EventData::new_u64(token.pack()), EventFlags::IN)?)
    }

    /// Takes a source out again.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    pub fn forget(&self, source: impl AsFd) -> std::io::Result<()> {
        Ok(epoll::delete(&self.epoll, source)?)
    }

    /// Waits until something happens or `until` has come, and puts what happened into `found`. `None` only looks.
    ///
    /// # Errors
    /// As epoll_wait(2) and timerfd_settime(2).
    pub fn wait(&mut self, until: Option<Moment>, found: &mut Vec<(Token, Ready)>) -> std::io::Result<()> {
        if let Some(until) = until.filter(|until| *until != self.until) {
            let time = Itimerspec { it_interval: Moment::unset(), it_value: until.timespec() };
            timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &time)?;
            self.until = until;
        }
        let limit = until.is_none().then(Moment::unset);
        self.events.clear();
        let room: &mut [MaybeUninit<Event>] = self.events.spare_capacity_mut();
        let (events, _) = match epoll::wait(&self.epoll, room, limit.as_ref()) {
            Err(rustix::io::Errno::INTR) => return Ok(()),
            other => other?,
        };
        found.extend(events.iter().map(|event| (Token::unpack(event.data.u64()), ready(event.flags))));
        Ok(())
    }
}

fn ready(flags: EventFlags) -> Ready {
    let broken = flags.intersects(EventFlags::ERR | EventFlags::HUP);
    Ready {
        readable: broken || flags.intersects(EventFlags::IN | EventFlags::RDHUP),
        writable: broken || flags.contains(EventFlags::OUT),
        hangup: broken || flags.contains(EventFlags::RDHUP),
        broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_reads_back_as_itself() {
        let key = Key { place: u32::MAX, serial: (1 << Key::SERIAL_BITS) - 1 };
        let tokens = [
            Token::Listener(7),
            Token::Client(key),
            Token::Server(Key { place: 0, serial: 1 }),
            Token::Check(3),
            Token::Stats(0),
            Token::Operator(key),
            Token::Signal,
            Token::Clock,
        ];
        for token in tokens {
            assert_eq!(Token::unpack(token.pack()), token);
        }
    }
}
