//! One session: two connections, bytes in both directions, and how it ends.
//!
//! ```text
//! mod.rs       the session as a state machine: what happened → what follows
//! leg.rs       one of its connections
//! transfer.rs  bytes from one to the other
//! cause.rs     why it ends
//! ```
//!
//! Its rules are those of HAProxy's manual, and where the manual is silent, of its `src/stream.c`. An end is passed on half by
//! half: whatever stops one leg from being read (a FIN, a timer, an error) lets the bytes that wait go on, and then shuts the
//! *other* leg for writing; a leg that is shut for writing stops the other from being read. So the first FIN goes to the leg
//! whose timer did *not* fire.

mod cause;
mod leg;
mod transfer;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use rustix::io::Errno;

pub use cause::{Cause, Side, Timer};
pub use leg::{Leg, Limits};
pub use transfer::Flow;

use super::buffers::Buffers;
use super::log::session::Times;
use super::moment::{Limit, Moment};
use crate::log::{Phase, Termination};

/// How far the server's side is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its client has yet to say whom it speaks for, until then.
    Introducing(Moment),
    /// It needs a server.
    Asking,
    /// It waits for a place at a server, until then.
    Queued(Moment),
    /// It has a server and is to connect now.
    Assigned,
    /// It waits before it connects again (HAProxy's turn-around), until then.
    Pausing(Moment),
    /// The handshake is under way, until then.
    Connecting(Moment),
    /// Both connections stand.
    Established,
    /// The server's side is over, or never came to be.
    Over,
}

impl Stage {
    /// The phase that a termination state names.
    fn phase(self) -> Phase {
        match self {
            Stage::Queued(_) => Phase::Queue,
            Stage::Introducing(_) => Phase::Request,
            Stage::Asking | Stage::Assigned | Stage::Pausing(_) | Stage::Connecting(_) => Phase::Connect,
            Stage::Established | Stage::Over => Phase::Data,
        }
    }

    #[must_use]
    pub fn until(self) -> Moment {
        match self {
            Stage::Introducing(until) | Stage::Queued(until) | Stage::Pausing(until) | Stage::Connecting(until) => {
                until
            }
            _ => Moment::NEVER,
        }
    }
}

/// What the log and the operator see of a session beside its connections.
#[derive(Debug)]
pub struct Story {
    /// Its number, counted from the proxy's start.
    pub number: u64,
    /// Its number among the sessions that began, from 0 on.
    pub turn: u64,
    /// The client's address.
    pub client: SocketAddr,
    /// The address that the client came to, where it is asked for.
    pub came_to: Option<SocketAddr>,
    /// What the socket is called that it came to.
    pub entrance: Arc<str>,
    /// When it was accepted, by the proxy's clock and by the wall's.
    pub accepted: (Moment, SystemTime),
    /// The socket that it came in by, by its place.
    pub listener: usize,
    /// When it began: the client has said whom it speaks for, or was not asked.
    pub began: Moment,
    /// Both ends of the last connection to a server, the proxy's and the server's, where they are told.
    pub upstream: Option<(SocketAddr, SocketAddr)>,
    /// The frontend, by its place.
    pub frontend: usize,
    /// The backend, by its place.
    pub backend: usize,
    /// The server that it was last sent to, by its place in the backend.
    pub server: Option<usize>,
    /// Whether it holds a place at that server.
    pub holds_place: bool,
    /// Whether a connection to that server is made or stands.
    pub counted: bool,
    /// When it had a server.
    pub assigned: Option<Moment>,
    /// When the connection to the server stood.
    pub connected: Option<Moment>,
    /// How often a connection failed.
    pub retries: u32,
    /// Whether it was sent to another server than the first.
    pub redispatched: bool,
    /// Why connecting failed first; it is that which the log tells.
    pub failure: Option<Cause>,
    /// Its positions in queues, added up: of servers, and of the backend.
    pub queued: (u32, u32),
    /// Whether its line is written.
    pub logged: bool,
}

