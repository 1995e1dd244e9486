//! How the process ends.
//!
//! SIGUSR1 is a soft stop: no client is accepted any more, and when the last session has ended, or `hard-stop-after` has passed
//! and ended it, the process ends. SIGTERM and SIGINT are left to the kernel, which ends the process at once and closes what it had
//! open; no session is logged, as with HAProxy (management guide, 4).

use std::os::fd::AsFd;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::{Owner, Worker};
use crate::config::Severity;
use crate::relay::moment::{Limit, Moment};
use crate::relay::poll::Key;
use crate::relay::session::Cause;

/// How long sessions that were ended may still take.
const LAST: Duration = Duration::from_secs(1);

/// Signals, and what they mean.
#[derive(Debug)]
pub struct Stop {
    signals: SignalFd,
    /// `hard-stop-after`.
    after: Limit,
    stage: Stage,
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Working,
    /// No client is accepted any more.
    Soft,
    /// All sessions are ended; the process goes on until then.
    Hard(Moment),
}

impl Stop {
    /// Takes the signals over from the process.
    ///
    /// # Errors
    /// As signalfd(2).
    pub fn new(hard_stop_after: Option<Duration>) -> std::io::Result<Stop> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGUSR1);
        signals.thread_block()?;
        let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Stop { signals, after: hard_stop_after.into(), stage: Stage::Working })
    }

    /// Whether no client is accepted any more.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stage != Stage::Working
    }

    /// Where they arrive.
    #[must_use]
    pub fn signals(&self) -> impl AsFd + '_ {
        self.signals.as_fd()
    }
}

impl Worker {
    /// Whether the loop is to end.
    pub(super) fn is_done(&self) -> bool {
        match self.parts.stop.stage {
            Stage::Working => false,
            Stage::Soft => self.sessions.is_empty(),
            Stage::Hard(until) => self.sessions.is_empty() || self.now >= until,
        }
    }

    pub(super) fn signalled(&mut self) {
        while let Ok(Some(_)) = self.parts.stop.signals.read_signal() {
            if self.parts.stop.stage == Stage::Working {
                self.soft_stop();
            }
        }
    }

    fn soft_stop(&mut self) {
        self.parts.stop.stage = Stage::Soft;
        // Another process may hold them too, and then closing them is not enough for the poll. Where none does, whoever waits in a
        // backlog is reset by the kernel.
        for listener in self.parts.listeners.drain(..) {
            let _ = self.poll.forget(&listener.socket);
        }
        self.parts.checks.clear();
        for frontend in &self.parts.frontends {
            let backend = &self.parts.backends[frontend.backends.default];
            let taken_behind =
                if backend.is_listen && backend.name == frontend.name { backend.counters.total } else { 0 };
            let text = format!(
                "Proxy {} stopped (cumulated conns: FE: {}, BE: {taken_behind}).",
                frontend.name, frontend.counters.total
            );
            self.log(&frontend.logs, Severity::Warning, &text);
        }
        let due = self.now.after(self.parts.stop.after);
        if due.is_set() {
            self.timers.wake(Owner::Stop, due, &mut { Moment::NEVER });
        }
    }

    /// `hard-stop-after` has passed: what is left is ended.
    pub(super) fn hard_stop(&mut self) {
        if self.parts.stop.stage != Stage::Soft {
            return;
        }
        let text = "soft-stop running for too long, performing a hard-stop.";
        self.log(&self.parts.logs, Severity::Warning, text);
        let until = self.now.plus(LAST);
        self.parts.stop.stage = Stage::Hard(until);
        self.timers.wake(Owner::Stop, until, &mut { Moment::NEVER });
        let keys: Vec<Key> = self.sessions.iter().map(|(key, _)| key).collect();
        for key in keys {
            if let Some(session) = self.sessions.get_mut(key) {
                session.kill(Cause::Killed);
                self.advance(key);
            }
        }
    }
}
