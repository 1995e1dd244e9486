//! Before a client's session: it says for whom it speaks, and rules are followed (`session_accept_fd`, src/session.c).

use std::net::SocketAddr;

use super::{Owner, Worker};
use crate::config::{Ends, Severity, decide};
use crate::log::{Cause as Letter, Phase, Termination};
use crate::relay::log::{session, wall};
use crate::relay::poll::Key;
use crate::relay::proxy_protocol::{self, Header, Problem};
use crate::relay::session::{Leg, Side, Stage, Story};
use crate::relay::socket;

impl Worker {
    /// Looks whether a client has said for whom it speaks; says whether its session has begun.
    pub(super) fn introduce(&mut self, key: Key) -> bool {
        let now = self.now;
        let Some(session) = self.sessions.get(key) else { return false };
        let Stage::Introducing(until) = session.stage else { return true };
        let heard = session.leg(Side::Client).socket().filter(|_| session.leg(Side::Client).can_read());
        let first = heard.map(|socket| hear(socket, self.buffers.blocks.reading()));
        match first {
            Some(Some(Ok(header))) => self.introduced(key, header),
            Some(Some(Err(problem))) => self.refuse(key, problem),
            _ if until <= now => self.refuse(key, Problem::Late),
            _ => {
                let Some(session) = self.sessions.get_mut(key) else { return false };
                self.timers.wake(Owner::Session(key), session.due(), &mut session.woken);
            }
        }
        false
    }

    fn introduced(&mut self, key: Key, header: Header) {
        let now = self.now;
        let Some(session) = self.sessions.get_mut(key) else { return };
        session.story.believe(header);
        session.leg_mut(Side::Client).was_read(now);
        let broke = session.leg(Side::Client).socket().and_then(socket::error);
        if !self.begin(key) {
            return;
        }
        if let (Some(errno), Some(session)) = (broke, self.sessions.get_mut(key)) {
            // A check of the proxy in front is over with its header.
            session.end_at_once(errno);
            self.end(key);
        } else {
            // What follows the header is read when others have had their turn, as it is from a client that was just accepted.
            while self.connect(key) {}
            self.ready.push_back(key);
        }
    }

    /// The client may have a session: rules decide whether it has, and which backend's. Says whether it has.
    pub(super) fn begin(&mut self, key: Key) -> bool {
        let Some(session) = self.sessions.get_mut(key) else { return false };
        let (story, greeted) = (&session.story, matches!(session.stage, Stage::Introducing(_)));
        let frontend = &self.parts.frontends[story.frontend];
        let ends = story.ends();
        if decide(&frontend.rules.session, &frontend.rules.acls, ends).rejected {
            if greeted && !frontend.logging.dontlognull {
                self.log_unbegun(key, "Success", true);
            }
            self.forget(key);
            return false;
        }
        let place = frontend.backend(ends);
        let backend = &mut self.parts.backends[place];
        backend.sessions += 1;
        backend.counters.total += 1;
        backend.counters.there_are(backend.sessions);
        session.story.turn = self.begun;
        session.story.backend = place;
        session.story.began = self.now;
        session.stage = Stage::Asking;
        *session.leg_mut(Side::Server) = Leg::absent(backend.limits).closed_at_once(backend.nolinger);
        self.begun += 1;
        if let Some(session) = self.sessions.get(key) {
            self.log_start(session);
        }
        true
    }

    fn refuse(&mut self, key: Key, problem: Problem) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        if let Problem::InvalidBehind(header) = problem {
            session.story.believe(header);
        }
        let logging = &self.parts.frontends[session.story.frontend].logging;
        if !(logging.dontlognull && problem.sent_nothing()) {
            self.log_unbegun(key, &problem.to_string(), problem != Problem::Late);
        }
        self.forget(key);
    }

    /// Closes the connection of a client whose session has not begun. With bytes that nobody has read it gets RST.
    pub(super) fn forget(&mut self, key: Key) {
        let Some(session) = self.sessions.remove(key) else { return };
        let place = session.story.frontend;
        self.leave_listener(session.story.listener);
        drop(session);
        self.parts.frontends[place].sessions -= 1;
        self.resume();
    }

    /// A line about a client that has no session, and has `greeted` the proxy in whatever way: by `error-log-format`, or as HAProxy has
    /// it without (manual, 8.2.5).
    fn log_unbegun(&mut self, key: Key, why: &str, greeted: bool) {
        let Some(session) = self.sessions.get(key) else { return };
        let (story, place) = (&session.story, session.story.frontend);
        let frontend = &self.parts.frontends[place];
        if frontend.format.is_none() {
            return;
        }
        let severity = if frontend.logging.separate_errors { Severity::Error } else { Severity::Info };
        let text = match &frontend.error_format {
            Some(format) => {
                let termination = Termination { cause: Letter::ProxyDenied, phase: Phase::Request };
                let facts = self.facts(session, false);
                let total = facts.times.total;
                let handshake = greeted.then_some(total);
                let times = session::Times { handshake, total, ..session::Times::default() };
                let backend = &frontend.name;
                session::line(format, &session::Facts { termination, times, backend, turn: self.begun, ..facts })
            }
            None => {
                let (client, date) = (story.client, wall::accept_date(story.accepted.1));
                format!("{}:{} [{date}] {}/{}: {why}", client.ip(), client.port(), frontend.name, story.entrance)
            }
        };
        if frontend.error_format.is_some() {
            self.begun += 1;
        }
        let frontend = &self.parts.frontends[place];
        self.log(&frontend.logs, severity, &text);
        if frontend.error_format.is_some() {
            self.parts.frontends[place].lines += 1;
        }
    }
}

impl Story {
    /// It is the session of whom the header names.
    fn believe(&mut self, header: Header) {
        if let Header::For { source, destination } = header {
            (self.client, self.came_to) = (source, Some(destination));
        }
    }

    /// What rules ask about.
    fn ends(&self) -> Ends {
        Ends { source: self.client, destination: self.came_to }
    }
}

/// What came first from a client; `None`: nothing yet. A header is taken off, anything else stays where it is.
fn hear(socket: impl std::os::fd::AsFd, buffer: &mut [u8]) -> Option<Result<Header, Problem>> {
    let room = buffer.len().min(proxy_protocol::LONGEST);
    let buffer = &mut buffer[..room];
    let count = match socket::peek(&socket, buffer) {
        Ok(count) => count,
        Err(rustix::io::Errno::AGAIN) => return None,
        Err(_) => return Some(Err(Problem::Aborted)),
    };
    let (header, length) = match proxy_protocol::read(&buffer[..count]) {
        Ok(read) => read,
        Err(problem) => return Some(Err(problem)),
    };
    let taken = socket::receive(&socket, &mut buffer[..length]);
    Some(if taken == Ok(length) { Ok(header) } else { Err(Problem::Aborted) })
}

/// Whether rules let a client in that has just connected, and whether it is to say for whom it speaks.
pub(super) fn admit(
    rules: &crate::relay::frontend::Rules,
    client: SocketAddr,
    to: Option<SocketAddr>,
) -> crate::config::Decision {
    decide(&rules.connection, &rules.acls, Ends { source: client, destination: to })
}
