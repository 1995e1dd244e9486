//! Servers that came up and take their load step by step (`server_warmup` in `src/server.c`).

use std::time::Duration;

use super::{Owner, Worker};
use crate::relay::moment::wall_second;
use crate::relay::server::State;

/// How far apart the steps are, whatever the manual says: `srv_update_status` takes a twentieth of a number of seconds for one of
/// milliseconds.
const STEP: Duration = Duration::from_secs(1);

impl Worker {
    /// A server came up: it starts slowly if it is to.
    pub(super) fn start_server(&mut self, backend: usize, place: usize) {
        let its = &mut self.parts.backends[backend];
        let takes_weights = its.balance.takes_weights();
        if its.servers[place].start(wall_second(), takes_weights) {
            self.wake_for_next_step(backend, place);
        }
    }

    /// The next step is due.
    pub(super) fn warm_up(&mut self, backend: u32, place: u32) {
        let (backend, place) = (backend as usize, place as usize);
        let its = &mut self.parts.backends[backend];
        let takes_weights = its.balance.takes_weights();
        let server = &mut its.servers[place];
        if server.state == State::Maintenance || !server.starts() {
            return;
        }
        if server.warm_up(wall_second(), takes_weights) {
            self.wake_for_next_step(backend, place);
        }
        self.grab(backend, place);
    }

    fn wake_for_next_step(&mut self, backend: usize, place: usize) {
        let number = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        let owner = Owner::Server(number(backend), number(place));
        self.timers.wake(owner, self.now.plus(STEP), &mut { crate::relay::moment::Moment::NEVER });
    }
}
