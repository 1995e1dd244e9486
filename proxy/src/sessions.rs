//! What HAProxy's stats socket answers to `show sess all` (management guide, section 9.3), in the form of version 2.6.
//!
//! It is the one place where HAProxy tells which connection to a server belongs to which connection of a client: its log
//! has no port of the server's side.

use std::net::SocketAddr;
use std::time::Duration;

use crate::Date;

/// A session that HAProxy has open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// HAProxy's own name of it (an address in its memory): the same in two lists for as long as the session lives.
    pub handle: String,
    /// The number that HAProxy gave it, counted from its start (`id=`).
    pub id: u64,
    /// When it was accepted (microseconds, the machine's local time).
    pub accepted: Date,
    /// The client's address and port; `None` for what came over a Unix socket, as the stats socket itself does.
    pub client: Option<SocketAddr>,
    /// The frontend that accepted it.
    pub frontend: String,
    /// The address that the client connected to.
    pub listener: Option<SocketAddr>,
    /// The backend; `None` while it has none.
    pub backend: Option<String>,
    /// The address and port that HAProxy connects to the server *from*.
    pub source: Option<SocketAddr>,
    /// The server's name; `None` while it has none.
    pub server: Option<String>,
    /// The server's address and port.
    pub server_address: Option<SocketAddr>,
    /// How long it has been there, in whole seconds.
    pub age: Duration,
    /// From the client to the server.
    pub request: Channel,
    /// From the server to the client.
    pub response: Channel,
}

/// One direction of a session. Remaining times are in whole seconds, cut off; `None` means that the timer does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Channel {
    /// All bytes that came in so far.
    pub total: u64,
    /// Until HAProxy gives up *reading* from the channel's sender (`rex`).
    pub read_expires: Option<Duration>,
    /// Until it gives up *writing* to the channel's receiver (`wex`): runs only while bytes wait to be written.
    pub write_expires: Option<Duration>,
    /// Until an analyser gives up (`an_exp`).
    pub analysis_expires: Option<Duration>,
    /// Bytes in the buffer that wait to be written (`o`).
    pub output: u64,
}

/// Why an answer is not a list of sessions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the answer of HAProxy to `show sess all` has a session without a readable {field}: {text:?}; this reads the format of HAProxy 2.6"
)]
pub struct SessionsError {
    /// What is missing.
    pub field: &'static str,
    /// The line where it should be.
    pub text: String,
}

/// Reads the whole answer. An empty one is no session.
///
/// # Errors
/// If a session lacks what joins its connections or orders it in time. Fields that say more about it may be missing.
pub fn parse(text: &str) -> Result<Vec<Session>, SessionsError> {
    records(text).iter().map(|lines| session(lines)).collect()
}

/// The lines of each session: the first stands at the margin, the others are indented.
fn records(text: &str) -> Vec<Vec<&str>> {
    let mut records: Vec<Vec<&str>> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match records.last_mut() {
            Some(record) if line.starts_with(' ') => record.push(line.trim_start()),
            _ => records.push(vec![line]),
        }
    }
    records
}

fn session(lines: &[&str]) -> Result<Session, SessionsError> {
    let head = lines.first().copied().unwrap_or_default();
    let missing = |field| SessionsError { field, text: head.to_owned() };
    let (handle, rest) = head.split_once(": [").ok_or_else(|| missing("handle"))?;
    let (date, rest) = rest.split_once(']').ok_or_else(|| missing("date"))?;
    let line = |start: &str| lines.iter().copied().find(|line| line.starts_with(start)).unwrap_or_default();

    let (frontend, backend, server) = (line("frontend="), line("backend="), line("server="));
    Ok(Session {
        handle: handle.to_owned(),
        id: value(rest, "id").and_then(|id| id.parse().ok()).ok_or_else(|| missing("id"))?,
        accepted: Date::parse(date).ok_or_else(|| missing("date"))?,
        client: address(rest, "source"),
        frontend: name(frontend, "frontend").ok_or_else(|| missing("frontend"))?,
        listener: address(frontend, "addr"),
        backend: name(backend, "backend"),
        source: address(backend, "addr"),
        server: name(server, "server"),
        server_address: address(server, "addr"),
        age: value(line("task="), "age").and_then(human_time).ok_or_else(|| missing("age"))?,
        request: channel(lines, "req="),
        response: channel(lines, "res="),
    })
}

