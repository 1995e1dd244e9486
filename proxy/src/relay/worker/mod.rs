//! The loop: waits, and gives everybody what happened to them.
//!
//! ```text
//! mod.rs      the loop
//! clients.rs  from an accepted client to a session, and its end
//! introduce.rs  what a client says before its session, and whether it has one
//! connect.rs  a session's way to a server
//! health.rs   servers that go down and come up
//! observe.rs  what sessions tell of a server's health
//! warm_up.rs  servers that take their load step by step
//! orders.rs   what operators order
//! log.rs      what is logged of a session, and when
//! stop.rs     signals, and the end of the process
//! ```
//!
//! One thread does everything, so nothing is locked; what cannot go on now is left until the kernel says that it can.

mod clients;
mod connect;
mod health;
mod introduce;
mod log;
mod observe;
mod orders;
mod stop;
mod warm_up;

use std::collections::VecDeque;
use std::fmt;
use std::time::SystemTime;

pub use stop::Stop;

use super::backend::Backend;
use super::buffers::Buffers;
use super::check::Check;
use super::frontend::{Frontend, Listener, Logs};
use super::moment::Moment;
use super::operator::{self, Answer, Operators};
use super::poll::{Key, Poll, Ready, Token};
use super::session::Side;
use super::sessions::Sessions;
use super::timers::Timers;

/// Who is woken by a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Session(Key),
    Check(u32),
    Operator(Key),
    /// A server, by its backend's place and its own.
    Server(u32, u32),
    Listeners,
    Stop,
}

/// What the loop works on, as the configuration says.
#[derive(Debug)]
pub struct Parts {
    /// The frontends.
    pub frontends: Vec<Frontend>,
    /// Their sockets.
    pub listeners: Vec<Listener>,
    /// The backends.
    pub backends: Vec<Backend>,
    /// The checks of their servers.
    pub checks: Vec<Check>,
    /// By how many percent their intervals differ by chance.
    pub spread_checks: u32,
    /// The stats sockets.
    pub operators: Operators,
    /// Where lines go that are no proxy's.
    pub logs: Logs,
    /// The most sessions that the process has at once.
    pub maxconn: u32,
    /// The most pipes that it has at once.
    pub pipes: u64,
    /// The most that it can have at once, by its descriptors.
    pub fits: u32,
    /// The host's name, for log lines.
    pub host: String,
    /// How it is stopped.
    pub stop: Stop,
}

/// The loop and all that it works on.
pub struct Worker {
    poll: Poll,
    now: Moment,
    buffers: Buffers,
    timers: Timers<Owner>,
    sessions: Sessions,
    /// Sessions so far.
    accepted: u64,
    /// Sessions that began so far.
    begun: u64,
    /// When it began to work, by its clock and by the wall's.
    started: (Moment, SystemTime),
    /// Sessions that can go on at once.
    ready: VecDeque<Key>,
    parts: Parts,
    pid: u32,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sessions", self.sessions.len())
    }
}

impl Worker {
    /// A loop that has not begun.
    ///
    /// # Errors
    /// When the kernel has no more room for what it waits for.
    pub fn new(parts: Parts) -> std::io::Result<Worker> {
        let mut worker = Worker {
            poll: Poll::new()?,
            now: Moment::now(),
            buffers: Buffers::new(parts.pipes),
            timers: Timers::default(),
            sessions: Sessions::default(),
            accepted: 0,
            begun: 0,
            started: (Moment::now(), SystemTime::now()),
            ready: VecDeque::new(),
            parts,
            pid: std::process::id(),
        };
        for (place, listener) in (0..).zip(&worker.parts.listeners) {
            worker.poll.source(&listener.socket, Token::Listener(place))?;
        }
        for (place, socket) in (0..).zip(worker.parts.operators.sockets()) {
            worker.poll.source(socket, Token::Stats(place))?;
        }
        worker.poll.source(worker.parts.stop.signals(), Token::Signal)?;
        for (place, check) in (0..).zip(&mut worker.parts.checks) {
            worker.timers.wake(Owner::Check(place), check.due, &mut check.woken);
        }
        Ok(worker)
    }

