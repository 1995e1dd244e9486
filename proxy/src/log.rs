//! A line of HAProxy's log as `option tcplog` writes it (configuration manual, section 8.2.2).

mod notice;
mod termination;

use std::net::SocketAddr;
use std::time::Duration;

pub use notice::Notice;
pub use termination::{Cause, Phase, Termination};

use crate::Date;

/// One session, as HAProxy logged it when it had ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionLog {
    /// The process that wrote the line, when it came with a syslog prefix: its id in its own PID namespace.
    pub pid: Option<u32>,
    /// The client's address; `None` if it came over a Unix socket.
    pub client: Option<SocketAddr>,
    /// When the connection was accepted (milliseconds, the machine's local time).
    pub accepted: Date,
    /// The frontend that accepted it.
    pub frontend: String,
    /// The backend that handled it.
    pub backend: String,
    /// The last server it was sent to; `None` if it reached none (`<NOSRV>`).
    pub server: Option<String>,
    /// Tw: the time spent in queues; `None` if the session ended before it got that far (-1).
    pub queued: Option<Duration>,
    /// Tc: the time it took to connect to the server, retries included; `None` if it never did (-1).
    pub connected: Option<Duration>,
    /// Tt: from accept to the *last* close. A session whose peer ignores the proxy's FIN ends long after the event that
    /// [`SessionLog::termination`] names.
    pub total: Duration,
    /// Bytes sent from the server to the client.
    pub bytes: u64,
    /// Whether the line was written before the end (`option logasap`), so that time and bytes are lower bounds.
    pub unfinished: bool,
    /// Who ended the session, and in which phase.
    pub termination: Termination,
    /// How many connections there were when the line was written.
    pub connections: Connections,
    /// How often the connection to the server was tried again.
    pub retries: u32,
    /// Whether it was sent to another server than the first (`option redispatch`).
    pub redispatched: bool,
    /// The sessions that were before this one in the server's queue.
    pub server_queue: u32,
    /// The sessions that were before this one in the backend's queue.
    pub backend_queue: u32,
}

/// How many connections there were when a session was logged, itself no longer among them at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// Of the process.
    pub process: u32,
    /// Of the frontend.
    pub frontend: u32,
    /// Of the backend, queues included.
    pub backend: u32,
    /// Of the server.
    pub server: u32,
}

/// Why a line is not a session's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The line has no client and accept date: it tells something else (a server that went down, a proxy that stopped).
    #[error("this log line tells of no session: {line:?}")]
    NotASession {
        /// The line.
        line: String,
    },
    /// A field is missing or is not what section 8.2.2 says.
    #[error(
        "the log line's field {field} is {found:?}, which option tcplog does not write; does the proxy have a log-format of its own?"
    )]
    Field {
        /// Its name in the manual.
        field: &'static str,
        /// What stands there.
        found: String,
    },
}

