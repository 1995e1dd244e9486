//! Why a session ends, from the place where it happened to the log line.

use std::fmt;

use rustix::io::Errno;

use crate::log::{Cause as Letter, Phase, Termination};

/// One of the two connections of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Between client and proxy.
    Client,
    /// Between proxy and server.
    Server,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Client => "client",
            Side::Server => "server",
        })
    }
}

/// Which setting an inactivity timer of a leg follows (manual, 4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timer {
    /// `timeout client`, `timeout server`.
    #[default]
    Ordinary,
    /// `timeout tunnel`.
    Tunnel,
    /// `timeout client-fin`, `timeout server-fin`.
    Fin,
}

/// The event that began a session's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The peer sent FIN.
    Fin(Side),
    /// The connection broke: its kernel took a RST, or gave up.
    Broken(Side, Errno),
    /// An inactivity timer of this leg fired.
    Timeout(Side, Timer),
    /// No connection to a server could be made, all retries used.
    ConnectFailed(Errno),
    /// `timeout connect` passed, all retries used.
    ConnectTimeout,
    /// `timeout queue` passed.
    QueueTimeout,
    /// As many wait for its server as may (`maxqueue`).
    QueueFull,
    /// The client left before the server's side was there.
    ClientLeft,
    /// No server is up.
    NoServer,
    /// `on-marked-down shutdown-sessions`.
    ServerDown,
    /// `on-marked-up shutdown-backup-sessions`.
    ServerUp,
    /// The operator, or `hard-stop-after`.
    Killed,
}

impl Cause {
    /// The termination state that it gives in a phase; `None` for what ends a session in order, or may yet (manual, 8.5).
    #[must_use]
    pub fn termination(self, phase: Phase) -> Option<Termination> {
        let (cause, phase) = match self {
            Cause::Fin(_) => return None,
            // HAProxy takes an error of the client's connection for one in the data phase, whatever the server's side does.
            Cause::Broken(Side::Client, _) => (Letter::ClientAbort, Phase::Data),
            Cause::Broken(Side::Server, _) => (Letter::ServerAbort, Phase::Data),
            Cause::Timeout(Side::Client, _) => (Letter::ClientTimeout, phase),
            Cause::Timeout(Side::Server, _) => (Letter::ServerTimeout, phase),
            Cause::ConnectFailed(_) | Cause::NoServer => (Letter::ServerAbort, Phase::Connect),
            Cause::ConnectTimeout => (Letter::ServerTimeout, Phase::Connect),
            Cause::QueueTimeout => (Letter::ServerTimeout, Phase::Queue),
            Cause::QueueFull => (Letter::ServerAbort, Phase::Queue),
            Cause::ClientLeft => (Letter::ClientAbort, phase),
            Cause::ServerDown => (Letter::ServerDown, Phase::Normal),
            Cause::ServerUp => (Letter::ServerUp, Phase::Normal),
            Cause::Killed => (Letter::Killed, Phase::Normal),
        };
        Some(Termination { cause, phase })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Fin(side) => write!(f, "{side}:fin"),
            Cause::Broken(side, errno) => write!(f, "{side}:{}", name(*errno)),
            Cause::Timeout(side, Timer::Ordinary) => write!(f, "{side}:timeout-{side}"),
            Cause::Timeout(side, Timer::Fin) => write!(f, "{side}:timeout-{side}-fin"),
            Cause::Timeout(side, Timer::Tunnel) => write!(f, "{side}:timeout-tunnel"),
            Cause::ConnectFailed(errno) => write!(f, "server:connect-{}", name(*errno)),
            Cause::ConnectTimeout => f.write_str("server:timeout-connect"),
            Cause::QueueTimeout => f.write_str("server:timeout-queue"),
            Cause::QueueFull => f.write_str("proxy:queue-full"),
            Cause::ClientLeft => f.write_str("client:left"),
            Cause::NoServer => f.write_str("proxy:no-server"),
            Cause::ServerDown => f.write_str("proxy:server-down"),
            Cause::ServerUp => f.write_str("proxy:server-up"),
            Cause::Killed => f.write_str("proxy:killed"),
        }
    }
}

/// The error's name as errno(3) has it.
fn name(errno: Errno) -> String {
    format!("{:?}", nix::errno::Errno::from_raw(errno.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(cause: Cause, phase: Phase) -> String {
        cause.termination(phase).map_or("--".into(), |termination| termination.to_string())
    }

    #[test]
    fn every_cause_has_the_letters_of_the_manual() {
        assert_eq!(letters(Cause::Fin(Side::Client), Phase::Data), "--");
        assert_eq!(letters(Cause::Broken(Side::Server, Errno::CONNRESET), Phase::Data), "SD");
        assert_eq!(letters(Cause::Timeout(Side::Client, Timer::Ordinary), Phase::Data), "cD");
        assert_eq!(letters(Cause::ConnectTimeout, Phase::Data), "sC");
        assert_eq!(letters(Cause::QueueTimeout, Phase::Data), "sQ");
        assert_eq!(letters(Cause::NoServer, Phase::Data), "SC");
        assert_eq!(letters(Cause::Killed, Phase::Data), "K-");
        assert_eq!(letters(Cause::ServerDown, Phase::Data), "D-");
    }

    #[test]
    fn a_cause_is_written_with_its_side_and_its_errno() {
        assert_eq!(Cause::Broken(Side::Client, Errno::TIMEDOUT).to_string(), "client:ETIMEDOUT");
        assert_eq!(Cause::Timeout(Side::Server, Timer::Fin).to_string(), "server:timeout-server-fin");
    }
}
