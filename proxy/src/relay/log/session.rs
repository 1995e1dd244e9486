//! A session's line, as a format has it (manual, 8.2.2 and 8.2.6): `option tcplog` and `log-format` differ in their format only.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use super::wall;
use crate::config::{Flags, Piece, SessionFormat, Variable};
use crate::log::Termination;
use crate::relay::session::Cause;

/// All that a line can tell of a session.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// When it was accepted.
    pub accepted: SystemTime,
    /// The client's address.
    pub client: SocketAddr,
    /// The address that the client came to, where it was asked for.
    pub came_to: Option<SocketAddr>,
    /// Both ends of the connection to the server, where they were asked for: the proxy's, the server's.
    pub upstream: Option<(SocketAddr, SocketAddr)>,
    /// The frontend's name.
    pub frontend: &'a str,
    /// The backend's name.
    pub backend: &'a str,
    /// The server's name.
    pub server: Option<&'a str>,
    /// Its times.
    pub times: Times,
    /// The line is written before the session has ended: time and bytes will be more.
    pub unfinished: bool,
    /// Bytes from the client, and from the server.
    pub bytes: [u64; 2],
    /// How it ended.
    pub termination: Termination,
    /// The event that began its end.
    pub cause: Option<Cause>,
    /// Connections of the process, the frontend, the backend, the server.
    pub connections: [u32; 4],
    /// How often a connection failed.
    pub retries: u32,
    /// Whether it was sent to another server than the first.
    pub redispatched: bool,
    /// Its positions in the queues of servers, and of the backend.
    pub queued: (u32, u32),
    /// Its number among the sessions that began, from 0 on.
    pub turn: u64,
    /// How many lines the frontend has logged before.
    pub lines: u64,
    /// The process.
    pub pid: u32,
}

/// How long a session took, in milliseconds; `None` for what never happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// Until the client had said whom it speaks for (Th).
    pub handshake: Option<u64>,
    /// In queues (Tw).
    pub queue: Option<u64>,
    /// Until the server's connection stood (Tc).
    pub connect: Option<u64>,
    /// From there to the end (Td).
    pub data: Option<u64>,
    /// In all (Tt).
    pub total: u64,
}

/// Writes the line.
#[must_use]
pub fn line(format: &SessionFormat, facts: &Facts<'_>) -> String {
    let mut line = Line { text: String::with_capacity(200), spaced: true };
    for piece in &format.pieces {
        match piece {
            Piece::Text(text) => line.push(text),
            Piece::Space if line.spaced => {}
            Piece::Space => {
                line.text.push(' ');
                line.spaced = true;
            }
            Piece::Variable(variable, flags) => line.variable(*variable, *flags, facts),
        }
    }
    line.text
}

struct Line {
    text: String,
    /// Another space would be one too many.
    spaced: bool,
}

