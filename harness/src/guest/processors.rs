//! One guest for each processor of this machine, over all runs.
//!
//! A guest traps its processes with ptrace(2): switching between processors costs it 40 %, so each is kept on one of its own.

use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

use crate::claim::{Claim, claim};

/// What a processor is claimed as.
pub const CLAIM: &str = "processor";
/// How often a processor is asked for while all are taken.
const POLL: Duration = Duration::from_millis(10);
/// How long one is waited for: other runs on this machine have their turn.
const LIMIT: Duration = Duration::from_secs(3600);

/// The processors that this process may use (sched_getaffinity(2)).
#[must_use]
pub fn usable() -> Vec<usize> {
    let set = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
    (0..CpuSet::count()).filter(|&number| set.is_set(number).unwrap_or(false)).collect()
}

/// Claims a processor on which no other guest runs, waiting for one if all are taken.
///
/// # Errors
/// When none becomes free within an hour.
pub async fn one() -> std::io::Result<Claim> {
    let missing = || std::io::Error::other("guests of other runs have held every processor for an hour");
    claim(CLAIM, &usable(), POLL, LIMIT).await?.ok_or_else(missing)
}
