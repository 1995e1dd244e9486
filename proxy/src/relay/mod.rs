//! The proxy: HAProxy's TCP mode, from the same configuration, with the same log.
//!
//! ```text
//! cli.rs       the program's arguments
//! start.rs     from a configuration to a loop that works
//! worker/      the loop: clients, connections to servers, health, the end
//! session/     one session as a state machine
//! frontend.rs  where clients come in
//! backend.rs   servers, and which of them takes a session
//! balance/     how it chooses
//! server.rs    one server
//! queue.rs     sessions that wait for a place
//! listening.rs, outgoing.rs: sockets as `bind` and `server` lines describe them
//! check.rs     its health checks
//! takeover.rs  listening sockets from one process to the next
//! operator/    the stats socket
//! proxy_protocol.rs  for whom a connection speaks, in its first bytes
//! log/         what is logged, and where it goes
//! sessions.rs  all sessions, and who else events name
//! buffers.rs   bytes on their way: in memory (block.rs) or in the kernel (pipe.rs)
//! poll.rs, timers.rs, moment.rs, socket.rs: waiting, clocks, system calls
//! ```
//!
//! What a session does follows HAProxy 2.6; where that differs, `docs/notes/relay-differences.md` says how and why.

mod backend;
pub mod balance;
mod block;
mod buffers;
mod check;
pub mod cli;
mod counters;
mod frontend;
mod listening;
mod log;
mod moment;
mod operator;
mod outgoing;
mod pipe;
mod poll;
mod proxy_protocol;
mod queue;
mod server;
mod session;
mod sessions;
mod socket;
mod start;
mod takeover;
mod timers;
mod worker;

pub use cli::main;
