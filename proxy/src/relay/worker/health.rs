//! Servers that go down and come up, and what becomes of their sessions.

use std::fmt::Write as _;

use super::{Owner, Worker};
use crate::config::Severity;
use crate::relay::check::Result;
use crate::relay::poll::{Key, Ready, Token};
use crate::relay::server::{Change, State};
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
        } else if self.parts.backends[check.backend].servers[check.server].state == State::Maintenance {
            check.skip(now);
            self.timers.wake(Owner::Check(place), check.due, &mut check.woken);
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
        self.found(place as usize, result);
        let check = &mut self.parts.checks[place as usize];
        let health = self.parts.backends[check.backend].servers[check.server].health;
        check.rest(health, self.parts.spread_checks, self.now);
        self.timers.wake(Owner::Check(place), check.due, &mut check.woken);
    }

    /// A check, or what sessions told, has this result (`set_server_check_status`).
    pub(super) fn found(&mut self, check: usize, result: Result) {
        let check = &mut self.parts.checks[check];
        let (backend, server) = (check.backend, check.server);
        check.last = Some(result);
        let its = &mut self.parts.backends[backend].servers[server];
        let before = its.health.progress();
        let change = match (its.state, result.failure) {
            // It began before.
            (State::Maintenance, _) => None,
            (_, None) => {
                its.forget_errors();
                its.health.passed()
            }
            (_, Some(_)) => {
                its.counters.failed_checks += u64::from(its.health.counts().2 > 0);
                its.health.failed()
            }
        };
        let after = its.health.progress();
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
        // Up to now it was up.
        let took_sessions = self.takes_sessions(number) || {
            let server = &self.parts.backends[number].servers[place];
            server.state == State::Ready && server.weight > 0
        };
        let now = self.now;
        let server = &mut self.parts.backends[number].servers[place];
        server.changed = now;
        server.counters.downs += 1;
        server.starting = None;
        let ends_sessions = server.shutdown_sessions_when_down;
        let severity = if server.state == State::Drain { Severity::Notice } else { Severity::Alert };
        let requeued = self.redistribute(number, place);
        self.announce(number, place, severity, &format!("is DOWN, {}", reason(result)), Some(requeued));
        self.tell_if_none_is_left(number, took_sessions);
        if ends_sessions {
            self.end_sessions(number, Cause::ServerDown, |server| server == place);
        }
    }

    fn came_up(&mut self, number: usize, place: usize, result: &Result) {
        let now = self.now;
        let server = &mut self.parts.backends[number].servers[place];
        server.changed = now;
        self.start_server(number, place);
        let server = &self.parts.backends[number].servers[place];
        let ends_backups = server.shutdown_backup_sessions_when_up && !server.backup && server.weight > 0;
        let requeued = self.grab(number, place);
        self.announce(number, place, Severity::Notice, &format!("is UP, {}", reason(result)), Some(requeued));
        if ends_backups {
            self.end_backup_sessions(number);
        }
    }

    /// `on-marked-up shutdown-backup-sessions`.
    pub(super) fn end_backup_sessions(&mut self, number: usize) {
        let backups: Vec<bool> = self.parts.backends[number].servers.iter().map(|server| server.backup).collect();
        self.end_sessions(number, Cause::ServerUp, |server| backups[server]);
    }

    /// Whether a backend has a server for sessions.
    pub(super) fn takes_sessions(&self, number: usize) -> bool {
        let backend = &self.parts.backends[number];
        backend.active() + backend.standing_by() > 0
    }

    /// Says so when a backend had a server for sessions and has none any more (`set_backend_down`).
    pub(super) fn tell_if_none_is_left(&mut self, number: usize, before: bool) {
        if before && !self.takes_sessions(number) {
            let backend = &mut self.parts.backends[number];
            backend.counters.downs += 1;
            let kind = if backend.is_listen { "proxy" } else { "backend" };
            let text = format!("{kind} {} has no server available!", backend.name);
            self.log(&self.parts.backends[number].logs, Severity::Emergency, &text);
        }
    }

    /// Ends the sessions on some servers of a backend.
    pub(super) fn end_sessions(&mut self, backend: usize, cause: Cause, which: impl Fn(usize) -> bool) {
        let on_it = self.sessions.iter().filter(|(_, session)| {
            let story = &session.story;
            story.backend == backend && story.holds_place && story.server.is_some_and(&which)
        });
        let keys: Vec<Key> = on_it.map(|(key, _)| key).collect();
        for key in keys {
            self.end_session(key, cause);
        }
    }

    /// `Server lb/s1 is DOWN, reason: Layer4 timeout, check duration: 1001ms. 1 active and 0 backup servers left. …`, with how many
    /// sessions had to wait anew, or got a place (`srv_append_status`).
    pub(super) fn announce(
        &self,
        number: usize,
        place: usize,
        severity: Severity,
        what: &str,
        requeued: Option<usize>,
    ) {
        let backend = &self.parts.backends[number];
        let server = &backend.servers[place];
        let kind = if server.backup { "Backup Server" } else { "Server" };
        let (active, standing_by) = (backend.active(), backend.standing_by());
        let mut text = format!("{kind} {}/{} {what}.", backend.name, server.name);
        if let Some(requeued) = requeued {
            let up = server.health.is_up();
            let online = if up { "online" } else { "left" };
            // Writing to a string cannot fail.
            let _ = write!(text, " {active} active and {standing_by} backup servers {online}.");
            if active == 0 && standing_by > 0 {
                text.push_str(" Running on backup.");
            }
            let _ = if up {
                write!(text, " {requeued} sessions requeued, {} total in queue.", server.queue.len())
            } else {
                let queued = server.queue.len();
                write!(text, " {} sessions active, {requeued} requeued, {queued} remaining in queue.", server.current)
            };
        }
        self.log(&backend.logs, severity, &text);
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
    let info = result.info().map(|info| format!(", info: \"{info}\"")).unwrap_or_default();
    let took = result.took.map(|took| format!(", check duration: {}ms", took.as_millis())).unwrap_or_default();
    format!("reason: {}{info}{took}", result.description())
}
