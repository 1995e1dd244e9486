//! Sessions through a proxy for a long time, each as chance has it, and every byte of them looked at.
//!
//! ```text
//! plan.rs    what a session does, by its number
//! talk.rs    one end of it
//! driver.rs  all clients, and what the proxy has in use before the first and behind the last
//! server.rs  all servers
//! ```
//!
//! The program runs in the virtual clock's machine, where a day of sleeping takes no time. Both ends know each session by its number
//! alone, so neither has to be told what the other one is about to send.

mod driver;
mod plan;
mod server;
mod talk;

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What an end tells of a session that was not as planned: nothing else is told.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Short {
    /// The session.
    pub id: u64,
    /// Which end: `client` or `server`.
    pub side: String,
    /// How it was to end.
    pub plan: String,
    /// Bytes that came, all of them as sent.
    pub heard: u64,
    /// Bytes that were to come.
    pub of: u64,
    /// What went wrong.
    pub problem: String,
    /// How long it had lasted, s.
    pub lasted_s: f64,
}

/// What the driver tells last.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Summary {
    /// Sessions that were begun.
    pub sessions: u64,
    /// Those that came to their end as planned, at the client.
    pub complete: u64,
    /// Bytes that clients heard, each compared.
    pub heard: u64,
    /// Sessions that the proxy's timer ended, as planned.
    pub timed_out: u64,
    /// What the proxy had before the first session.
    pub before: Cost,
    /// What it had while there were most sessions.
    pub most_descriptors: u64,
    /// What it had behind the last one.
    pub after: Cost,
}

/// What a process has in use.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Open descriptors.
    pub descriptors: u64,
    /// Resident memory that is no file's, kB (RssAnon in proc_pid_status(5)).
    pub memory_kb: u64,
}

/// A byte that was not the one that was sent: the proxy has lost, doubled or mixed some.
pub const WRONG: &str = "a wrong byte";

/// Runs the part of the program that its arguments name: `server SEED PORT`, or `driver SEED ADDRESS SECONDS GAP_SECONDS`.
///
/// # Errors
/// When the arguments are not these, or a socket cannot be had.
pub fn main(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match words.as_slice() {
        ["server", seed, port] => runtime.block_on(server::serve(seed.parse()?, port.parse()?)),
        ["driver", seed, address, seconds, gap] => {
            let (time, gap) = (Duration::from_secs(seconds.parse()?), Duration::from_secs(gap.parse()?));
            runtime.block_on(driver::drive(seed.parse()?, (*address).to_owned(), time, gap))
        }
        _ => Err("expected `server SEED PORT` or `driver SEED ADDRESS SECONDS GAP_SECONDS`".into()),
    }
}

fn tell(what: &impl Serialize) {
    match serde_json::to_string(what) {
        Ok(line) => println!("{line}"),
        Err(error) => println!("{error}"),
    }
}
