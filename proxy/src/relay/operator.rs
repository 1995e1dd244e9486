//! The stats socket: what the operator asks and orders, as on HAProxy's (management guide, 9.3). A further command is one entry in
//! [`COMMANDS`].

use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write as _};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use super::backend::Backend;
use super::frontend::Frontend;
use super::log::wall;
use super::moment::{Limit, Moment};
use super::poll::Key;
use super::session::{Session, Side};
use super::sessions::{Keyed, Sessions};
use super::socket;
use crate::config::StatsLevel;

/// The longest command.
const LONGEST: usize = 1024;

/// Something that can be said on the socket.
struct Command {
    /// How it begins; what follows are its arguments.
    words: &'static str,
    takes: &'static str,
    about: &'static str,
    least: StatsLevel,
    answer: fn(&View<'_>, &str) -> Answer,
}

/// What comes of a command.
#[derive(Debug)]
enum Answer {
    /// This is told.
    Text(String),
    /// This is done, and nothing is told.
    Order(Order),
}

/// What an operator can make the proxy do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// End the sessions on a server: the backend, by its place, and the server, by its place in it.
    EndSessions(usize, usize),
}

/// What can be said.
const COMMANDS: &[Command] = &[
    Command {
        words: "show sess all",
        takes: "",
        about: "every session with its two connections and their timers",
        least: StatsLevel::Operator,
        answer: |view, _| Answer::Text(show_sessions(view)),
    },
    Command {
        words: "shutdown sessions server",
        takes: "<backend>/<server>",
        about: "end the sessions on a server",
        least: StatsLevel::Admin,
        answer: shutdown_sessions,
    },
];

/// What an answer is made of.
#[derive(Debug)]
pub struct View<'a> {
    /// The sessions.
    pub sessions: &'a Sessions,
    /// The frontends.
    pub frontends: &'a [Frontend],
    /// The backends.
    pub backends: &'a [Backend],
    /// The moment.
    pub now: Moment,
}

/// The stats sockets, and who is connected to them.
#[derive(Debug, Default)]
pub struct Operators {
    sockets: Vec<(UnixListener, StatsLevel)>,
    connected: Keyed<Operator>,
    /// `stats timeout`.
    limit: Limit,
    /// `stats maxconn`.
    most: usize,
}

#[derive(Debug)]
struct Operator {
    stream: UnixStream,
    level: StatsLevel,
    asked: Vec<u8>,
    /// What is to be written, and how much of it is.
    answer: Option<(Vec<u8>, usize)>,
}

impl Operators {
    /// The sockets, ready to be asked; an operator may be silent for `limit`.
    #[must_use]
    pub fn new(sockets: Vec<(UnixListener, StatsLevel)>, limit: Duration, most: usize) -> Operators {
        Operators { sockets, connected: Keyed::default(), limit: Some(limit).into(), most }
    }

    /// The sockets that are listened on.
    pub fn sockets(&self) -> impl Iterator<Item = impl AsFd + '_> {
        self.sockets.iter().map(|(socket, _)| socket)
    }

    /// The next operator who waits, and until when it may be silent. One too many is sent away.
    pub fn accept(&mut self, place: usize, now: Moment) -> Option<(Key, Moment)> {
        let (socket, level) = self.sockets.get(place)?;
        let (level, (stream, _)) = (*level, socket.accept().ok()?);
        if self.connected.len() >= self.most {
            return None;
        }
        stream.set_nonblocking(true).ok()?;
        let key = self.connected.insert(Operator { stream, level, asked: Vec::new(), answer: None });
        Some((key, now.after(self.limit)))
    }

    /// An operator's connection.
    #[must_use]
    pub fn stream(&self, key: Key) -> Option<impl AsFd + '_> {
        self.connected.get(key).map(|operator| operator.stream.as_fd())
    }

    /// Ends an operator's connection.
    pub fn dismiss(&mut self, key: Key) {
        self.connected.remove(key);
    }

    /// Reads what an operator says, and answers; one line is answered, and the connection ends. What is ordered is for the caller
    /// to do.
    pub fn serve(&mut self, key: Key, view: &View<'_>) -> Option<Order> {
        let operator = self.connected.get_mut(key)?;
        let order = if operator.answer.is_none() { operator.listen(view) } else { None };
        if operator.is_served() {
            self.dismiss(key);
        }
        order
    }
}

