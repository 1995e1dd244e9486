//! From an accepted client to a session, and from a session's end to its line in the log.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, SystemTime};

use rustix::io::Errno;

use super::introduce::admit;
use super::{Owner, Worker};
use crate::config::Severity;
use crate::relay::frontend::Listener;
use crate::relay::listening;
use crate::relay::moment::Moment;
use crate::relay::poll::{Key, Token};
use crate::relay::session::{Leg, Limits, Session, Side, Stage, Story};
use crate::relay::socket;

/// How many clients are taken before others have their turn.
const TURN: usize = 64;
/// When a client that could not be taken is tried again, even if no session has ended (`listener_accept`, src/listener.c).
const NEXT_TRY: Duration = Duration::from_secs(1);

impl Worker {
    /// Takes the clients that wait at a listener, as many as the limits allow.
    pub(super) fn accept(&mut self, place: usize) {
        for _ in 0..TURN {
            let Some(listener) = self.parts.listeners.get(place).filter(|listener| !listener.paused) else { return };
            if self.is_full(listener) {
                return self.pause(place);
            }
            match socket::accept(&listener.socket) {
                Ok(Some((socket, client))) => self.open(place, socket, client),
                Ok(None) => return,
                Err(errno) => return self.cannot_accept(place, errno),
            }
        }
    }

    /// Out of descriptors or memory: clients wait in the backlog until a session has ended, or a moment has passed.
    fn cannot_accept(&mut self, place: usize, errno: Errno) {
        let frontend = &self.parts.frontends[self.parts.listeners[place].frontend];
        let text = format!(
            "Proxy {}: no client can be accepted: {}; {} sessions are open. Raise the limit on open files, or lower maxconn.",
            frontend.name,
            std::io::Error::from(errno),
            self.sessions.len()
        );
        self.log(&frontend.logs, Severity::Emergency, &text);
        self.pause(place);
        let due = self.now.plus(NEXT_TRY);
        self.timers.wake(Owner::Listeners, due, &mut { Moment::NEVER });
    }

    fn is_full(&self, listener: &Listener) -> bool {
        let frontend = &self.parts.frontends[listener.frontend];
        listener.is_full()
            || frontend.sessions >= frontend.maxconn
            || self.sessions.len() >= self.parts.maxconn as usize
    }

    fn pause(&mut self, place: usize) {
        let listener = &mut self.parts.listeners[place];
        // One that cannot be forgotten is asked in vain, and says so again.
        listener.paused = self.poll.forget(&listener.socket).is_ok();
    }

    /// A session has ended, or a moment has passed: whoever waits is asked again.
    pub(super) fn resume(&mut self) {
        for place in 0..self.parts.listeners.len() {
            let listener = &self.parts.listeners[place];
            if listener.paused && !self.is_full(listener) {
                let token = Token::Listener(u32::try_from(place).unwrap_or(u32::MAX));
                let entered = self.poll.source(&listener.socket, token).is_ok();
                self.parts.listeners[place].paused = !entered;
            }
        }
    }

    /// A client has connected: rules decide whether it is taken, and whether its session begins at once.
    fn open(&mut self, place: usize, socket: OwnedFd, client: SocketAddr) {
        let listener = &mut self.parts.listeners[place];
        let frontend = &mut self.parts.frontends[listener.frontend];
        self.accepted += 1;
        frontend.counters.total += 1;
        let came_to = frontend.asks_for_destination().then(|| socket::local(&socket)).flatten();
        let decision = admit(&frontend.rules, client, came_to);
        if decision.rejected {
            socket::reset_on_close(&socket);
            return;
        }
        // A client that has gone already has no options any more; reading will tell.
        let _ = socket::keep_alive(&socket, &frontend.keepalive);
        if let Some(less) = listener.smaller_segments {
            let _ = listening::reduce_segments(&socket, less);
        }
        listener.sessions += 1;
        frontend.sessions += 1;
        frontend.counters.there_are(frontend.sessions);
        let story = Story {
            number: self.accepted,
            turn: 0,
            client,
            came_to,
            entrance: listener.name.clone(),
            accepted: (self.now, SystemTime::now()),
            listener: place,
            began: self.now,
            frontend: listener.frontend,
            backend: frontend.backends.default,
            upstream: None,
            server: None,
            holds_place: false,
            counted: false,
            assigned: None,
            connected: None,
            retries: 0,
            redispatched: false,
            failure: None,
            queued: (0, 0),
            logged: false,
        };
        let leg = Leg::accepted(socket, frontend.limits, self.now);
        let mut session = Session::new(story, leg, Leg::absent(Limits::default()));
        let speaks_for_others = listener.accepts_proxy || decision.expects_proxy;
        if speaks_for_others {
            session.stage = Stage::Introducing(self.now.after(frontend.limits.ordinary));
        }
        let key = self.sessions.insert(session);
        let entered = self.sessions.get(key).and_then(|session| session.leg(Side::Client).socket());
        let entered = entered.map(|socket| self.poll.connection(socket, Token::Client(key)));
        if !matches!(entered, Some(Ok(()))) {
            // Nothing would ever be heard of it.
            self.forget(key);
        } else if speaks_for_others || self.begin(key) {
            self.advance(key);
        }
    }

    /// Does for a session all that can be done now.
    pub(super) fn advance(&mut self, key: Key) {
        if !self.introduce(key) {
            return;
        }
        let now = self.now;
        let Some(session) = self.sessions.get_mut(key) else { return };
        session.expire(now);
        let mut more = false;
        loop {
            // Of what is due at one moment, the server's side goes on before an end is passed on to it.
            while self.connect(key) {}
            let Some(session) = self.sessions.get_mut(key) else { return };
            more |= session.settle(&mut self.buffers, now);
            if !self.connect(key) {
                break;
            }
        }
        if more {
            self.ready.push_back(key);
        }
        let Some(session) = self.sessions.get_mut(key) else { return };
        if session.is_over() {
            self.end(key);
        } else {
            if session.stage == Stage::Over && session.story.holds_place {
                self.leave_server(key);
            }
            let Some(session) = self.sessions.get_mut(key) else { return };
            self.timers.wake(Owner::Session(key), session.due(), &mut session.woken);
        }
    }

    /// A session is over: it is logged and forgotten, and others get its places.
    pub(super) fn end(&mut self, key: Key) {
        self.leave_server(key);
        let Some(session) = self.sessions.get(key) else { return };
        let (frontend, backend) = (session.story.frontend, session.story.backend);
        let (up, down) = (session.flow(Side::Client).total, session.flow(Side::Server).total);
        self.parts.frontends[frontend].counters.passed(up, down);
        self.parts.backends[backend].counters.passed(up, down);
        if let Some(place) = session.story.server {
            self.parts.backends[backend].servers[place].counters.passed(up, down);
        }
        self.leave_listener(session.story.listener);
        self.parts.backends[backend].sessions -= 1;
        self.log_session(key, false);
        if let Some(session) = self.sessions.remove(key) {
            self.timers.forget(Owner::Session(key), session.woken);
        }
        if self.sessions.is_empty() {
            self.sessions.rest();
            self.buffers.rest();
        }
        self.parts.frontends[frontend].sessions -= 1;
        self.resume();
    }

    /// A client is no longer one of those that came in by a socket.
    pub(super) fn leave_listener(&mut self, place: usize) {
        // There is none any more while the process stops.
        if let Some(listener) = self.parts.listeners.get_mut(place) {
            listener.sessions = listener.sessions.saturating_sub(1);
        }
    }
}