impl Story {
    /// How long it took, if it ends at this moment. HAProxy counts whole milliseconds from the beginning, and takes differences of these.
    #[must_use]
    pub fn times(&self, end: Moment) -> Times {
        let ms = |at: Moment| u64::try_from(at.since(self.accepted.0).as_millis()).unwrap_or(u64::MAX);
        let [began, end] = [self.began, end].map(ms);
        let (assigned, connected) = (self.assigned.map(ms), self.connected.map(ms));
        Times {
            handshake: Some(began),
            queue: assigned.map(|assigned| assigned.saturating_sub(began)),
            connect: connected.zip(assigned).map(|(connected, assigned)| connected.saturating_sub(assigned)),
            data: connected.map(|connected| end.saturating_sub(connected)),
            total: end,
        }
    }
}

/// A session.
#[derive(Debug)]
pub struct Session {
    /// What is told of it.
    pub story: Story,
    /// How far the server's side is.
    pub stage: Stage,
    client: Leg,
    server: Leg,
    /// From client to server.
    up: Flow,
    /// From server to client.
    down: Flow,
    /// The event that began its end.
    cause: Option<Cause>,
    termination: Option<Termination>,
    /// When its timer's entry wakes it.
    pub woken: Moment,
}

impl Session {
    /// A session whose client was just accepted.
    #[must_use]
    pub fn new(story: Story, client: Leg, server: Leg) -> Session {
        Session {
            story,
            stage: Stage::Asking,
            client,
            server,
            up: Flow::default(),
            down: Flow::default(),
            cause: None,
            termination: None,
            woken: Moment::NEVER,
        }
    }

    /// One of its connections.
    #[must_use]
    pub fn leg(&self, side: Side) -> &Leg {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    /// One of its connections.
    pub fn leg_mut(&mut self, side: Side) -> &mut Leg {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// The bytes that come from a side.
    #[must_use]
    pub fn flow(&self, from: Side) -> &Flow {
        match from {
            Side::Client => &self.up,
            Side::Server => &self.down,
        }
    }

    /// What its end is called in the log, as far as is known.
    #[must_use]
    pub fn termination(&self) -> Termination {
        self.termination.unwrap_or(Termination { cause: crate::log::Cause::Normal, phase: Phase::Normal })
    }

    /// The event that began its end.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.cause
    }

    /// Both connections are closed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !self.client.is_open() && !self.server.is_open() && self.stage == Stage::Over
    }

    /// When something of it is due next.
    #[must_use]
    pub fn due(&self) -> Moment {
        let legs = [self.client.read_by, self.client.write_by, self.server.read_by, self.server.write_by];
        legs.into_iter().fold(self.stage.until(), Moment::min)
    }

    /// Notes why it ends. The first event is the cause; the first that is not an end in order gives the letters of the log.
    pub fn note(&mut self, cause: Cause) {
        self.cause.get_or_insert(cause);
        if self.termination.is_none() {
            self.termination = cause.termination(self.stage.phase());
        }
    }

    /// Lets the timers fire that are due (`process_stream`, part 1a): a leg whose peer was silent for too long is read no more,
    /// one whose peer took nothing is closed.
    pub fn expire(&mut self, now: Moment) {
        if self.client.read_by <= now {
            self.note(Cause::Timeout(Side::Client, self.client.timer()));
            self.client.shut_read();
        }
        if self.server.write_by <= now {
            self.note(Cause::Timeout(Side::Server, self.server.timer()));
            self.server.shut_write(true, now);
        }
        if self.server.read_by <= now {
            self.note(Cause::Timeout(Side::Server, self.server.timer()));
            self.server.shut_read();
        }
        if self.client.write_by <= now {
            self.note(Cause::Timeout(Side::Client, self.client.timer()));
            self.client.shut_write(true, now);
        }
    }

