//! What sessions tell of a server's health: `observe layer4`, `on-error`, `error-limit` (manual, 5.2; `__health_adjust` in
//! `src/check.c`).

use super::{Owner, Worker};
use crate::config::OnError;
use crate::relay::check::{Failure, Result};
use crate::relay::server::State;

impl Worker {
    /// A session's connection to a server was made, or was not.
    pub(super) fn observe(&mut self, backend: usize, place: usize, made: bool) {
        let server = &mut self.parts.backends[backend].servers[place];
        let Some(check) = self.parts.checks.iter().position(|check| (check.backend, check.server) == (backend, place))
        else {
            return;
        };
        let Some(errors) = server.observed(made) else { return };
        let result = Result { failure: Some(Failure::Sessions(errors)), took: None };
        let on_error = server.reactions.on_error;
        if on_error == OnError::SuddenDeath {
            server.health.let_one_more_take_it_down();
        }
        if on_error == OnError::MarkDown {
            server.health.let_the_next_take_it_down();
        }
        if on_error != OnError::Fastinter && server.state != State::Maintenance {
            self.found(check, result);
        }
        let check_place = check;
        let check = &mut self.parts.checks[check_place];
        if check.hurry(self.now) {
            let number = u32::try_from(check_place).unwrap_or(u32::MAX);
            self.timers.wake(Owner::Check(number), check.due, &mut check.woken);
        }
    }
}