impl Line {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.spaced = false;
    }

    fn variable(&mut self, variable: Variable, flags: Flags, facts: &Facts<'_>) {
        let [process, frontend, backend, server] = facts.connections;
        match variable {
            Variable::ClientIp => self.ip(Some(facts.client.ip()), flags),
            Variable::ClientPort => self.port(Some(facts.client.port()), flags),
            Variable::FrontendIp => self.ip(facts.came_to.map(|at| at.ip()), flags),
            Variable::FrontendPort => self.port(facts.came_to.map(|at| at.port()), flags),
            Variable::BackendIp => self.ip(facts.upstream.map(|(near, _)| near.ip()), flags),
            Variable::BackendPort => self.port(facts.upstream.map(|(near, _)| near.port()), flags),
            Variable::ServerIp => self.ip(facts.upstream.map(|(_, far)| far.ip()), flags),
            Variable::ServerPort => self.port(facts.upstream.map(|(_, far)| far.port()), flags),
            Variable::Frontend => self.name(facts.frontend, flags),
            Variable::Backend => self.name(facts.backend, flags),
            Variable::Server => self.name(facts.server.unwrap_or("<NOSRV>"), flags),
            Variable::Host => self.name(&rustix::system::uname().nodename().to_string_lossy(), flags),
            Variable::UniqueId | Variable::Tls => self.name("", flags),
            Variable::Captured => {}
            Variable::Date => self.push(&wall::accept_date(facts.accepted)),
            Variable::DateGmt => self.push(&wall::gmt_date(facts.accepted)),
            Variable::DateLocal => self.push(&wall::local_date(facts.accepted)),
            Variable::Seconds => self.number(since_1970(facts).as_secs(), 4, flags),
            Variable::Milliseconds if flags.hexadecimal => {
                self.push(&format!("{:02X}", since_1970(facts).subsec_millis()));
            }
            Variable::Milliseconds => self.push(&format!("{:03}", since_1970(facts).subsec_millis())),
            Variable::Pid => self.number(facts.pid.into(), 4, flags),
            Variable::SessionCounter => self.number(facts.turn, 4, flags),
            Variable::LogCounter => self.number(facts.lines, 4, flags),
            Variable::HandshakeTime => self.plain(or_never(facts.times.handshake)),
            Variable::QueueTime => self.plain(or_never(facts.times.queue)),
            Variable::ConnectTime => self.plain(or_never(facts.times.connect)),
            Variable::DataTime => self.plain(or_never(facts.times.data)),
            Variable::TotalTime | Variable::UserTime => self.more(facts, facts.times.total),
            Variable::BytesRead => self.more(facts, facts.bytes[1]),
            Variable::BytesUploaded => self.plain(facts.bytes[0]),
            Variable::Status => self.plain(0),
            Variable::Termination => self.plain(facts.termination),
            Variable::TerminationAndCookie => self.plain(format_args!("{}--", facts.termination)),
            Variable::ProcessConnections => self.plain(process),
            Variable::FrontendConnections => self.plain(frontend),
            Variable::BackendConnections => self.plain(backend),
            Variable::ServerConnections => self.plain(server),
            Variable::Retries => {
                self.plain(format_args!("{}{}", if facts.redispatched { "+" } else { "" }, facts.retries))
            }
            Variable::ServerQueue => self.plain(facts.queued.0),
            Variable::BackendQueue => self.plain(facts.queued.1),
            Variable::Cause => {
                if let Some(cause) = facts.cause {
                    self.plain(format_args!(" cause={cause}"));
                }
            }
        }
    }

    fn plain(&mut self, what: impl std::fmt::Display) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{what}");
        self.spaced = false;
    }

    /// A number that is a lower bound in a line that comes before the end.
    fn more(&mut self, facts: &Facts<'_>, number: u64) {
        if facts.unfinished {
            self.push("+");
        }
        self.plain(number);
    }

    fn number(&mut self, number: u64, digits: usize, flags: Flags) {
        if flags.hexadecimal { self.push(&format!("{number:0digits$X}")) } else { self.plain(number) }
    }

    fn name(&mut self, name: &str, flags: Flags) {
        let quote = if flags.quoted { "\"" } else { "" };
        self.push(quote);
        match name {
            "" if flags.dash && !flags.quoted => self.push("-"),
            name if flags.escaped => self.push(&name.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]")),
            name => self.push(name),
        }
        self.push(quote);
    }

    fn ip(&mut self, ip: Option<IpAddr>, flags: Flags) {
        match ip {
            Some(IpAddr::V4(ip)) if flags.hexadecimal => self.push(&hexadecimal(&ip.octets())),
            Some(IpAddr::V6(ip)) if flags.hexadecimal => self.push(&hexadecimal(&ip.octets())),
            Some(ip) => self.name(&ip.to_string(), flags),
            None => self.name("", flags),
        }
    }

    fn port(&mut self, port: Option<u16>, flags: Flags) {
        match port {
            Some(port) => self.number(port.into(), 4, flags),
            None => self.name("", flags),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn since_1970(facts: &Facts<'_>) -> Duration {
    facts.accepted.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// -1 stands for what never happened.
fn or_never(time: Option<u64>) -> String {
    time.map_or_else(|| "-1".into(), |time| time.to_string())
}
