//! The `global` section's settings.

use std::path::PathBuf;
use std::time::Duration;

use super::{BindAddress, LogTarget, Position};

/// What the `global` sections say, taken together (manual, section 3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Global {
    /// The most connections that the process takes at once.
    pub maxconn: Option<u32>,
    /// How long after a soft stop the remaining sessions are ended.
    pub hard_stop_after: Option<Duration>,
    /// Where events of the process go, and sessions of proxies with `log global`.
    pub logs: Vec<LogTarget>,
    /// The program's name in log lines; `haproxy` unless set.
    pub log_tag: Option<String>,
    /// The host's name in log lines, where it is not the system's.
    pub log_send_hostname: Option<LogHostname>,
    /// Whom the process runs as (`user`, `uid`).
    pub user: Option<Identity>,
    /// The group that the process runs as (`group`, `gid`).
    pub group: Option<Identity>,
    /// The folder that becomes the root.
    pub chroot: Option<PathBuf>,
    /// Where the process writes its number.
    pub pidfile: Option<PathBuf>,
    /// Whether the process goes to the background.
    pub daemon: bool,
    /// Whether nothing is written to the standard outputs.
    pub quiet: bool,
    /// How many threads there are.
    pub nbthread: Option<u32>,
    /// The most descriptors that the process may have open.
    pub ulimit_n: Option<u32>,
    /// By how much the interval between two checks may differ by chance, in percent, from 0 to 50.
    pub spread_checks: u32,
    /// Within what time the first checks of all servers begin; `None` means their shortest interval.
    pub max_spread_checks: Option<Duration>,
    /// A text that describes the process.
    pub description: Option<String>,
    /// The node's name.
    pub node: Option<String>,
    /// Where operators ask and order.
    pub stats: Stats,
}

/// A user or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its name or number.
    pub who: Who,
    /// Where it is named, for an error when there is none of that name.
    pub position: Position,
}

/// How a user or a group is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// By its name (`user`, `group`).
    Name(String),
    /// By its number (`uid`, `gid`).
    Number(u32),
}

/// What `log-send-hostname` puts into log lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogHostname {
    /// The system's own name.
    System,
    /// This one.
    Name(String),
}

/// The sockets for operators (`stats socket`, `stats timeout`, `stats maxconn`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// The sockets.
    pub sockets: Vec<StatsSocket>,
    /// How long an operator may be silent; 10 s unless set.
    pub timeout: Option<Duration>,
    /// How many operators there may be at once; 10 unless set.
    pub maxconn: Option<u32>,
}

/// A socket for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsSocket {
    /// The address or path.
    pub address: BindAddress,
    /// What may be ordered there.
    pub level: StatsLevel,
    /// The file's mode; the system's unless set.
    pub mode: Option<u32>,
    /// The file's owner.
    pub user: Option<Identity>,
    /// The file's group.
    pub group: Option<Identity>,
    /// Whether another process gets the listening sockets there (`expose-fd listeners`).
    pub exposes_listeners: bool,
    /// Where it is.
    pub position: Position,
}

/// What operators may do on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum StatsLevel {
    /// See what is not sensitive.
    User,
    /// See everything.
    #[default]
    Operator,
    /// Change things.
    Admin,
}