    /// Works until it is stopped.
    ///
    /// # Errors
    /// When waiting fails.
    pub fn run(&mut self) -> std::io::Result<()> {
        let mut happened = Vec::new();
        while !self.is_done() {
            // Those that become ready now have their turn behind the next events.
            let ready = self.ready.len();
            let until = (ready == 0).then(|| self.timers.next());
            self.poll.wait(until, &mut happened)?;
            self.now = Moment::now();
            for (token, told) in happened.drain(..) {
                self.happened(token, told);
            }
            for _ in 0..ready {
                if let Some(key) = self.ready.pop_front() {
                    self.advance(key);
                }
            }
            while let Some(owner) = self.timers.due(self.now) {
                self.wake(owner);
            }
        }
        Ok(())
    }

    fn happened(&mut self, token: Token, ready: Ready) {
        match token {
            Token::Listener(place) => self.accept(place as usize),
            Token::Client(key) => self.told(key, Side::Client, ready),
            Token::Server(key) => self.told(key, Side::Server, ready),
            Token::Check(place) => self.look_at_check(place, ready),
            Token::Stats(place) => self.greet_operator(place as usize),
            Token::Operator(key) => self.serve_operator(key),
            Token::Signal => self.signalled(),
            // What is due now is woken in any case.
            Token::Clock => {}
        }
    }

    fn told(&mut self, key: Key, side: Side, ready: Ready) {
        // An event may be of a connection that ended in the same batch.
        if let Some(session) = self.sessions.get_mut(key) {
            session.leg_mut(side).told(ready);
            self.advance(key);
        }
    }

    /// A timer's entry came up; its owner may have moved its time further away meanwhile.
    fn wake(&mut self, owner: Owner) {
        match owner {
            Owner::Session(key) => {
                let Some(session) = self.sessions.get_mut(key) else { return };
                session.woken = Moment::NEVER;
                if session.due() <= self.now {
                    self.advance(key);
                } else {
                    self.timers.wake(owner, session.due(), &mut session.woken);
                }
            }
            Owner::Check(place) => {
                let Some(check) = self.parts.checks.get_mut(place as usize) else { return };
                check.woken = Moment::NEVER;
                self.run_check(place);
            }
            Owner::Operator(key) => self.watch_operator(key),
            Owner::Server(backend, place) => self.warm_up(backend, place),
            Owner::Listeners => self.resume(),
            Owner::Stop => self.hard_stop(),
        }
    }

    fn greet_operator(&mut self, place: usize) {
        while let Some(key) = self.parts.operators.accept(place, self.now) {
            let entered =
                self.parts.operators.stream(key).map(|stream| self.poll.connection(stream, Token::Operator(key)));
            if matches!(entered, Some(Ok(()))) {
                self.watch_operator(key);
            } else {
                self.parts.operators.dismiss(key);
            }
        }
    }

    /// An operator who has been silent for too long is dismissed.
    fn watch_operator(&mut self, key: Key) {
        match self.parts.operators.until(key) {
            Some(until) if until <= self.now => self.parts.operators.dismiss(key),
            Some(until) => self.timers.wake(Owner::Operator(key), until, &mut { Moment::NEVER }),
            None => {}
        }
    }

    fn serve_operator(&mut self, key: Key) {
        self.parts.operators.hear(key, self.now);
        while let Some((command, level)) = self.parts.operators.next_command(key) {
            let answer = operator::answer(&command, level, &self.view());
            if let Answer::Order(order) = answer {
                self.carry_out(order);
            }
            self.parts.operators.reply(key, answer, &self.parts.listeners);
        }
        self.parts.operators.go_on(key);
    }

    fn view(&self) -> operator::View<'_> {
        operator::View {
            sessions: &self.sessions,
            frontends: &self.parts.frontends,
            listeners: &self.parts.listeners,
            backends: &self.parts.backends,
            checks: &self.parts.checks,
            process: operator::Process {
                pid: self.pid,
                started: self.started,
                accepted: self.accepted,
                begun: self.begun,
                maxconn: self.parts.maxconn,
                most: self.parts.fits,
                node: &self.parts.host,
                stopping: self.parts.stop.is_stopping(),
            },
            now: self.now,
        }
    }
}
