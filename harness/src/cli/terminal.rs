//! How a run goes on, on a terminal or in a log.
//!
//! What has ended is said on standard output. What runs is shown on standard error, a line for each case, where a person can see lines
//! that are drawn over; in a pipe, in a log, with `CI` or on a terminal that cannot (`TERM=dumb`) there is nothing of that.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::progress::{Moment, Progress};
use crate::report::results::{CaseResult, Outcome};
use crate::report::table;
use crate::run::Audience;

/// Says what has ended, and, where lines can be drawn over, what runs.
pub struct Terminal {
    quiet: bool,
    /// `None` where nobody would see them.
    lines: Option<Lines>,
    /// So that no two cases are told at once.
    telling: Mutex<()>,
}

/// The lines of what runs.
struct Lines {
    all: MultiProgress,
    total: ProgressBar,
    running: Mutex<HashMap<String, Running>>,
}

/// A case that runs.
struct Running {
    line: ProgressBar,
    since: Instant,
    clock_s: f64,
    step: String,
    next: Vec<String>,
}

impl Terminal {
    /// Follows a run of so many cases; quiet, it says only what did not pass.
    #[must_use]
    pub fn new(cases: usize, quiet: bool) -> Terminal {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let live = std::io::stderr().is_terminal() && std::env::var_os("CI").is_none() && !dumb;
        Terminal { quiet, lines: live.then(|| Lines::new(cases)), telling: Mutex::default() }
    }

    fn change(&self, case: &str, change: impl FnOnce(&mut Running)) {
        if let Some(lines) = &self.lines {
            lines.change(case, change);
        }
    }
}

impl Lines {
    fn new(cases: usize) -> Lines {
        let all = MultiProgress::new();
        let total = all.add(ProgressBar::new(u64::try_from(cases).unwrap_or_default()));
        let style = ProgressStyle::with_template("{pos} of {len} cases, {elapsed}");
        total.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        total.tick();
        Lines { all, total, running: Mutex::default() }
    }

    fn change(&self, case: &str, change: impl FnOnce(&mut Running)) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let running = running.entry(case.into()).or_insert_with(|| self.line());
        change(running);
        let (clock_s, wall_s) = (running.clock_s, running.since.elapsed().as_secs_f64());
        let mut text = format!("{clock_s:>9.1} s in {wall_s:.1} s  {}", short(case));
        if !running.next.is_empty() {
            text.push_str(&format!(" · next: {}", running.next.join(", ")));
        }
        if !running.step.is_empty() {
            text.push_str(&format!(" · {}", running.step));
        }
        running.line.set_message(text);
    }

    fn line(&self) -> Running {
        let line = self.all.insert_before(&self.total, ProgressBar::new_spinner());
        line.set_style(ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Running { line, since: Instant::now(), clock_s: 0.0, step: String::new(), next: Vec::new() }
    }

    fn ended(&self, case: &str) {
        if let Some(running) = self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(case) {
            running.line.finish_and_clear();
            self.all.remove(&running.line);
        }
        self.total.inc(1);
        if self.total.length() == Some(self.total.position()) {
            self.total.finish_and_clear();
        }
    }
}

/// A case's name without those of its dimensions, which would leave no place for anything else: `seed/idle[haproxy,full]`.
fn short(case: &str) -> String {
    let Some((scenario, values)) = case.split_once('[') else { return case.to_owned() };
    let values = values.split(',').map(|value| value.split_once('=').map_or(value, |(_, value)| value));
    format!("{scenario}[{}", values.collect::<Vec<_>>().join(","))
}

impl Progress for Terminal {
    fn started(&self, case: &str) {
        self.change(case, |_| {});
    }

    fn step(&self, case: &str, number: usize, of: usize, text: &str) {
        self.change(case, |running| running.step = format!("{number}/{of} {text}"));
    }

    fn moment(&self, case: &str, moment: &Moment) {
        self.change(case, |running| {
            running.clock_s = moment.clock_s;
            running.next.clone_from(&moment.next);
        });
    }

    fn is_watched(&self) -> bool {
        self.lines.is_some()
    }
}

impl Audience for Terminal {
    fn ended(&self, result: &CaseResult) {
        let _telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        let tell = || {
            if !self.quiet || result.outcome != Outcome::Pass {
                anstream::print!("{}", table::case(result));
            }
        };
        match &self.lines {
            Some(lines) => {
                lines.ended(&result.name());
                lines.all.suspend(tell);
            }
            None => tell(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_case_is_called_by_its_values() {
        assert_eq!(short("seed/idle[proxy=haproxy,length=full]"), "seed/idle[haproxy,full]");
        assert_eq!(short("hang"), "hang");
    }
}
