//! From an accepted client to a session, and from a session's end to its line in the log.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::SystemTime;

use rustix::io::Errno;

use super::{Owner, Worker};
use crate::config::Severity;
use crate::relay::frontend::Listener;
use crate::relay::listening;
use crate::relay::log::tcplog;
use crate::relay::poll::{Key, Token};
use crate::relay::session::{Leg, Session, Side, Stage, Story};
use crate::relay::socket;

/// How many clients are taken before others have their turn.
const TURN: usize = 64;

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

    /// Out of descriptors or memory: clients wait in the backlog until a session has ended.
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

    /// A session has ended: who waited for that is asked again.
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

    fn open(&mut self, listener: usize, socket: OwnedFd, client: SocketAddr) {
        let at = &mut self.parts.listeners[listener];
        let place = at.frontend;
        let frontend = &mut self.parts.frontends[place];
        let backend = &mut self.parts.backends[frontend.backend];
        // A client that has gone already has no options any more; reading will tell.
        let _ = socket::accepted(&socket, &frontend.keepalive);
        if let Some(less) = at.smaller_segments {
            let _ = listening::reduce_segments(&socket, less);
        }
        at.sessions += 1;
        self.accepted += 1;
        let story = Story {
            number: self.accepted,
            client,
            accepted: (self.now, SystemTime::now()),
            listener,
            frontend: place,
            backend: frontend.backend,
            server: None,
            holds_place: false,
            counted: false,
            assigned: None,
            connected: None,
            retries: 0,
            redispatched: false,
            failure: None,
            queued: (0, 0),
        };
        (frontend.sessions, backend.sessions) = (frontend.sessions + 1, backend.sessions + 1);
        for (counters, sessions) in
            [(&mut frontend.counters, frontend.sessions), (&mut backend.counters, backend.sessions)]
        {
            counters.total += 1;
            counters.there_are(sessions);
        }
        let server = Leg::absent(backend.limits).closed_at_once(backend.nolinger);
        let session = Session::new(story, Leg::accepted(socket, frontend.limits, self.now), server);
        let key = self.sessions.insert(session);
        let entered = self.sessions.get(key).and_then(|session| session.leg(Side::Client).socket());
        let entered = entered.map(|socket| self.poll.connection(socket, Token::Client(key)));
        if !matches!(entered, Some(Ok(()))) {
            // Nothing would ever be heard of it.
            self.end(key);
            return;
        }
        self.advance(key);
    }

    /// Does for a session all that can be done now.
    pub(super) fn advance(&mut self, key: Key) {
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
    fn end(&mut self, key: Key) {
        self.leave_server(key);
        let Some(session) = self.sessions.get(key) else { return };
        let (frontend, backend) = (session.story.frontend, session.story.backend);
        let (up, down) = (session.flow(Side::Client).total, session.flow(Side::Server).total);
        self.parts.frontends[frontend].counters.passed(up, down);
        self.parts.backends[backend].counters.passed(up, down);
        if let Some(place) = session.story.server {
            self.parts.backends[backend].servers[place].counters.passed(up, down);
        }
        // There is none any more while the process stops.
        if let Some(listener) = self.parts.listeners.get_mut(session.story.listener) {
            listener.sessions = listener.sessions.saturating_sub(1);
        }
        self.parts.backends[backend].sessions -= 1;
        self.log_session(session);
        self.timers.forget(Owner::Session(key), session.woken);
        self.sessions.remove(key);
        if self.sessions.is_empty() {
            self.sessions.rest();
            self.buffers.rest();
        }
        self.parts.frontends[frontend].sessions -= 1;
        self.resume();
    }

    fn log_session(&self, session: &Session) {
        let story = &session.story;
        let (frontend, backend) = (&self.parts.frontends[story.frontend], &self.parts.backends[story.backend]);
        let normal = session.termination().cause == crate::log::Cause::Normal;
        let silent = session.flow(Side::Client).total == 0;
        let logging = &frontend.logging;
        if !frontend.tcplog
            || frontend.logs.targets.is_empty()
            || logging.dontlognull && silent
            || logging.dontlog_normal && normal
        {
            return;
        }
        let server = story.server.map(|place| &backend.servers[place]);
        let count = |sessions: usize| u32::try_from(sessions).unwrap_or(u32::MAX);
        let around = tcplog::Around {
            frontend: &frontend.name,
            backend: &backend.name,
            server: server.map(|server| server.name.as_str()),
            connections: [
                count(self.sessions.len()),
                frontend.sessions,
                backend.sessions,
                server.map_or(0, |server| server.current),
            ],
        };
        let severity = if logging.separate_errors && !normal { Severity::Error } else { Severity::Info };
        self.log(&frontend.logs, severity, &tcplog::line(session, &around, self.now));
    }
}
