//! Logs of proxies whose words are not HAProxy's, read by patterns.
//!
//! A pattern is a regular expression with named groups: `client`, `source` and `server` are addresses with ports (who opened the
//! session; the proxy's own end of the server's leg; the server), `session` is whatever the proxy tells its sessions apart by. What
//! one line of a session has said, its later lines need not say again. `why` is what the proxy calls the session's end.

use std::collections::HashMap;
use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex, PoisonError};

use regex::{Captures, Regex};

use super::Surroundings;
use crate::evidence::{Fact, Pair, ProxyLog};
use crate::lab::process::ReadLine;

/// The groups that a pattern may name.
pub const GROUPS: [&str; 5] = ["session", "client", "source", "server", "why"];

/// A kind of line, and what it says.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// What the line looks like.
    pub line: Regex,
    /// If it tells why a session ended: HAProxy's termination state for that (manual, 8.5).
    pub state: Option<String>,
}

/// What the lines of one session have said so far.
#[derive(Clone, Debug, Default)]
struct Session {
    client: Option<SocketAddrV4>,
    source: Option<SocketAddrV4>,
    server: Option<SocketAddrV4>,
    /// Lines that told of an end, which then was none: of attempts to connect, all but the last.
    ended_before: u32,
}

/// A reader of such a log.
///
/// `port` is where the proxy listens; the first pattern that fits a line reads it.
#[must_use]
pub fn reader(patterns: Vec<Pattern>, service: &Surroundings<'_>, port: Option<u16>) -> ReadLine {
    let sessions = Mutex::new(HashMap::<String, Session>::new());
    let listener = port.map(|port| SocketAddrV4::new(service.address, port));
    Arc::new(move |service, line| {
        let (pattern, found) = patterns.iter().find_map(|p| Some((p, p.line.captures(line)?)))?;
        let group = |name| found.name(name).map(|found| found.as_str());
        let key = group("session").or_else(|| group("client"))?.to_owned();
        let mut sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.entry(key.clone()).or_default();
        let was_joined = session.legs(listener).is_some();
        session.learn(&found);
        match &pattern.state {
            Some(state) => {
                let why = group("why").unwrap_or_else(|| found.get(0).map_or(line, |whole| whole.as_str()));
                session.ends(service, &key, (state, why), line)
            }
            None => session.legs(listener).filter(|_| !was_joined).map(|(client, server)| Fact::ProxySession {
                service: service.into(),
                client,
                server,
            }),
        }
    })
}

impl Session {
    fn learn(&mut self, found: &Captures<'_>) {
        let address = |name| found.name(name)?.as_str().parse::<SocketAddrV4>().ok();
        if found.name("client").is_some() {
            *self = Session::default();
        }
        self.client = address("client").or(self.client);
        self.source = address("source").or(self.source);
        self.server = address("server").or(self.server);
    }

    /// Both legs as the proxy sees them, once they are known.
    fn legs(&self, listener: Option<SocketAddrV4>) -> Option<(Pair, Pair)> {
        let client = Pair { local: listener?, remote: self.client? };
        Some((client, Pair { local: self.source?, remote: self.server? }))
    }

    fn ends(&mut self, service: &str, key: &str, (state, why): (&str, &str), line: &str) -> Option<Fact> {
        let retries = self.ended_before;
        self.ended_before += 1;
        Some(Fact::ProxyLog(ProxyLog {
            service: service.into(),
            client: self.client?,
            frontend: String::new(),
            backend: String::new(),
            server: self.server.map(|server| server.to_string()),
            total_ms: None,
            bytes: 0,
            termination: state.into(),
            words: Some(why.into()),
            session: Some(key.into()),
            retries: Some(retries),
            connected: Some(self.source.is_some()),
            line: line.into(),
        }))
    }
}
