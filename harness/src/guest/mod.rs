//! The virtual clock: a case inside a User-Mode Linux kernel in time-travel mode.
//!
//! User-Mode Linux is Linux built as an ordinary program (Documentation/virt/uml); with `time-travel=inf-cpu` computing takes no
//! time, and when nothing is left to do the clock jumps to the next timer. The harness's own program is its process 1.
//!
//! ```text
//! launch.rs      on the host: starts a guest for a case, follows it, takes its result
//! contain.rs     what its process may not do to the host
//! processors.rs  one guest for each processor
//! memory.rs      where its memory lies
//! channel.rs     what it tells while it runs
//! console.rs     what its kernel says
//! init.rs        in the guest: process 1, from the first mount to power-off
//! mounts.rs      in the guest: the host's files, which stay as they are
//! wheel.rs       in the guest: where the kernel's timer wheel stands
//! ```

pub mod channel;
mod console;
pub mod contain;
pub mod init;
pub mod launch;
pub mod memory;
mod mounts;
pub mod processors;
mod wheel;

/// The folder of a case's results as its guest sees it: the variable that the kernel's command line gives to process 1.
const RESULTS: &str = "WHYCLOSED_RESULTS";
/// In that folder: what the guest is to do ([`init::Job`]).
const JOB: &str = "guest.json";
/// In that folder: what the guest's programs wrote, if it is to be kept.
const FILES: &str = "files";
/// In that folder: what came of it.
const RESULT: &str = "result.json";
