//! How a case goes on, for those who wait for it.

use serde::{Deserialize, Serialize};

/// Who wants to know how a case goes on.
pub trait Progress: Send + Sync {
    /// The timeline started.
    fn started(&self, case: &str);
    /// A step began: its number from 1, how many there are, its text.
    fn step(&self, case: &str, number: usize, of: usize, text: &str);
    /// Its clock has moved.
    fn moment(&self, case: &str, moment: &Moment);
    /// Whether a person watches: what is told for people alone is not asked for otherwise.
    fn is_watched(&self) -> bool;
}

/// Where the clock of a case stands, and what it will come to next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// Seconds since its timeline started, or, before that, since its lab was built.
    pub clock_s: f64,
    /// The next timers of its sockets, readable, the first one first.
    pub next: Vec<String>,
}
