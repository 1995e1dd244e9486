//! How a run goes on, on a terminal or in a log.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::progress::{Moment, Progress};
use crate::report::results::{CaseResult, Outcome};
use crate::report::table;
use crate::run::Audience;

/// Columns of a terminal that does not tell.
const COLUMNS: usize = 80;

/// Says what has ended, and, where lines can be overwritten, what runs.
pub struct Terminal {
    cases: usize,
    quiet: bool,
    live: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    done: usize,
    running: HashMap<String, Running>,
}

/// A case that runs.
struct Running {
    since: Instant,
    step: String,
}

impl Terminal {
    /// Follows a run of so many cases; quiet, it says only what did not pass.
    #[must_use]
    pub fn new(cases: usize, quiet: bool) -> Terminal {
        let live = std::io::stderr().is_terminal() && std::env::var_os("CI").is_none();
        Terminal { cases, quiet, live, state: Mutex::default() }
    }

    /// One line that is overwritten by the next.
    fn status(&self, case: &str, change: impl FnOnce(&mut Running) -> String) {
        if !self.live {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Running { since: Instant::now(), step: String::new() };
        let text = change(state.running.entry(case.into()).or_insert_with(new));
        // A line that is longer than the terminal is wide would not be overwritten by the next.
        let columns = rustix::termios::tcgetwinsize(std::io::stderr()).map_or(COLUMNS, |size| size.ws_col.into());
        let line = format!("{}/{} {text} · {case}", state.done, self.cases);
        let line: String = line.chars().take(columns.saturating_sub(1)).collect();
        anstream::eprint!("\r\x1b[K{line}");
    }
}

impl Progress for Terminal {
    fn started(&self, case: &str) {
        self.status(case, |_| "started".into());
    }

    fn step(&self, case: &str, number: usize, of: usize, text: &str) {
        self.status(case, |running| {
            running.step = format!("{number}/{of} {text}");
            running.step.clone()
        });
    }

    fn moment(&self, case: &str, moment: &Moment) {
        self.status(case, |running| {
            let wall_s = running.since.elapsed().as_secs_f64();
            let next = moment.next.as_ref().map(|next| format!(" · next: {next}")).unwrap_or_default();
            format!("{:.1} s in {wall_s:.1} s{next} · {}", moment.clock_s, running.step)
        });
    }

    fn is_watched(&self) -> bool {
        self.live
    }
}

impl Audience for Terminal {
    fn ended(&self, result: &CaseResult) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.done += 1;
        state.running.remove(&result.name());
        if self.live {
            anstream::eprint!("\r\x1b[K");
        }
        if !self.quiet || result.outcome != Outcome::Pass {
            anstream::print!("{}", table::case(result));
        }
    }
}
