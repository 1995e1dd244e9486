//! Commands: their families, and the answer to a line. A further command is one entry in its family's list; a further family is one
//! file here and one line in [`FAMILIES`].

use std::time::SystemTime;

use super::{info, limits, servers, sessions, stat, state, takeover, talk};
use crate::config::StatsLevel;
use crate::relay::backend::Backend;
use crate::relay::check::Check;
use crate::relay::frontend::{Frontend, Listener};
use crate::relay::moment::Moment;
use crate::relay::poll::Key;
use crate::relay::server::State;
use crate::relay::sessions::Sessions;

/// All that can be said, by what it is about.
const FAMILIES: &[&[Command]] = &[
    talk::COMMANDS,
    sessions::COMMANDS,
    servers::COMMANDS,
    limits::COMMANDS,
    state::COMMANDS,
    stat::COMMANDS,
    info::COMMANDS,
    takeover::COMMANDS,
];

/// Something that can be said on the socket.
pub(super) struct Command {
    /// How it begins; what follows are its arguments.
    pub words: &'static str,
    pub takes: &'static str,
    pub about: &'static str,
    pub least: StatsLevel,
    pub answer: fn(&View<'_>, &[&str]) -> Answer,
}

/// What comes of a command.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// This is told.
    Text(String),
    /// This is done, and nothing is told.
    Order(Order),
    /// The operator talks to the proxy by hand, or does so no more.
    Prompt,
    /// The operator leaves.
    Quit,
    /// The listening sockets are handed over, where that is allowed, and the operator leaves.
    Sockets,
}

impl From<&str> for Answer {
    fn from(text: &str) -> Answer {
        Answer::Text(text.to_owned())
    }
}

/// What an operator can make the proxy do. Backends and frontends are named by their places, a server by its place in its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// End a session.
    EndSession(Key),
    /// End the sessions on a server.
    EndSessions(usize, usize),
    /// Give a server this state.
    SetState(usize, usize, State),
    /// Give a server this weight.
    SetWeight(usize, usize, u32),
    /// Let a server have so many sessions at once; any number if `None`.
    SetServerLimit(usize, usize, Option<u32>),
    /// Let a frontend have so many sessions at once.
    SetFrontendLimit(usize, u32),
    /// Let the process have so many sessions at once.
    SetLimit(u32),
}

/// What an answer is made of.
#[derive(Debug)]
pub struct View<'a> {
    /// The sessions.
    pub sessions: &'a Sessions,
    /// The frontends.
    pub frontends: &'a [Frontend],
    /// Their sockets.
    pub listeners: &'a [Listener],
    /// The backends.
    pub backends: &'a [Backend],
    /// The checks of their servers.
    pub checks: &'a [Check],
    /// The process.
    pub process: Process<'a>,
    /// The moment.
    pub now: Moment,
}

/// What is told of the process.
#[derive(Clone, Copy, Debug)]
pub struct Process<'a> {
    /// Its number.
    pub pid: u32,
    /// When it began to work, by the proxy's clock and by the wall's.
    pub started: (Moment, SystemTime),
    /// Clients so far.
    pub accepted: u64,
    /// Sessions so far.
    pub begun: u64,
    /// How many it may have at once.
    pub maxconn: u32,
    /// How many that can be at most.
    pub most: u32,
    /// The host's name.
    pub node: &'a str,
    /// Whether it stops when the last session has ended.
    pub stopping: bool,
}

/// The answer to a line.
#[must_use]
pub fn answer(line: &str, level: StatsLevel, view: &View<'_>) -> Answer {
    let words = words(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some((command, length)) = find(&words) else {
        return Answer::Text(talk::unknown(&words));
    };
    if level < command.least {
        return "Permission denied\n".into();
    }
    (command.answer)(view, &words[length..])
}

/// All commands.
pub(super) fn all() -> impl Iterator<Item = &'static Command> {
    FAMILIES.iter().copied().flatten()
}

/// The command with the most words that a line begins with, and how many these are.
fn find(words: &[&str]) -> Option<(&'static Command, usize)> {
    let begins = all().filter_map(|command| {
        let length = command.words.split(' ').count();
        let own = words.get(..length)?;
        command.words.split(' ').eq(own.iter().copied()).then_some((command, length))
    });
    begins.max_by_key(|(_, length)| *length)
}

/// The words of a line; a backslash makes the next character a plain one.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (character, words.last_mut()) {
            ('\\', Some(word)) => word.extend(characters.next()),
            (' ' | '\t', _) => words.push(String::new()),
            (_, Some(word)) => word.push(character),
            (_, None) => {}
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_commands_that_a_line_begins_with_the_longer_is_meant() {
        let found = |line: &str| find(&line.split(' ').collect::<Vec<_>>()).map(|(command, _)| command.words);
        assert_eq!(found("shutdown sessions server b/s"), Some("shutdown sessions server"));
        assert_eq!(found("show sess all"), Some("show sess"));
        assert_eq!(found("show nothing"), None);
    }

    #[test]
    fn no_two_commands_have_the_same_words() {
        let mut words: Vec<&str> = all().map(|command| command.words).collect();
        words.sort_unstable();
        assert!(words.windows(2).all(|pair| pair[0] != pair[1]), "{words:?}");
    }

    #[test]
    fn a_backslash_makes_the_next_character_plain() {
        assert_eq!(words(r"set server a\ b/c\;d"), ["set", "server", "a b/c;d"]);
    }
}
