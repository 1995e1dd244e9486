//! The load generator's loop: clients before the proxy and servers behind it, in one thread.

use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::sockopt::set_tcp_nodelay;
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, acceptfrom_with, bind, connect, listen, socket_with, sockopt,
};
use slab::Slab;

use super::Result;
use super::subject::{BACK, FRONT};

/// Clients go to so many addresses in turn, so that ports are not used up.
const ADDRESSES: u8 = 64;
/// How long a load may stand still.
const STILL: Duration = Duration::from_secs(10);
/// The token of the socket that servers are accepted on.
const LISTENER: u64 = u64::MAX;

/// Which end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

/// One end of a session.
pub struct End {
    pub socket: OwnedFd,
    pub side: Side,
    /// When it last began something.
    pub since: Instant,
}

/// What becomes of an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It waits for the next event.
    Wait,
    /// It is closed.
    Close,
    /// It is closed, and another client comes in its place.
    Again,
}

/// What ends do.
pub trait Load {
    /// What a server waits for.
    const SERVER: EventFlags = EventFlags::IN;

    /// A client's connection stands.
    fn begin(&mut self, client: &mut End) -> std::result::Result<(), Errno>;

    /// There is something for an end.
    fn go_on(&mut self, end: &mut End) -> std::result::Result<Next, Errno>;

    /// What was counted is forgotten.
    fn forget(&mut self) {}
}

/// The loop, with its ends.
pub struct Generator<L> {
    load: L,
    epoll: OwnedFd,
    listener: OwnedFd,
    ends: Slab<End>,
    events: Vec<Event>,
    clients: u32,
}

impl<L: Load> Generator<L> {
    /// A generator without clients.
    ///
    /// # Errors
    /// When the servers' port is taken.
    pub fn new(load: L) -> Result<Generator<L>> {
        let listener = tcp(SocketFlags::NONBLOCK)?;
        sockopt::set_socket_reuseaddr(&listener, true)?;
        bind(&listener, &at(1, BACK))?;
        listen(&listener, 4096)?;
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        Ok(Generator { load, epoll, listener, ends: Slab::new(), events: Vec::with_capacity(256), clients: 0 })
    }

    pub fn load(&self) -> &L {
        &self.load
    }

    pub fn load_mut(&mut self) -> &mut L {
        &mut self.load
    }

    /// Opens so many clients; the proxy has its turn between them.
    ///
    /// # Errors
    /// When a connection is refused.
    pub fn open(&mut self, count: usize) -> Result {
        for number in 0..count {
            self.client()?;
            if number % 32 == 31 {
                self.turn(Duration::from_millis(1))?;
            }
        }
        Ok(())
    }

    fn client(&mut self) -> Result {
        let socket = tcp(SocketFlags::empty())?;
        self.clients += 1;
        let address = at(1 + (self.clients % u32::from(ADDRESSES)) as u8, FRONT);
        // The kernel completes it without the proxy, so waiting for it takes no time.
        connect(&socket, &address).map_err(|e| format!("connecting to the proxy: {e}"))?;
        set_tcp_nodelay(&socket, true)?;
        let mut end = End { socket, side: Side::Client, since: Instant::now() };
        self.load.begin(&mut end).map_err(|e| format!("a client's first byte: {e}"))?;
        self.enter(end, EventFlags::IN)
    }

    fn enter(&mut self, end: End, flags: EventFlags) -> Result {
        let entry = self.ends.vacant_entry();
        epoll::add(&self.epoll, &end.socket, EventData::new_u64(entry.key() as u64), flags)?;
        entry.insert(end);
        Ok(())
    }

    /// Works for so long.
    ///
    /// # Errors
    /// When a connection breaks.
    pub fn run_for(&mut self, time: Duration) -> Result {
        let until = Instant::now() + time;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            self.turn(left)?;
        }
        Ok(())
    }

    /// Works until something is so.
    ///
    /// # Errors
    /// When a connection breaks, or nothing happens for long.
    pub fn run_until(&mut self, so: impl Fn(&L) -> bool) -> Result {
        let started = Instant::now();
        while !so(&self.load) {
            if started.elapsed() > STILL {
                return Err("the load stands still".into());
            }
            self.turn(Duration::from_millis(100))?;
        }
        Ok(())
    }

    fn turn(&mut self, most: Duration) -> Result {
        let limit = rustix::time::Timespec { tv_sec: 0, tv_nsec: i64::from(most.subsec_nanos().min(100_000_000)) };
        self.events.clear();
        let room: &mut [MaybeUninit<Event>] = self.events.spare_capacity_mut();
        let (found, _) = epoll::wait(&self.epoll, room, Some(&limit))?;
        let tokens: Vec<u64> = found.iter().map(|event| event.data.u64()).collect();
        for token in tokens {
            if token == LISTENER {
                self.accept()?;
            } else if let Ok(key) = usize::try_from(token) {
                self.go_on(key)?;
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> Result {
        loop {
            match acceptfrom_with(&self.listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok((socket, _)) => {
                    set_tcp_nodelay(&socket, true)?;
                    self.enter(End { socket, side: Side::Server, since: Instant::now() }, L::SERVER)?;
                }
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn go_on(&mut self, key: usize) -> Result {
        let Some(end) = self.ends.get_mut(key) else { return Ok(()) };
        let side = end.side;
        match self.load.go_on(end).map_err(|e| format!("a {side:?}'s connection broke: {e}"))? {
            Next::Wait => {}
            Next::Close => drop(self.ends.remove(key)),
            Next::Again => {
                drop(self.ends.remove(key));
                self.client()?;
            }
        }
        Ok(())
    }
}

fn tcp(flags: SocketFlags) -> Result<OwnedFd> {
    Ok(socket_with(AddressFamily::INET, SocketType::STREAM, flags | SocketFlags::CLOEXEC, None)?)
}

fn at(last: u8, port: u16) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last), port))
}
