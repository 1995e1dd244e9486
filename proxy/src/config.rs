//! HAProxy's configuration: what is in force for each proxy, as far as TCP mode goes.
//!
//! [`Configuration::read`] takes the files in the order of HAProxy's `-f` arguments and reads all of them. It refuses
//! nothing: whatever its author should know of becomes a [`Note`] at its place. [`check`] is for a program that does what a
//! configuration asks for or nothing: it must not run when there is an error among the notes.
//!
//! - `words` splits a line; `settings` follows the sections, `directives` has what each line does, one table for each
//!   matter; `bind`, `server` and `address` have what stands behind those keywords; `semantics` judges the whole;
//! - `condition`, `network` and `rules` have who is taken, and by which backend;
//! - `global`, `proxy`, `bind`, `server`, `log_target`, `session_format` and `balance` have what comes of it;
//! - [`supported`] lists all directives, and what became of those that are not implemented.

mod address;
mod arguments;
mod balance;
mod bind;
mod check;
mod condition;
mod directive;
mod directives;
mod duration;
mod global;
mod log_target;
mod network;
mod note;
mod proxy;
mod rules;
mod semantics;
mod server;
mod session_format;
mod settings;
mod suggest;
mod supported;
mod words;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

pub use address::{BindAddress, ServerAddress, Source};
pub use balance::{Balance, HashFunction, HashMethod, HashType};
pub use bind::Bind;
pub use check::{Report, check};
pub use condition::{Acl, Condition, Ends, Term, Test};
pub use directive::{In, Status};
pub use duration::{DurationError, parse_duration};
pub use global::{Global, Identity, LogHostname, Stats, StatsLevel, StatsSocket, Who};
pub use log_target::{Facility, LogAddress, LogFormat, LogTarget, Severity};
pub use network::Network;
pub use note::{Note, NoteKind};
pub use proxy::{Keepalive, Logging, Mode, Proxy, Timeouts, UseBackend};
pub use rules::{Action, Decision, Rule, decide};
pub use server::{Check, OnError, Reactions, Server};
pub use session_format::{Flags, Piece, SessionFormat, Variable};
pub use supported::{Supported, Where, page, supported};
use words::Words;

/// A place in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Position {
    /// The file's name, as it was given.
    pub file: Arc<str>,
    /// Its line, from 1.
    pub line: u32,
    /// The column of its first character, from 1, counted in characters.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A word of a line, with quotes and escapes taken off and variables replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Its text.
    pub text: String,
    /// Where it starts.
    pub position: Position,
    /// How many characters of the line it takes, quotes and escapes included.
    pub length: u32,
}

/// A line of a section: a keyword and its arguments. There is at least one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its words.
    pub words: Vec<Word>,
}

/// What a section describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SectionKind {
    /// The process.
    Global,
    /// The settings that proxies behind it start from.
    Defaults,
    /// A frontend and a backend in one.
    Listen,
    /// What clients connect to.
    Frontend,
    /// What connects to servers.
    Backend,
    /// Any other, by its keyword (`resolvers`, `peers`, `userlist`, …).
    Other(String),
}

/// A section with its lines, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What it describes.
    pub kind: SectionKind,
    /// Its name.
    pub name: Option<String>,
    /// The `defaults` section that it names after `from`.
    pub from: Option<String>,
    /// Where it starts.
    pub position: Position,
    /// The words of the line that starts it.
    pub header: Vec<Word>,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// A file's name and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its name, as it was given.
    pub name: Arc<str>,
    /// Its text.
    pub text: Arc<str>,
}

/// A configuration that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// All sections as written, in order.
    pub sections: Vec<Section>,
    /// The `global` sections, taken together.
    pub global: Global,
    /// The `listen`, `frontend` and `backend` sections as they are in force, in order.
    pub proxies: Vec<Proxy>,
    /// What its author should know of, in order of place.
    pub notes: Vec<Note>,
    /// The files.
    pub sources: Vec<SourceFile>,
}

impl Configuration {
    /// Reads files, each with its name and text, in the order in which HAProxy is given them.
    ///
    /// `environment` has the variables that `"${NAME}"` stands for (manual, section 2.3).
    #[must_use]
    pub fn read(files: &[(&str, &str)], environment: &HashMap<String, String>) -> Configuration {
        let mut notes = Vec::new();
        let sources = files.iter().map(|(name, text)| SourceFile { name: Arc::from(*name), text: Arc::from(*text) });
        let sources: Vec<SourceFile> = sources.collect();
        let sections = sections(&sources, environment, &mut notes);
        let (global, settings) = settings::resolve(&sections, &mut notes);
        semantics::check(&sections, &settings, &mut notes);
        let file = |name: &Arc<str>| sources.iter().position(|source| source.name == *name);
        notes.sort_by_key(|note| (file(&note.position.file), note.position.line, note.position.column));
        let proxies = settings.into_iter().map(|settings| settings.proxy).collect();
        Configuration { sections, global, proxies, notes, sources }
    }