/// A channel's numbers stand on its own line and on the two behind it.
fn channel(lines: &[&str], start: &str) -> Channel {
    let Some(at) = lines.iter().position(|line| line.starts_with(start)) else {
        return Channel::default();
    };
    let find = |key| lines[at..].iter().take(3).find_map(|line| value(line, key));
    let number = |key| find(key).and_then(|text| text.parse().ok()).unwrap_or(0);
    let time = |key| find(key).and_then(human_time);
    Channel {
        total: number("total"),
        read_expires: time("rex"),
        write_expires: time("wex"),
        analysis_expires: time("an_exp"),
        output: number("o"),
    }
}

/// What stands behind `key=`, up to a space, comma or closing parenthesis.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.split([' ', '(', ',', ')']).find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

/// The name behind `key=`, unless it is `<NONE>`.
fn name(line: &str, key: &str) -> Option<String> {
    value(line, key).filter(|name| *name != "<NONE>").map(str::to_owned)
}

/// `address:port`, where HAProxy writes IPv6 addresses without brackets; `None` for `unix:1`.
fn address(line: &str, key: &str) -> Option<SocketAddr> {
    let (address, port) = value(line, key)?.rsplit_once(':')?;
    Some(SocketAddr::new(address.parse().ok()?, port.parse().ok()?))
}

/// A time as HAProxy's `human_time` writes it, `59s`, `1m58s`, `3h2m`, `1d4h`; `None` for `<NEVER>` and for what has passed (`?`).
fn human_time(text: &str) -> Option<Duration> {
    let mut seconds: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let count: u64 = rest[..digits].parse().ok()?;
        let mut behind = rest[digits..].chars();
        let unit = match behind.next()? {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(count.checked_mul(unit)?)?;
        rest = behind.as_str();
    }
    (!text.is_empty()).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IDLE: &str = include_str!("../tests/fixtures/sessions-idle.txt");
    const CLIENT_STUCK: &str = include_str!("../tests/fixtures/sessions-client-window-zero.txt");
    const SERVER_STUCK: &str = include_str!("../tests/fixtures/sessions-server-window-zero.txt");

    #[test]
    fn an_idle_session_gives_the_four_addresses_of_its_two_connections() {
        let sessions = parse(IDLE).unwrap();
        let idle = &sessions[0];
        assert_eq!(idle.client, Some("10.9.0.1:20186".parse().unwrap()));
        assert_eq!(idle.listener, Some("10.9.0.2:5001".parse().unwrap()));
        assert_eq!(idle.source, Some("10.9.0.2:20124".parse().unwrap()));
        assert_eq!(idle.server_address, Some("10.9.0.3:7000".parse().unwrap()));
        assert_eq!(
            (idle.frontend.as_str(), idle.backend.as_deref(), idle.server.as_deref()),
            ("lb", Some("lb"), Some("s1"))
        );
    }

    #[test]
    fn an_idle_session_waits_for_both_peers_to_send() {
        let idle = &parse(IDLE).unwrap()[0];
        assert_eq!(idle.request.read_expires, Some(Duration::from_secs(2)));
        assert_eq!(idle.response.read_expires, Some(Duration::from_secs(4)));
        assert_eq!((idle.request.write_expires, idle.response.write_expires), (None, None));
        assert_eq!((idle.request.total, idle.response.total), (10, 10));
    }

    #[test]
    fn the_stats_socket_is_a_session_without_addresses() {
        let own = &parse(IDLE).unwrap()[1];
        assert_eq!((own.client, own.source, own.server_address), (None, None, None));
        assert_eq!((own.frontend.as_str(), own.backend.as_deref()), ("GLOBAL", None));
    }

    #[test]
    fn a_client_that_does_not_read_makes_the_write_timer_of_the_response_run() {
        let stuck = &parse(CLIENT_STUCK).unwrap()[0];
        assert_eq!(stuck.response.write_expires, Some(Duration::from_secs(1)));
        assert_eq!((stuck.response.output, stuck.response.read_expires), (16384, None));
    }

    #[test]
    fn a_server_that_does_not_read_makes_the_write_timer_of_the_request_run() {
        let stuck = &parse(SERVER_STUCK).unwrap()[0];
        assert_eq!(stuck.request.write_expires, Some(Duration::from_secs(1)));
        assert_eq!(stuck.request.output, 16384);
    }

    #[test]
    fn times_of_two_units_add_up() {
        assert_eq!(human_time("1m58s"), Some(Duration::from_secs(118)));
        assert_eq!(human_time("1d4h"), Some(Duration::from_secs(100_800)));
        assert_eq!(human_time("<NEVER>"), None);
        assert_eq!(human_time("?"), None);
    }

    #[test]
    fn no_answer_is_no_session() {
        assert_eq!(parse("\n"), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = parse(&text);
        }

        #[test]
        fn no_answer_cut_short_makes_it_panic(at in 0..IDLE.len()) {
            let _ = parse(&IDLE[..at]);
        }
    }
}
