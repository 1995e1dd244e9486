//! A session's way to a server: choosing, queueing, connecting, retrying, another server (`src/backend.c`, `src/queue.c`).

use std::time::Duration;

use rustix::io::Errno;

use super::Worker;
use crate::config::Severity;
use crate::relay::backend::{Found, Served};
use crate::relay::counters::Counters;
use crate::relay::moment::Limit;
use crate::relay::outgoing::Error;
use crate::relay::poll::{Key, Token};
use crate::relay::proxy_protocol::{self, Header, Version};
use crate::relay::session::{Cause, Session, Side, Stage};
use crate::relay::socket;

/// How long a refused connection is not tried again at the same server, unless `timeout connect` is shorter
/// (`back_handle_st_cer`).
const TURN_AROUND: Duration = Duration::from_secs(1);

impl Worker {
    /// Takes the server's side of a session one stage further; says whether it did.
    pub(super) fn connect(&mut self, key: Key) -> bool {
        let now = self.now;
        let Some(session) = self.sessions.get(key) else { return false };
        let stage = session.stage;
        if matches!(stage, Stage::Established | Stage::Over) {
            return false;
        }
        if session.is_pointless() {
            self.abandon(key, Cause::ClientLeft);
            return true;
        }
        match stage {
            Stage::Asking => self.ask(key),
            Stage::Assigned => self.attempt(key),
            Stage::Queued(until) if until <= now => self.abandon(key, Cause::QueueTimeout),
            Stage::Pausing(until) if until <= now => self.resume_connecting(key),
            Stage::Connecting(until) => match session.leg(Side::Server).attempted() {
                Some(Ok(())) => self.establish(key),
                Some(Err(errno)) => self.failed(key, Cause::ConnectFailed(errno), true),
                None if until <= now => self.failed(key, Cause::ConnectTimeout, false),
                None => return false,
            },
            _ => return false,
        }
        true
    }

    fn ask(&mut self, key: Key) {
        let now = self.now;
        let Some(session) = self.sessions.get_mut(key) else { return };
        let story = &mut session.story;
        let backend = &mut self.parts.backends[story.backend];
        match backend.find(key, story.client.ip(), story.server) {
            Found::Server(place) => {
                story.redispatched |= story.server.is_some_and(|before| before != place);
                (story.server, story.holds_place) = (Some(place), true);
                story.assigned = Some(now);
                session.stage = Stage::Assigned;
            }
            Found::Queued(server) => {
                story.redispatched |= server.is_some() && story.server.is_some_and(|before| server != Some(before));
                story.server = server.or(story.server);
                session.stage = Stage::Queued(now.after(backend.queue_limit));
            }
            Found::Full(place) => {
                story.server = Some(place);
                let cause = story.failure.unwrap_or(Cause::QueueFull);
                backend.counters.failed += 1;
                backend.servers[place].counters.failed += 1;
                session.give_up(cause);
            }
            Found::Nothing => {
                let cause = story.failure.unwrap_or(Cause::NoServer);
                session.give_up(cause);
            }
        }
    }

    fn attempt(&mut self, key: Key) {
        let now = self.now;
        let Some(session) = self.sessions.get_mut(key) else { return };
        let Some(place) = session.story.server else { return };
        let tells_upstream = self.parts.frontends[session.story.frontend].tells_upstream();
        let number = session.story.backend;
        let backend = &mut self.parts.backends[number];
        let server = &mut backend.servers[place];
        let connecting = socket::connecting(server.address, &backend.keepalive, &server.outgoing);
        let entered = connecting.and_then(|socket| {
            let entered = self.poll.connection(&socket, Token::Server(key));
            let errno = |e: std::io::Error| rustix::io::Errno::from_io_error(&e).unwrap_or(rustix::io::Errno::IO);
            entered.map(|()| socket).map_err(|e| Error::Connect(errno(e)))
        });
        match entered {
            Ok(socket) => {
                if tells_upstream {
                    session.story.upstream = socket::local(&socket).map(|near| (near, server.address));
                }
                session.attempt(socket, now.after(backend.connect));
                session.story.counted = true;
                server.current += 1;
                server.counters.total += 1;
                server.counters.there_are(server.current);
            }
            Err(error) => {
                if let Error::Source(_) = error {
                    let text = format!("Cannot bind to source address before connect() for backend {}.", backend.name);
                    self.log(&self.parts.backends[number].logs, Severity::Emergency, &text);
                }
                self.failed(key, Cause::ConnectFailed(error.errno()), false);
            }
        }
    }