    /// The proxy of this name that accepts clients: a `listen` or `frontend`.
    #[must_use]
    pub fn frontend(&self, name: &str) -> Option<&Proxy> {
        self.proxies.iter().find(|proxy| proxy.name == name && proxy.kind != SectionKind::Backend)
    }

    /// The proxy of this name that connects to servers: a `listen` or `backend`.
    #[must_use]
    pub fn backend(&self, name: &str) -> Option<&Proxy> {
        self.proxies.iter().find(|proxy| proxy.name == name && proxy.kind != SectionKind::Frontend)
    }

    /// The timers and keepalive settings of a session that `frontend` accepted and `backend` handles, as a log line names
    /// them: what concerns the client is the frontend's, what concerns the server the backend's (manual, section 4.1).
    #[must_use]
    pub fn session(&self, frontend: &str, backend: &str) -> Option<SessionSettings> {
        let (front, back) = (self.frontend(frontend)?, self.backend(backend)?);
        Some(SessionSettings {
            timeouts: Timeouts {
                client: front.timeouts.client,
                client_fin: front.timeouts.client_fin,
                ..back.timeouts
            },
            client_keepalive: front.client_keepalive,
            server_keepalive: back.server_keepalive,
        })
    }
}

/// What is in force for one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionSettings {
    /// The timers.
    pub timeouts: Timeouts,
    /// Keepalive on the client's connection.
    pub client_keepalive: Keepalive,
    /// Keepalive on the server's connection.
    pub server_keepalive: Keepalive,
}

/// The sections of all files. A file starts outside any section, whatever the one before it ended in.
fn sections(files: &[SourceFile], environment: &HashMap<String, String>, notes: &mut Vec<Note>) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for SourceFile { name: file, text } in files {
        let mut inside = false;
        notes.extend(truncated(file, text));
        for (line, text) in (1..).zip(text.lines()) {
            let section = if inside { sections.last() } else { None };
            let place = words::Place { file, line, section: section.map(section_label), environment };
            let Words { words, problem } = words::split(text, &place);
            notes.extend(problem);
            let Some(first) = words.first() else { continue };
            if let Some(section) = section_start(&words) {
                sections.push(section);
                inside = true;
            } else if first.text.starts_with('.') {
                let message = "conditional blocks and messages are not implemented: all branches are read";
                notes.push(Note::at(first, NoteKind::Unsupported, message));
            } else if let Some(section) = sections.last_mut().filter(|_| inside) {
                section.lines.push(Line { words });
            } else {
                let message = format!("`{}` stands before any section", first.text);
                notes.push(Note::at(first, NoteKind::Malformed, message));
            }
        }
    }
    sections
}

/// A file whose last line has no end may have lost more than that, and HAProxy refuses it.
fn truncated(file: &Arc<str>, text: &str) -> Option<Note> {
    let last = text.lines().last().filter(|_| !text.ends_with('\n'))?;
    let line = u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
    let position = Position { file: Arc::clone(file), line, column: columns(last).saturating_add(1) };
    let message = "the last line has no end, so that something may be missing behind it".to_owned();
    Some(Note { position, length: 1, kind: NoteKind::Malformed, message, help: None })
}

/// What `${.SECTION}` stands for.
fn section_label(section: &Section) -> String {
    section.name.clone().unwrap_or_else(|| match &section.kind {
        SectionKind::Global => "global".to_owned(),
        SectionKind::Defaults => "defaults".to_owned(),
        SectionKind::Other(keyword) => keyword.clone(),
        SectionKind::Listen | SectionKind::Frontend | SectionKind::Backend => String::new(),
    })
}

/// The section that a line starts, if it does.
fn section_start(words: &[Word]) -> Option<Section> {
    let keyword = words.first()?;
    let kind = match keyword.text.as_str() {
        "global" => SectionKind::Global,
        "defaults" => SectionKind::Defaults,
        "listen" => SectionKind::Listen,
        "frontend" => SectionKind::Frontend,
        "backend" => SectionKind::Backend,
        other if directives::is_other_section(other) => SectionKind::Other(other.to_owned()),
        _ => return None,
    };
    let argument = |at: usize| words.get(at).map(|word| word.text.clone());
    // `defaults from X` has no name of its own.
    let unnamed = kind == SectionKind::Defaults && argument(1).as_deref() == Some("from");
    let (name, from_at) = if unnamed { (None, 1) } else { (argument(1), 2) };
    let from = argument(from_at).filter(|word| word == "from").and_then(|_| argument(from_at + 1));
    Some(Section { kind, name, from, position: keyword.position.clone(), header: words.to_vec(), lines: Vec::new() })
}

/// The first character that names of proxies and servers cannot have (manual, section 4), if there is one.
fn wrong_character(name: &str) -> Option<char> {
    name.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '.' | ':' | '_' | '-'))
}

/// How many characters a text has.
fn columns(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