impl SessionLog {
    /// Reads a line, with or without a syslog prefix (`<134>Nov 23 06:35:48 haproxy[5873]: `).
    ///
    /// # Errors
    /// [`LogError::NotASession`] for the other lines that HAProxy logs, [`LogError::Field`] for one in another format.
    pub fn parse(line: &str) -> Result<SessionLog, LogError> {
        let line = line.trim_end();
        let not_a_session = || LogError::NotASession { line: line.to_owned() };
        let (before, accepted, after) = split_at_date(line).ok_or_else(not_a_session)?;
        let client = before.rsplit(' ').next().unwrap_or(before);
        let mut fields = after.split_whitespace();
        let mut next = |field| fields.next().ok_or(LogError::Field { field, found: String::new() });

        let frontend = next("frontend_name")?;
        let (backend, server) = pair("backend_name/server_name", next("backend_name/server_name")?)?;
        let times = next("Tw/Tc/Tt")?;
        let bytes = next("bytes_read")?;
        let state = next("termination_state")?;
        let counts = next("actconn/feconn/beconn/srv_conn/retries")?;
        let queues = next("srv_queue/backend_queue")?;

        let [queued, connected, total] = split("Tw/Tc/Tt", times)?;
        let [process, in_frontend, in_backend, on_server, retries] =
            split("actconn/feconn/beconn/srv_conn/retries", counts)?;
        let [server_queue, backend_queue] = split("srv_queue/backend_queue", queues)?;
        Ok(SessionLog {
            pid: pid(before),
            client: client_address(client)?,
            accepted,
            // HAProxy marks a frontend's connection over TLS with a tilde.
            frontend: frontend.trim_end_matches('~').to_owned(),
            backend: backend.to_owned(),
            server: (server != "<NOSRV>").then(|| server.to_owned()),
            queued: timer("Tw", queued)?,
            connected: timer("Tc", connected)?,
            total: Duration::from_millis(integer("Tt", total.trim_start_matches('+'))?),
            bytes: integer("bytes_read", bytes.trim_start_matches('+'))?,
            unfinished: total.starts_with('+') || bytes.starts_with('+'),
            termination: Termination::parse(state).ok_or_else(|| wrong("termination_state", state))?,
            connections: Connections {
                process: integer("actconn", process)?,
                frontend: integer("feconn", in_frontend)?,
                backend: integer("beconn", in_backend)?,
                server: integer("srv_conn", on_server)?,
            },
            retries: integer("retries", retries.trim_start_matches('+'))?,
            redispatched: retries.starts_with('+'),
            server_queue: integer("srv_queue", server_queue)?,
            backend_queue: integer("backend_queue", backend_queue)?,
        })
    }

    /// When the session ended, as [`Date::since_1970`] counts: later than the cause when a peer ignored a FIN.
    #[must_use]
    pub fn ended_since_1970(&self) -> Duration {
        self.accepted.since_1970() + self.total
    }
}

fn wrong(field: &'static str, found: &str) -> LogError {
    LogError::Field { field, found: found.to_owned() }
}

/// The line around its accept date, ` [23/Nov/2026:06:35:44.625] `: no other brackets of a log line hold a date.
fn split_at_date(line: &str) -> Option<(&str, Date, &str)> {
    line.match_indices(" [").find_map(|(at, opening)| {
        let rest = &line[at + opening.len()..];
        let (date, after) = rest.split_once(']')?;
        Some((&line[..at], Date::parse(date)?, after))
    })
}

/// The process id in a syslog tag, `haproxy[5873]:`.
fn pid(before_date: &str) -> Option<u32> {
    let (tag, _) = before_date.rsplit_once("]:")?;
    let (_, pid) = tag.rsplit_once('[')?;
    pid.parse().ok()
}

/// `address:port`, where HAProxy writes IPv6 addresses without brackets, or `unix:id`.
fn client_address(text: &str) -> Result<Option<SocketAddr>, LogError> {
    let field = "client_ip:client_port";
    let (address, port) = text.rsplit_once(':').ok_or_else(|| wrong(field, text))?;
    if address == "unix" {
        return Ok(None);
    }
    let address = address.parse().map_err(|_| wrong(field, text))?;
    Ok(Some(SocketAddr::new(address, port.parse().map_err(|_| wrong(field, text))?)))
}

fn pair<'a>(field: &'static str, text: &'a str) -> Result<(&'a str, &'a str), LogError> {
    text.split_once('/').ok_or_else(|| wrong(field, text))
}

/// Exactly `N` parts between slashes.
fn split<'a, const N: usize>(field: &'static str, text: &'a str) -> Result<[&'a str; N], LogError> {
    let parts: Vec<&str> = text.split('/').collect();
    parts.try_into().map_err(|_| wrong(field, text))
}

fn integer<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<T, LogError> {
    text.parse().map_err(|_| wrong(field, text))
}