impl Operator {
    /// Reads until a line is there, and makes the answer to it.
    fn listen(&mut self, view: &View<'_>) -> Option<Order> {
        let mut buffer = [0; LONGEST];
        let ended = loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => break true,
                Ok(count) => self.asked.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break true,
            }
            if self.asked.len() > LONGEST {
                break true;
            }
        };
        if ended || self.asked.contains(&b'\n') {
            let line = self.asked.split(|byte| *byte == b'\n').next().map(String::from_utf8_lossy);
            let (text, order) = match answer(line.unwrap_or_default().trim(), self.level, view) {
                Answer::Text(text) => (text, None),
                Answer::Order(order) => ("\n".into(), Some(order)),
            };
            self.answer = Some((text.into_bytes(), 0));
            return order;
        }
        None
    }

    /// Writes what is taken now; says whether nothing is left to do.
    fn is_served(&mut self) -> bool {
        let Some((answer, written)) = &mut self.answer else { return false };
        while *written < answer.len() {
            match self.stream.write(&answer[*written..]) {
                Ok(count) => *written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return true,
            }
        }
        true
    }
}

fn answer(line: &str, level: StatsLevel, view: &View<'_>) -> Answer {
    if line.is_empty() {
        return Answer::Text(String::new());
    }
    let begins = |command: &&Command| {
        line.strip_prefix(command.words).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    let Some(command) = COMMANDS.iter().find(begins) else {
        let mut help = format!("Unknown command: '{line}'. The following commands are valid here:\n");
        for Command { words, takes, about, .. } in COMMANDS {
            let _ = writeln!(help, "  {:<45} : {about}", format!("{words} {takes}").trim_end());
        }
        return Answer::Text(help + "\n");
    };
    if level < command.least {
        return Answer::Text("Permission denied\n\n".into());
    }
    match (command.answer)(view, line[command.words.len()..].trim()) {
        Answer::Text(text) => Answer::Text(text + "\n"),
        order => order,
    }
}

fn shutdown_sessions(view: &View<'_>, server: &str) -> Answer {
    let found = server.split_once('/').and_then(|(backend, server)| {
        let place = view.backends.iter().position(|known| known.name == backend)?;
        Some((place, view.backends[place].servers.iter().position(|known| known.name == server)?))
    });
    match found {
        Some((backend, server)) => Answer::Order(Order::EndSessions(backend, server)),
        None => Answer::Text("No such server.\n".into()),
    }
}

fn show_sessions(view: &View<'_>) -> String {
    let mut text = String::new();
    for (_, session) in view.sessions.iter() {
        show(session, view, &mut text);
    }
    text
}

/// A session in HAProxy's form, as far as there is something to tell ([`crate::sessions`] reads it).
fn show(session: &Session, view: &View<'_>, text: &mut String) {
    let story = &session.story;
    let (frontend, backend) = (&view.frontends[story.frontend], &view.backends[story.backend]);
    let server = story.server.map(|place| &backend.servers[place]);
    let (client, upstream) = (session.leg(Side::Client), session.leg(Side::Server));
    let local = |address: Option<SocketAddr>| address.map_or_else(|| "?".into(), plain);
    let protocol = if story.client.is_ipv4() { "tcpv4" } else { "tcpv6" };
    let (accepted, date) = story.accepted;
    let due = |at: Moment| human(at, view.now);
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{:#x}: [{}] id={} proto={protocol} source={}\n  conn_retries={}\n  frontend={} (id=0 mode=tcp), listener=? (id=0) addr={}\n  backend={} (id=0 mode=tcp) addr={}",
        story.number,
        wall::session_date(date),
        story.number,
        plain(story.client),
        story.retries,
        frontend.name,
        local(client.socket().and_then(socket::local)),
        backend.name,
        local(upstream.socket().and_then(socket::local)),
    );
    let _ = match server {
        Some(server) => writeln!(text, "  server={} (id=0) addr={}", server.name, plain(server.address)),
        None => writeln!(text, "  server=<NONE> (id=-1)"),
    };
    let _ = writeln!(text, "  task=0x0 (exp={} age={}s)", due(session.due()), view.now.since(accepted).as_secs());
    for (name, from, reads, writes) in [
        ("req", Side::Client, client.read_by, upstream.write_by),
        ("res", Side::Server, upstream.read_by, client.write_by),
    ] {
        let flow = session.flow(from);
        let _ = writeln!(
            text,
            "  {name}=0x0 (total={})\n      an_exp=<NEVER> rex={} wex={}\n      buf=0x0 o={} p=0 i=0 size=0",
            flow.total,
            due(reads),
            due(writes),
            flow.waiting()
        );
    }
}

/// `address:port`, an IPv6 address without brackets, as HAProxy writes it.
fn plain(address: SocketAddr) -> String {
    format!("{}:{}", address.ip(), address.port())
}

/// The two greatest units of the time that is left, as HAProxy's `human_time` writes it.
fn human(at: Moment, now: Moment) -> String {
    if !at.is_set() {
        return "<NEVER>".into();
    }
    let seconds = at.since(now).as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds / 3600 % 24),
    }
}
