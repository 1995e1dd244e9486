//! What the proxy logs, and where it goes.
//!
//! ```text
//! mod.rs      a line and its targets
//! target.rs   one target: how a line is dressed for it, and sent
//! session.rs  a session's line
//! wall.rs     dates
//! ```
//!
//! Nothing here waits: a line that a target does not take at once is lost, as with HAProxy.

pub mod session;
mod target;
pub mod wall;

use std::time::SystemTime;

pub use target::Target;

use crate::config::{Facility, Severity};

/// A line before it is dressed for a target.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// How important it is.
    pub severity: Severity,
    /// When it is written.
    pub at: SystemTime,
    /// The program's name.
    pub tag: &'a str,
    /// The program's process.
    pub pid: u32,
    /// The host's name, where it is wanted.
    pub host: &'a str,
    /// The text, without a line break.
    pub text: &'a str,
}

/// The number that stands before a syslog line (RFC 5424, 6.2.1).
#[must_use]
fn priority(facility: Facility, severity: Severity) -> u32 {
    u32::from(facility.number()) * 8 + u32::from(severity.number())
}
