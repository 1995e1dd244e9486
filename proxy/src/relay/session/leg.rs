//! One of a session's two connections, as the proxy's end of it.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;

use super::cause::Timer;
use crate::relay::buffers::Waiting;
use crate::relay::moment::{Limit, Moment};
use crate::relay::pipe::Pipe;
use crate::relay::poll::Ready;
use crate::relay::socket;

/// The limits of a leg's inactivity timers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// `timeout client` or `timeout server`.
    pub ordinary: Limit,
    /// `timeout client-fin` or `timeout server-fin`.
    pub fin: Limit,
}

/// A connection; also one that is not made yet, or is closed already.
#[derive(Debug)]
pub struct Leg {
    socket: Option<OwnedFd>,
    /// Whether the handshake is over.
    connected: bool,
    /// What epoll told last, less what has turned out not to hold any more.
    ready: Ready,
    /// With what it broke.
    broken: Option<Errno>,
    /// Nothing more is read from it.
    pub read_shut: bool,
    /// Nothing more is written to it.
    pub write_shut: bool,
    /// The peer's FIN was read.
    finished: bool,
    /// It is closed with RST unless the peer's FIN was read.
    resets: bool,
    /// Without a direction it is no use: it is closed as soon as one ends (`option nolinger`).
    at_once: bool,
    /// The limit of its inactivity timers, and which setting it comes from.
    limit: Limit,
    timer: Timer,
    fin: Limit,
    /// When the proxy stops waiting for the peer's bytes.
    pub read_by: Moment,
    /// When it stops waiting for the peer to take bytes.
    pub write_by: Moment,
}

impl Leg {
    /// A connection that a client made; its timer runs from now on.
    #[must_use]
    pub fn accepted(socket: OwnedFd, limits: Limits, now: Moment) -> Leg {
        Leg {
            socket: Some(socket),
            connected: true,
            resets: false,
            read_by: now.after(limits.ordinary),
            ..Leg::absent(limits)
        }
    }

    /// A connection that is not made yet.
    ///
    /// HAProxy closes connections to servers with linger 0, so that its ports are free again at once, unless the server has
    /// closed in order before (`src/fd.c`, FD_LINGER_RISK).
    #[must_use]
    pub fn absent(limits: Limits) -> Leg {
        Leg {
            socket: None,
            connected: false,
            ready: Ready::default(),
            broken: None,
            read_shut: false,
            write_shut: false,
            finished: false,
            resets: true,
            at_once: false,
            limit: limits.ordinary,
            timer: Timer::Ordinary,
            fin: limits.fin,
            read_by: Moment::NEVER,
            write_by: Moment::NEVER,
        }
    }

    /// The same, closed as soon as nothing more is written to it: `option nolinger` is set for its backend (`connect_server`).
    #[must_use]
    pub fn closed_at_once(self, at_once: bool) -> Leg {
        Leg { at_once, ..self }
    }

    /// Takes the socket of a new attempt to connect.
    pub fn attempt(&mut self, socket: OwnedFd) {
        self.socket = Some(socket);
        self.ready = Ready::default();
        self.broken = None;
    }

    /// Gives an attempt up, so that another can be made.
    pub fn abandon(&mut self) {
        if let Some(socket) = self.socket.take() {
            socket::reset_on_close(socket);
        }
    }

    /// The handshake is over.
    pub fn establish(&mut self, now: Moment) {
        self.connected = true;
        self.read_by = now.after(self.limit);
    }

    /// From now on another limit holds, for both of its timers.
    pub fn follow(&mut self, timer: Timer, limit: Limit, now: Moment) {
        (self.timer, self.limit) = (timer, limit);
        self.read_by = now.after(limit);
    }

    /// Which setting its timers follow.
    #[must_use]
    pub fn timer(&self) -> Timer {
        self.timer
    }

    /// Its socket, while there is one.
    #[must_use]
    pub fn socket(&self) -> Option<&OwnedFd> {
        self.socket.as_ref()
    }

    /// Takes over what epoll told.
    pub fn told(&mut self, ready: Ready) {
        self.ready.readable |= ready.readable;
        self.ready.writable |= ready.writable;
        self.ready.hangup |= ready.hangup;
        self.ready.broken |= ready.broken;
    }

    /// Whether epoll told that there is something to read.
    #[must_use]
    pub fn can_read(&self) -> bool {
        self.connected && self.ready.readable && !self.read_shut && self.broken.is_none() && self.socket.is_some()
    }

    /// Whether epoll told that there is room to write.
    #[must_use]
    pub fn can_write(&self) -> bool {
        self.connected && self.ready.writable && !self.write_shut && self.broken.is_none() && self.socket.is_some()
    }

    /// What became of an attempt to connect, once something did.
    #[must_use]
    pub fn attempted(&self) -> Option<Result<(), Errno>> {
        let socket = self.socket.as_ref().filter(|_| !self.connected && self.ready.writable)?;
        // A connection that stands has no error to ask for.
        let error = if self.ready.broken { socket::error(socket) } else { None };
        Some(error.map_or(Ok(()), Err))
    }

    /// Reads. `None`: there is nothing to read now, or never again.
    pub fn receive(&mut self, into: &mut [u8]) -> Option<usize> {
        let received = socket::receive(self.socket.as_ref()?, into);
        let count = self.took(received)?;
        // A read that could have taken more has emptied the socket; only a FIN or an error may be behind it.
        self.ready.readable = count == into.len() || self.ready.hangup;
        Some(count)
    }