    /// Moves bytes, takes in what broke, and passes ends on, until nothing more follows. Says whether there is more to move
    /// than may be moved at once.
    pub fn settle(&mut self, buffers: &mut Buffers, now: Moment) -> bool {
        let mut more = false;
        for from in [Side::Client, Side::Server] {
            more |= self.transfer(from, buffers, now);
        }
        self.break_off();
        while self.pass_on(Side::Client, now) | self.pass_on(Side::Server, now) {
            // A leg that is closed may have had bytes to take.
        }
        for (flow, to) in [(&mut self.up, &self.server), (&mut self.down, &self.client)] {
            if to.write_shut {
                flow.drop_all(buffers);
            }
        }
        if self.stage == Stage::Established && !self.server.is_open() {
            self.stage = Stage::Over;
        }
        more
    }

    /// A connection that broke is over in both directions (`process_stream`, part 1b).
    fn break_off(&mut self) {
        if let Some(errno) = self.client.broke() {
            self.note(Cause::Broken(Side::Client, errno));
            // Bytes that wait go on first, and then it is an end like any other.
            self.up.broken = self.up.is_empty();
            self.client.close();
        }
        if let Some(errno) = self.server.broke() {
            self.note(Cause::Broken(Side::Server, errno));
            self.server.close();
        }
    }

    /// Passes the end of one direction on; says whether it changed anything.
    fn pass_on(&mut self, from: Side, now: Moment) -> bool {
        let connecting = matches!(self.stage, Stage::Connecting(_));
        let (flow, source, sink) = match from {
            Side::Client => (&mut self.up, &mut self.client, &mut self.server),
            Side::Server => (&mut self.down, &mut self.server, &mut self.client),
        };
        let before = (flow.closing, source.read_shut, sink.write_shut);
        if source.read_shut && !sink.write_shut && !(connecting && from == Side::Client) {
            flow.closing = true;
        }
        if flow.closing
            && !sink.write_shut
            && flow.is_empty()
            && sink.is_open()
            && !(connecting && from == Side::Client)
        {
            // A client that broke off is passed on as that: the server's connection is aborted.
            sink.shut_write(flow.broken, now);
        }
        if sink.write_shut && !source.read_shut {
            source.shut_read();
        }
        before != (flow.closing, source.read_shut, sink.write_shut)
    }

    /// The client has gone while the server's side was not there yet, and has left no bytes: there is nothing to connect for
    /// (`back_may_abort_req`).
    #[must_use]
    pub fn is_pointless(&self) -> bool {
        !self.client.is_open() || self.up.closing && self.up.is_empty()
    }

    /// Takes the socket of an attempt to connect, until then.
    pub fn attempt(&mut self, socket: std::os::fd::OwnedFd, until: Moment) {
        self.server.attempt(socket);
        self.stage = Stage::Connecting(until);
    }

    /// The server's connection stands. With `timeout tunnel` it is that timer which counts from now on, on both legs.
    pub fn establish(&mut self, tunnel: Limit, now: Moment) {
        self.stage = Stage::Established;
        self.story.connected = Some(now);
        self.story.failure = None;
        self.server.establish(now);
        if tunnel.is_set() {
            self.client.follow(Timer::Tunnel, tunnel, now);
            self.server.follow(Timer::Tunnel, tunnel, now);
        }
    }

    /// An attempt to connect failed: nothing of it is left.
    pub fn unconnect(&mut self) {
        self.server.abandon();
    }

    /// There will be no server's side: what the client sends goes nowhere, and it gets FIN.
    pub fn give_up(&mut self, cause: Cause) {
        self.note(cause);
        self.server.abandon();
        self.server.close();
        self.stage = Stage::Over;
    }

    /// Its client has broken off before anything began.
    pub fn end_at_once(&mut self, errno: Errno) {
        self.termination = Some(Termination { cause: crate::log::Cause::ClientAbort, phase: Phase::Request });
        self.give_up(Cause::Broken(Side::Client, errno));
        self.client.close();
    }

    /// Ends it for a reason that is neither leg's: the server gets what waits for it and no more (`stream_shutdown`).
    pub fn kill(&mut self, cause: Cause) {
        self.note(cause);
        self.up.closing = true;
        self.server.shut_read();
    }
}
