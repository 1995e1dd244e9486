//! What of a session is logged, and when (`strm_log`, src/log.c).

use std::time::SystemTime;

use super::Worker;
use crate::config::Severity;
use crate::log::Cause as Letter;
use crate::relay::frontend::Logs;
use crate::relay::log::{Line, session};
use crate::relay::poll::Key;
use crate::relay::session::{Session, Side};

impl Worker {
    /// A session begins: without a format of its own a frontend tells that, and nothing more (`frontend_accept`, src/frontend.c).
    pub(super) fn log_start(&self, session: &Session) {
        let story = &session.story;
        let frontend = &self.parts.frontends[story.frontend];
        if frontend.format.is_some() || frontend.logs.targets.is_empty() {
            return;
        }
        let (client, name) = (story.client, &frontend.name);
        let to = match story.came_to {
            Some(to) => format!("{}:{}", to.ip(), to.port()),
            None => "undetermined address:0".into(),
        };
        let text = format!("Connect from {}:{} to {to} ({name}/TCP)", client.ip(), client.port());
        self.log(&frontend.logs, Severity::Info, &text);
    }

    /// The server's connection stands: a line that tells nothing of the end, or that is not to wait for it, is written now.
    pub(super) fn log_early(&mut self, key: Key) {
        let Some(session) = self.sessions.get(key) else { return };
        let frontend = &self.parts.frontends[session.story.frontend];
        let waits = frontend.format.as_ref().is_some_and(|format| format.waits_for_the_end());
        if !waits || frontend.logging.asap {
            self.log_session(key, true);
        }
    }

    /// Writes a session's line, if there is to be one.
    pub(super) fn log_session(&mut self, key: Key, early: bool) {
        let Some(session) = self.sessions.get(key) else { return };
        let story = &session.story;
        let (place, frontend) = (story.frontend, &self.parts.frontends[story.frontend]);
        let Some(format) = &frontend.format else { return };
        let logging = &frontend.logging;
        let normal = session.termination().cause == Letter::Normal && !story.redispatched && story.retries == 0;
        let silent = !early && session.flow(Side::Client).total == 0;
        if frontend.logs.targets.is_empty()
            || story.logged
            || logging.dontlognull && silent
            || logging.dontlog_normal && normal
        {
            return;
        }
        let severity = if logging.separate_errors && !normal { Severity::Error } else { Severity::Info };
        self.log(&frontend.logs, severity, &session::line(format, &self.facts(session, early)));
        self.parts.frontends[place].lines += 1;
        if let Some(session) = self.sessions.get_mut(key) {
            session.story.logged = true;
        }
    }

    /// What lines can tell of a session.
    pub(super) fn facts<'a>(&'a self, session: &Session, early: bool) -> session::Facts<'a> {
        let story = &session.story;
        let (frontend, backend) = (&self.parts.frontends[story.frontend], &self.parts.backends[story.backend]);
        let server = story.server.map(|place| &backend.servers[place]);
        let count = |sessions: usize| u32::try_from(sessions).unwrap_or(u32::MAX);
        session::Facts {
            accepted: story.accepted.1,
            client: story.client,
            came_to: story.came_to,
            upstream: story.upstream,
            frontend: &frontend.name,
            backend: &backend.name,
            server: server.map(|server| server.name.as_str()),
            times: story.times(if early { story.connected.unwrap_or(self.now) } else { self.now }),
            unfinished: frontend.logging.asap,
            bytes: [Side::Client, Side::Server].map(|side| session.flow(side).total),
            termination: session.termination(),
            cause: session.cause(),
            connections: [
                count(self.sessions.len()),
                frontend.sessions,
                backend.sessions,
                server.map_or(0, |server| server.current),
            ],
            retries: story.retries,
            redispatched: story.redispatched,
            queued: story.queued,
            turn: story.turn,
            lines: frontend.lines,
            pid: self.pid,
        }
    }

    /// Writes a line to these targets.
    pub(super) fn log(&self, logs: &Logs, severity: Severity, text: &str) {
        let line =
            Line { severity, at: SystemTime::now(), tag: &logs.tag, pid: self.pid, host: &self.parts.host, text };
        for target in &logs.targets {
            target.send(&line);
        }
    }
}
