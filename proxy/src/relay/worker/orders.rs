//! What operators order (`srv_update_status` in `src/server.c`, and what leads there).

use super::Worker;
use crate::config::Severity;
use crate::relay::operator::Order;
use crate::relay::poll::Key;
use crate::relay::server::State;
use crate::relay::session::Cause;

impl Worker {
    /// Does what an operator orders.
    pub(super) fn carry_out(&mut self, order: Order) {
        match order {
            Order::EndSession(key) => self.end_session(key, Cause::Killed),
            Order::EndSessions(backend, place) => self.end_sessions(backend, Cause::Killed, |server| server == place),
            Order::SetState(backend, place, state) => self.set_state(backend, place, state),
            Order::SetWeight(backend, place, weight) => {
                let before = self.takes_sessions(backend);
                self.parts.backends[backend].servers[place].weight = weight;
                self.tell_if_none_is_left(backend, before);
            }
            Order::SetServerLimit(backend, place, most) => {
                self.parts.backends[backend].servers[place].set_limit(most);
                self.serve_queue(backend, place);
            }
            Order::SetFrontendLimit(frontend, most) => {
                self.parts.frontends[frontend].maxconn = most;
                self.resume();
            }
            Order::SetLimit(most) => {
                self.parts.maxconn = most;
                self.resume();
            }
        }
    }

    /// Ends one session.
    pub(super) fn end_session(&mut self, key: Key, cause: Cause) {
        if let Some(session) = self.sessions.get_mut(key) {
            session.kill(cause);
            // Whoever ordered this may be in the midst of that session's own affairs.
            self.ready.push_back(key);
        }
    }

    fn set_state(&mut self, backend: usize, place: usize, wanted: State) {
        let before = self.parts.backends[backend].servers[place].state;
        if before == wanted {
            return;
        }
        match (before, wanted) {
            (_, State::Maintenance) => self.enter_maintenance(backend, place, before),
            (State::Maintenance, _) => self.leave_maintenance(backend, place, wanted),
            (_, State::Drain) => self.drain(backend, place),
            (_, State::Ready) => self.stop_draining(backend, place),
        }
    }

    /// It is taken for down from now on, whatever it is.
    fn enter_maintenance(&mut self, backend: usize, place: usize, before: State) {
        let took_sessions = self.takes_sessions(backend);
        let now = self.now;
        let server = &mut self.parts.backends[backend].servers[place];
        let was_up = server.health.is_up();
        server.state = State::Maintenance;
        server.health.end();
        if !was_up {
            self.announce(backend, place, Severity::Notice, "was DOWN and now enters maintenance", None);
            return;
        }
        server.changed = now;
        server.counters.downs += 1;
        server.starting = None;
        let ends_sessions = server.shutdown_sessions_when_down;
        let severity = if before == State::Drain { Severity::Notice } else { Severity::Alert };
        let requeued = self.redistribute(backend, place);
        self.announce(backend, place, severity, "is going DOWN for maintenance", Some(requeued));
        self.tell_if_none_is_left(backend, took_sessions);
        if ends_sessions {
            self.end_sessions(backend, Cause::ServerDown, |server| server == place);
        }
    }

    /// It is taken for up at once, until a check finds something else.
    fn leave_maintenance(&mut self, backend: usize, place: usize, wanted: State) {
        let now = self.now;
        let server = &mut self.parts.backends[backend].servers[place];
        server.state = wanted;
        server.health.begin_anew();
        server.changed = now;
        self.start_server(backend, place);
        let server = &self.parts.backends[backend].servers[place];
        let ends_backups = server.shutdown_backup_sessions_when_up && !server.backup && server.weight > 0;
        if wanted == State::Drain {
            self.announce(backend, place, Severity::Notice, "is UP/DRAIN (leaving forced maintenance)", None);
            self.announce(backend, place, Severity::Notice, "remains in forced drain mode", None);
        } else {
            self.announce(backend, place, Severity::Notice, "is UP/READY (leaving forced maintenance)", None);
        }
        if ends_backups {
            self.end_backup_sessions(backend);
        }
        self.grab(backend, place);
    }

    /// It keeps its sessions and gets no other.
    fn drain(&mut self, backend: usize, place: usize) {
        let took_sessions = self.takes_sessions(backend);
        let now = self.now;
        let server = &mut self.parts.backends[backend].servers[place];
        (server.state, server.changed) = (State::Drain, now);
        let requeued = self.redistribute(backend, place);
        self.announce(backend, place, Severity::Notice, "enters drain state", Some(requeued));
        self.tell_if_none_is_left(backend, took_sessions);
    }

    fn stop_draining(&mut self, backend: usize, place: usize) {
        let now = self.now;
        let server = &mut self.parts.backends[backend].servers[place];
        (server.state, server.changed) = (State::Ready, now);
        let state = if server.health.is_up() { "UP" } else { "DOWN" };
        self.announce(backend, place, Severity::Notice, &format!("is {state} (leaving forced drain)"), None);
    }
}
