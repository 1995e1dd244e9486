//! The stats socket: what operators ask and order, as on HAProxy's (management guide, 9.3).
//!
//! ```text
//! mod.rs       the sockets, and who is connected to them
//! command.rs   commands: the list of their families, and the answer to a line
//! talk.rs      help, prompt, quit
//! sessions.rs  show sess, shutdown session
//! servers.rs   set server, weights, enable, disable
//! limits.rs    set maxconn
//! state.rs     show servers state
//! stat.rs      show stat
//! info.rs      show info
//! takeover.rs  _getsocks
//! ```

mod command;
mod info;
mod limits;
mod servers;
mod sessions;
mod stat;
mod state;
mod takeover;
mod talk;

use std::io::{ErrorKind, Read, Write as _};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

pub use command::{Answer, Order, Process, View, answer};

use super::frontend::Listener;
use super::moment::{Limit, Moment};
use super::poll::Key;
use super::sessions::Keyed;
use super::takeover::give;
use crate::config::StatsLevel;

/// The longest line, as HAProxy's buffer limits it (manual, 3.2 `tune.bufsize`).
const LONGEST: usize = 16_384;

/// The stats sockets, and who is connected to them.
#[derive(Debug, Default)]
pub struct Operators {
    sockets: Vec<(UnixListener, StatsLevel, bool)>,
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
    /// Whether it gets the listening sockets if it asks for them.
    takes_over: bool,
    /// What was said and is not answered yet.
    asked: Vec<u8>,
    /// What is to be written.
    answers: Vec<u8>,
    /// Whether answers end with a prompt, and the next command is waited for.
    prompts: bool,
    /// Whether anything was answered.
    answered: bool,
    /// Nothing more is said.
    silent: bool,
    /// Until when it may say nothing.
    until: Moment,
}

impl Operators {
    /// The sockets, each with its level and whether listening sockets are handed over there; an operator may be silent for `limit`.
    #[must_use]
    pub fn new(sockets: Vec<(UnixListener, StatsLevel, bool)>, limit: Duration, most: usize) -> Operators {
        Operators { sockets, connected: Keyed::default(), limit: Some(limit).into(), most }
    }

    /// The sockets that are listened on.
    pub fn sockets(&self) -> impl Iterator<Item = impl AsFd + '_> {
        self.sockets.iter().map(|(socket, ..)| socket)
    }

    /// The next operator who waits. One too many is sent away.
    pub fn accept(&mut self, place: usize, now: Moment) -> Option<Key> {
        let (socket, level, takes_over) = self.sockets.get(place)?;
        let (level, takes_over, (stream, _)) = (*level, *takes_over, socket.accept().ok()?);
        if self.connected.len() >= self.most {
            return None;
        }
        stream.set_nonblocking(true).ok()?;
        Some(self.connected.insert(Operator {
            stream,
            level,
            takes_over,
            asked: Vec::new(),
            answers: Vec::new(),
            prompts: false,
            answered: false,
            silent: false,
            until: now.after(self.limit),
        }))
    }

    /// An operator's connection.
    #[must_use]
    pub fn stream(&self, key: Key) -> Option<impl AsFd + '_> {
        self.connected.get(key).map(|operator| operator.stream.as_fd())
    }

    /// Until when an operator may be silent.
    #[must_use]
    pub fn until(&self, key: Key) -> Option<Moment> {
        self.connected.get(key).map(|operator| operator.until)
    }

    /// Ends an operator's connection.
    pub fn dismiss(&mut self, key: Key) {
        self.connected.remove(key);
    }

    /// Takes in what an operator says.
    pub fn hear(&mut self, key: Key, now: Moment) {
        let until = now.after(self.limit);
        let Some(operator) = self.connected.get_mut(key) else { return };
        operator.until = until;
        operator.hear();
        // What could not be told before may be now, and more commands may wait behind it.
        operator.tell();
    }

    /// The next command, and what its operator may do. While an answer waits to be taken there is none.
    pub fn next_command(&mut self, key: Key) -> Option<(String, StatsLevel)> {
        let operator = self.connected.get_mut(key)?;
        if !operator.answers.is_empty() {
            return None;
        }
        let end = end_of_command(&operator.asked)?;
        let command: Vec<u8> = operator.asked.drain(..=end).collect();
        Some((String::from_utf8_lossy(&command[..end]).trim().to_owned(), operator.level))
    }

    /// Tells an operator what came of a command; what is ordered has been done.
    pub fn reply(&mut self, key: Key, answer: Answer, listeners: &[Listener]) {
        let Some(operator) = self.connected.get_mut(key) else { return };
        operator.answered = true;
        match answer {
            Answer::Text(text) => operator.answers.extend_from_slice(text.as_bytes()),
            Answer::Order(_) => {}
            Answer::Prompt => operator.prompts = !operator.prompts,
            Answer::Sockets => {
                let sockets = listeners.iter().filter(|_| operator.takes_over).map(|one| one.socket.as_fd());
                // Whoever asked sees that they do not come.
                let _ = give(&operator.stream, sockets);
                return self.dismiss(key);
            }
            Answer::Quit => return self.dismiss(key),
        }
        operator.answers.extend_from_slice(if operator.prompts { b"\n> " } else { b"\n" });
        operator.tell();
    }

    /// Goes on telling; an operator who has nothing more to say and to be told is dismissed.
    pub fn go_on(&mut self, key: Key) {
        let Some(operator) = self.connected.get_mut(key) else { return };
        operator.tell();
        let waits = !operator.silent && (operator.prompts || !operator.answered || !operator.asked.is_empty());
        if operator.answers.is_empty() && !waits {
            self.dismiss(key);
        }
    }
}

/// Where the first command ends: at the end of its line, or at a semicolon that no backslash makes plain.
fn end_of_command(asked: &[u8]) -> Option<usize> {
    let mut escaped = false;
    asked.iter().position(|byte| {
        let ends = *byte == b'\n' || *byte == b';' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })
}

impl Operator {
    fn hear(&mut self) {
        let mut buffer = [0; 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => self.asked.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
            if self.asked.len() > LONGEST {
                self.asked.clear();
                break;
            }
        }
        self.silent = true;
    }

    /// Writes what is taken now.
    fn tell(&mut self) {
        let mut written = 0;
        while written < self.answers.len() {
            match self.stream.write(&self.answers[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    // Nobody is there to be told anything.
                    self.silent = true;
                    self.asked.clear();
                    written = self.answers.len();
                }
            }
        }
        self.answers.drain(..written);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_ends_at_its_lines_end_or_at_a_semicolon_that_is_not_escaped() {
        assert_eq!(end_of_command(b"show info;show stat\n"), Some(9));
        assert_eq!(end_of_command(br"set a\;b"), None);
        assert_eq!(end_of_command(b"show info\n;"), Some(9));
    }
}