/// Milliseconds, or -1 for what never happened.
fn timer(field: &'static str, text: &str) -> Result<Option<Duration>, LogError> {
    if text == "-1" {
        return Ok(None);
    }
    integer(field, text).map(|milliseconds| Some(Duration::from_millis(milliseconds)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINE: &str = "<134>Nov 23 06:35:48 haproxy[5873]: 10.9.0.1:20170 [23/Nov/2026:06:35:44.625] lb lb/s1 1/0/3504 10 cD 1/1/0/0/0 0/0";

    #[test]
    fn a_line_with_a_syslog_prefix_gives_every_field() {
        let log = SessionLog::parse(LINE).unwrap();
        assert_eq!(log.pid, Some(5873));
        assert_eq!(log.client, Some("10.9.0.1:20170".parse().unwrap()));
        assert_eq!((log.frontend.as_str(), log.backend.as_str(), log.server.as_deref()), ("lb", "lb", Some("s1")));
        assert_eq!(log.queued, Some(Duration::from_millis(1)));
        assert_eq!(log.connected, Some(Duration::ZERO));
        assert_eq!(log.total, Duration::from_millis(3504));
        assert_eq!(log.bytes, 10);
        assert_eq!(log.termination.to_string(), "cD");
        assert_eq!(log.connections, Connections { process: 1, frontend: 1, backend: 0, server: 0 });
        assert!(!log.unfinished && !log.redispatched);
    }

    #[test]
    fn a_bare_line_reads_like_one_with_a_prefix() {
        let bare = LINE.split_once("]: ").unwrap().1;
        assert_eq!(SessionLog::parse(bare).unwrap(), SessionLog { pid: None, ..SessionLog::parse(LINE).unwrap() });
    }

    #[test]
    fn a_session_without_server_has_neither_server_nor_connect_time() {
        let log =
            SessionLog::parse("::1:5000 [06/Feb/2009:12:12:51.443] fnt~ bck/<NOSRV> -1/-1/+7 +212 SC 0/0/0/0/+3 1/2")
                .unwrap();
        assert_eq!(log.client, Some("[::1]:5000".parse().unwrap()));
        assert_eq!((log.frontend.as_str(), log.server.as_deref()), ("fnt", None));
        assert_eq!((log.queued, log.connected), (None, None));
        assert!(log.unfinished && log.redispatched);
        assert_eq!((log.retries, log.server_queue, log.backend_queue), (3, 1, 2));
    }

    #[test]
    fn a_line_about_a_server_is_not_a_session() {
        let line = "<129>Nov 23 06:37:07 haproxy[13071]: Server lb/s1 is going DOWN for maintenance. 0 active and 0 backup servers left.";
        assert!(matches!(SessionLog::parse(line), Err(LogError::NotASession { .. })));
    }

    #[test]
    fn a_log_format_of_its_own_is_named_with_the_field_that_does_not_fit() {
        let error = SessionLog::parse("10.9.0.1:20170 [23/Nov/2026:06:35:44.625] lb lb/s1 1/0 10 cD").unwrap_err();
        assert!(matches!(error, LogError::Field { .. }), "{error}");
    }

    #[test]
    fn every_line_that_haproxy_wrote_is_a_session_or_tells_of_a_proxy_or_server() {
        for line in include_str!("../tests/fixtures/haproxy.log").lines() {
            match SessionLog::parse(line) {
                Ok(log) => assert_eq!(log.frontend, "lb"),
                Err(LogError::NotASession { .. }) => assert!(!line.contains("10.9.0.1:"), "{line}"),
                Err(error) => panic!("{error}"),
            }
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(line in "\\PC*") {
            let _ = SessionLog::parse(&line);
        }

        #[test]
        fn no_damage_to_a_line_makes_it_panic(at in 0..LINE.len(), with in "\\PC{0,3}") {
            let _ = SessionLog::parse(&format!("{}{with}{}", &LINE[..at], &LINE[at + 1..]));
        }
    }
}