    fn establish(&mut self, key: Key) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        let story = &session.story;
        let (number, place) = (story.backend, story.server);
        let backend = &self.parts.backends[number];
        let version = place.and_then(|place| backend.servers[place].send_proxy);
        if let Some(Err(errno)) = version.map(|version| name_client(session, version)) {
            return self.failed(key, Cause::ConnectFailed(errno), true);
        }
        session.establish(backend.tunnel, self.now);
        if let Some(place) = place {
            self.observe(number, place, true);
        }
        self.log_early(key);
    }

    /// A connection could not be made: it is tried again, here or elsewhere, or given up.
    fn failed(&mut self, key: Key, cause: Cause, refused: bool) {
        let now = self.now;
        let Some(session) = self.sessions.get(key) else { return };
        if let (backend, Some(place)) = (session.story.backend, session.story.server) {
            self.observe(backend, place, false);
        }
        let Some(session) = self.sessions.get_mut(key) else { return };
        let story = &mut session.story;
        story.retries += 1;
        let first = *story.failure.get_or_insert(cause);
        let (place, retries, number) = (story.server, story.retries, story.backend);
        let backend = &mut self.parts.backends[number];
        if std::mem::take(&mut story.counted)
            && let Some(place) = place
        {
            backend.servers[place].current -= 1;
        }
        if retries > backend.retries {
            story.retries = backend.retries;
            return self.abandon(key, first);
        }
        session.unconnect();
        let elsewhere = place.is_some_and(|place| backend.redispatches(retries, place));
        // It would most likely fail in the same way at once.
        let pause = refused && (!elsewhere || backend.active() <= 1);
        let shortest = TURN_AROUND.min(backend.connect.duration().unwrap_or(TURN_AROUND));
        session.stage = match (pause, elsewhere) {
            (true, _) => Stage::Pausing(now.after(Limit::from(Some(shortest)))),
            (false, true) => Stage::Asking,
            (false, false) => Stage::Assigned,
        };
        let counted = if elsewhere { Counters::went_elsewhere } else { Counters::tried_again };
        counted(&mut backend.counters);
        if let Some(place) = place {
            counted(&mut backend.servers[place].counters);
        }
        if elsewhere {
            self.leave_server(key);
        }
    }

    fn resume_connecting(&mut self, key: Key) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        session.stage = if session.story.holds_place { Stage::Assigned } else { Stage::Asking };
    }

    /// There will be no connection to a server.
    fn abandon(&mut self, key: Key, cause: Cause) {
        self.leave_server(key);
        let Some(session) = self.sessions.get_mut(key) else { return };
        let backend = session.story.backend;
        if matches!(session.stage, Stage::Queued(_)) {
            session.story.assigned = Some(self.now);
        }
        let place = session.story.server;
        session.give_up(cause);
        if cause != Cause::ClientLeft {
            self.parts.backends[backend].counters.failed += 1;
            if let Some(place) = place {
                self.parts.backends[backend].servers[place].counters.failed += 1;
            }
        }
        if let Some(served) = self.parts.backends[backend].leave_queue(key) {
            self.tell_position(served);
        }
    }

    /// Gives back what a session holds at its server, to those who wait for it.
    pub(super) fn leave_server(&mut self, key: Key) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        let story = &mut session.story;
        let number = story.backend;
        let (backend, Some(place)) = (&mut self.parts.backends[number], story.server) else { return };
        if std::mem::take(&mut story.counted) {
            backend.servers[place].current -= 1;
        }
        if std::mem::take(&mut story.holds_place) {
            backend.give_place_back(place);
            self.serve_queue(number, place);
        }
    }

    /// Gives a server's free places to those who wait for one.
    pub(super) fn serve_queue(&mut self, backend: usize, place: usize) {
        while let Some(served) = self.parts.backends[backend].next_for(place) {
            self.assign(backend, place, served);
        }
    }

    /// A server came up: it gets sessions that wait for any, and says how many.
    pub(super) fn grab(&mut self, backend: usize, place: usize) -> usize {
        let mut count = 0;
        while let Some(served) = self.parts.backends[backend].grab(place) {
            self.assign(backend, place, served);
            count += 1;
        }
        count
    }

    /// A server takes no session any more: those that wait for it look for another, if they may. Says how many.
    pub(super) fn redistribute(&mut self, backend: usize, place: usize) -> usize {
        let moved = self.parts.backends[backend].redistribute(place);
        for served in &moved {
            self.tell_position(*served);
            if let Some(session) = self.sessions.get_mut(served.left.session) {
                session.stage = Stage::Asking;
                self.ready.push_back(served.left.session);
            }
        }
        moved.len()
    }

    fn assign(&mut self, backend: usize, place: usize, served: Served) {
        self.tell_position(served);
        let key = served.left.session;
        let Some(session) = self.sessions.get_mut(key) else {
            return self.parts.backends[backend].give_place_back(place);
        };
        let story = &mut session.story;
        (story.server, story.holds_place, story.assigned) = (Some(place), true, Some(self.now));
        session.stage = Stage::Assigned;
        self.ready.push_back(key);
    }

    fn tell_position(&mut self, served: Served) {
        let Some(session) = self.sessions.get_mut(served.left.session) else { return };
        let (at_server, at_any) = &mut session.story.queued;
        *(if served.at_server { at_server } else { at_any }) += served.left.position;
    }
}

/// Names a session's client to its server, in the first bytes of the connection.
fn name_client(session: &Session, version: Version) -> Result<(), Errno> {
    let Some(socket) = session.leg(Side::Server).socket() else { return Ok(()) };
    let its_own = || session.leg(Side::Client).socket().and_then(socket::local);
    let header = match session.story.came_to.or_else(its_own) {
        Some(destination) => Header::For { source: session.story.client, destination },
        None => Header::Itself,
    };
    socket::transmit_all(socket, &proxy_protocol::write(version, header))
}
