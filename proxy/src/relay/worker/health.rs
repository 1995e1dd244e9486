//! Servers that go down and come up, and what becomes of their sessions.

use std::fmt::Write as _;

use super::{Owner, Worker};
use crate::config::Severity;
use crate::relay::check::{Failure, Result};
use crate::relay::poll::{Key, Ready, Token};
use crate::relay::server::Change;
use crate::relay::session::Cause;

impl Worker {
    /// A check's time has come: the next attempt is due, or the one under way is late.
    pub(super) fn run_check(&mut self, place: u32) {
        let now = self.now;
        let Some(check) = self.parts.checks.get_mut(place as usize) else { return };
        if check.due > now {
            self.timers.wake(Owner::Check(place), check.due, &mut check.woken);
        } else if check.is_under_way() {
            self.look_at_check(place, Ready::default());
        } else {
            match check.begin(now).map(|socket| self.poll.connection(socket, Token::Check(place))) {
                Ok(_) => self.timers.wake(Owner::Check(place), check.due, &mut check.woken),
                Err(result) => self.checked(place, result),
            }
        }
    }

    /// Something happened to an attempt.
    pub(super) fn look_at_check(&mut self, place: u32, ready: Ready) {
        let Some(check) = self.parts.checks.get_mut(place as usize) else { return };
        match check.look(ready, self.now) {
            Some(result) => self.checked(place, result),
            None => self.timers.wake(Owner::Check(place), check.due, &mut check.woken),
        }
    }

    fn checked(&mut self, place: u32, result: Result) {
        let check = &mut self.parts.checks[place as usize];
        let (backend, server) = (check.backend, check.server);
        let health = &mut self.parts.backends[backend].servers[server].health;
        let before = health.progress();
        let change = if result.failure.is_some() { health.failed() } else { health.passed() };
        let (now_health, after) = (*health, health.progress());
        check.rest(now_health, self.now);
        self.timers.wake(Owner::Check(place), check.due, &mut check.woken);
        if self.parts.backends[backend].logs_checks && (change.is_some() || before != after) {
            self.log_check(backend, server, &result);
        }
        match change {
            Some(Change::Down) => self.went_down(backend, server, &result),
            Some(Change::Up) => self.came_up(backend, server, &result),
            None => {}
        }
    }

    fn went_down(&mut self, number: usize, place: usize, result: &Result) {
        if self.parts.backends[number].servers[place].shutdown_sessions_when_down {
            self.end_sessions(number, Cause::ServerDown, |server| server == place);
        }
        self.log_change(number, place, "DOWN", Severity::Alert, result);
        let backend = &self.parts.backends[number];
        if backend.active() + backend.standing_by() == 0 {
            let kind = if backend.is_listen { "proxy" } else { "backend" };
            let text = format!("{kind} {} has no server available!", backend.name);
            self.log(&self.parts.backends[number].logs, Severity::Emergency, &text);
        }
    }

    fn came_up(&mut self, number: usize, place: usize, result: &Result) {
        self.log_change(number, place, "UP", Severity::Notice, result);
        let servers = &self.parts.backends[number].servers;
        if servers[place].shutdown_backup_sessions_when_up {
            let backups: Vec<bool> = servers.iter().map(|server| server.backup).collect();
            self.end_sessions(number, Cause::ServerUp, |server| backups[server]);
        }
        self.serve_queue(number);
    }

    /// Ends the sessions on some servers of a backend.
    pub(super) fn end_sessions(&mut self, backend: usize, cause: Cause, which: impl Fn(usize) -> bool) {
        let on_it = self.sessions.iter().filter(|(_, session)| {
            let story = &session.story;
            story.backend == backend && story.holds_place && story.server.is_some_and(&which)
        });
        let keys: Vec<Key> = on_it.map(|(key, _)| key).collect();
        for key in keys {
            if let Some(session) = self.sessions.get_mut(key) {
                session.kill(cause);
                self.advance(key);
            }
        }
    }

    /// `Server lb/s1 is DOWN, reason: Layer4 timeout, check duration: 1001ms. 1 active and 0 backup servers left. …`
    fn log_change(&self, number: usize, place: usize, state: &str, severity: Severity, result: &Result) {
        let backend = &self.parts.backends[number];
        let server = &backend.servers[place];
        let kind = if server.backup { "Backup Server" } else { "Server" };
        let (active, standing_by) = (backend.active(), backend.standing_by());
        let online = if state == "UP" { "online" } else { "left" };
        let mut text = format!("{kind} {}/{} is {state}, {}.", backend.name, server.name, reason(result));
        // Writing to a string cannot fail.
        let _ = write!(text, " {active} active and {standing_by} backup servers {online}.");
        if active == 0 && standing_by > 0 {
            text.push_str(" Running on backup.");
        }
        let _ = if state == "UP" {
            write!(text, " 0 sessions requeued, {} total in queue.", backend.queued())
        } else {
            write!(text, " {} sessions active, 0 requeued, {} remaining in queue.", server.current, backend.queued())
        };
        self.log(&self.parts.backends[number].logs, severity, &text);
    }

    /// `option log-health-checks`.
    fn log_check(&self, number: usize, place: usize, result: &Result) {
        let backend = &self.parts.backends[number];
        let server = &backend.servers[place];
        let outcome = if result.failure.is_some() { "failed" } else { "succeeded" };
        let (have, of) = server.health.progress();
        let state = if server.health.is_up() { "UP" } else { "DOWN" };
        let text = format!(
            "Health check for server {}/{} {outcome}, {}, status: {have}/{of} {state}.",
            backend.name,
            server.name,
            reason(result)
        );
        self.log(&self.parts.backends[number].logs, Severity::Notice, &text);
    }
}

fn reason(result: &Result) -> String {
    let took = result.took.as_millis();
    match result.failure {
        None => format!("reason: Layer4 check passed, check duration: {took}ms"),
        Some(Failure::Timeout) => format!("reason: Layer4 timeout, check duration: {took}ms"),
        Some(Failure::Connect(errno)) => {
            let text = nix::errno::Errno::from_raw(errno.raw_os_error()).desc();
            format!("reason: Layer4 connection problem, info: \"{text}\", check duration: {took}ms")
        }
    }
}