    /// Takes what there is into a pipe. `None`: there is nothing now, or never again.
    pub fn fill(&mut self, pipe: &mut Pipe) -> Option<usize> {
        let filled = pipe.fill(self.socket.as_ref()?);
        self.took(filled)
    }

    /// Takes in how it went to take bytes from it; how many there were.
    fn took(&mut self, taken: Result<usize, Errno>) -> Option<usize> {
        match taken {
            Ok(0) => self.finished = true,
            Ok(count) => return Some(count),
            Err(Errno::AGAIN) => self.ready.readable = false,
            Err(error) => self.broken = Some(error),
        }
        None
    }

    /// Gives what waits, as much as the kernel takes now.
    pub fn give(&mut self, waiting: &mut Waiting) -> usize {
        match waiting {
            Waiting::Pipe(pipe) => self.drain(pipe),
            Waiting::Block(block) => {
                let sent = self.transmit(block.waiting());
                block.written(sent);
                sent
            }
        }
    }

    /// Gives what is in a pipe, as much as the kernel takes now.
    pub fn drain(&mut self, pipe: &mut Pipe) -> usize {
        let mut sent = 0;
        while let Some(socket) = &self.socket
            && pipe.held() > 0
        {
            match pipe.drain(socket) {
                // That it takes nothing more is only known when it says so.
                Ok(count) => sent += count,
                Err(Errno::AGAIN) => {
                    self.ready.writable = false;
                    break;
                }
                Err(error) => {
                    self.broken = Some(error);
                    break;
                }
            }
        }
        sent
    }

    /// Writes what the kernel takes now.
    pub fn transmit(&mut self, bytes: &[u8]) -> usize {
        let Some(socket) = &self.socket else { return 0 };
        let sent = match socket::transmit(socket, bytes) {
            Err(Errno::AGAIN) => 0,
            Err(error) => {
                self.broken = Some(error);
                return 0;
            }
            Ok(count) => count,
        };
        self.ready.writable = sent == bytes.len();
        sent
    }

    /// Whether the peer's FIN was read.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.finished
    }

    /// With what the connection broke. One that cannot be read from now is asked.
    pub fn broke(&mut self) -> Option<Errno> {
        if self.broken.is_none() && self.ready.broken && self.connected && !self.can_read() {
            self.broken = self.socket.as_ref().and_then(socket::error);
            self.ready.broken = false;
        }
        self.broken.filter(|_| self.socket.is_some() && self.connected)
    }

    /// Whether the connection is being made, or is there.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.socket.is_some()
    }

    /// Nothing more is read from it; with nothing more to write either it is closed.
    pub fn shut_read(&mut self) {
        if self.read_shut {
            return;
        }
        self.read_shut = true;
        self.read_by = Moment::NEVER;
        if self.write_shut {
            self.close();
        }
    }

    /// Nothing more is written to it: FIN. It is closed when nothing is read from it any more either, or `at_once`, which does
    /// without the FIN.
    pub fn shut_write(&mut self, at_once: bool, now: Moment) {
        if self.write_shut {
            return;
        }
        self.write_shut = true;
        self.write_by = Moment::NEVER;
        if self.fin.is_set() {
            self.follow(Timer::Fin, self.fin, now);
        }
        if self.connected && !at_once && !self.at_once {
            // Behind the peer's FIN, closing alone is the end, and may be a RST (`conn_sock_shutw`).
            if let Some(socket) = self.socket.as_ref().filter(|_| !self.finished) {
                socket::finish(socket);
            }
            if !self.read_shut {
                return;
            }
        }
        self.close();
    }

    /// Ends it in both directions.
    pub fn close(&mut self) {
        (self.read_shut, self.write_shut) = (true, true);
        (self.read_by, self.write_by) = (Moment::NEVER, Moment::NEVER);
        if let Some(socket) = self.socket.take()
            && self.resets
            && !self.finished
        {
            socket::reset_on_close(socket.as_fd());
        }
    }

    /// Bytes came from the peer.
    pub fn was_read(&mut self, now: Moment) {
        if self.read_by.is_set() {
            self.read_by = now.after(self.limit);
        }
    }

    /// Bytes went to the peer, which shows that it lives: the wait for its own bytes begins anew (manual, 4.2 `timeout client`).
    pub fn was_written(&mut self, now: Moment) {
        self.was_read(now);
        if self.write_by.is_set() {
            self.write_by = now.after(self.limit);
        }
    }

    /// What was read from it cannot go on: nothing is read meanwhile, so nobody waits for it.
    pub fn holds_back(&mut self) {
        self.read_by = Moment::NEVER;
    }

    /// What was read from it has gone on: the proxy waits for its bytes again.
    pub fn goes_on(&mut self, now: Moment) {
        if self.connected && !self.read_shut && !self.read_by.is_set() {
            self.read_by = now.after(self.limit);
        }
    }

    /// Bytes wait to be written to it.
    pub fn is_waited_for(&mut self, now: Moment) {
        if !self.write_by.is_set() && self.connected {
            self.write_by = now.after(self.limit);
            self.was_read(now);
        }
    }

    /// Nothing waits to be written to it any more.
    pub fn has_taken_all(&mut self) {
        self.write_by = Moment::NEVER;
    }
}
