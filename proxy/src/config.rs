//! HAProxy's configuration: what is in force for each proxy, as far as TCP mode goes.
//!
//! [`Configuration::read`] takes the files in the order of HAProxy's `-f` arguments and reads all of them. It refuses
//! nothing: what it does not know or understand becomes a [`Note`] at its place. A program that must not run with a
//! configuration it understands in part refuses it when there are notes.

mod address;
mod directives;
mod duration;
mod proxy;
mod server;
mod words;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

pub use address::{BindAddress, ServerAddress};
pub use duration::{DurationError, parse_duration};
pub use proxy::{Bind, Check, Global, Keepalive, Proxy, Server, Timeouts, UseBackend};
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
}

/// A line of a section: a keyword and its arguments. There is at least one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// Its words.
    pub words: Vec<Word>,
}

impl Directive {
    /// The texts of its words.
    #[must_use]
    pub fn texts(&self) -> Vec<&str> {
        self.words.iter().map(|word| word.text.as_str()).collect()
    }
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
    /// Its lines.
    pub directives: Vec<Directive>,
}

/// Something that was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where it is.
    pub position: Position,
    /// Whether it is unknown or wrong.
    pub kind: NoteKind,
    /// What it is, and what was expected.
    pub message: String,
}

/// How a [`Note`] came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteKind {
    /// A directive, section or argument that this does not know; HAProxy may.
    Unknown,
    /// One that it knows, with a value that HAProxy would refuse too.
    Malformed,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.message)
    }
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
    /// What was not understood, in order of place within each step of the reading.
    pub notes: Vec<Note>,
}

impl Configuration {
    /// Reads files, each with its name and text, in the order in which HAProxy is given them.
    ///
    /// `environment` has the variables that `"${NAME}"` stands for (manual, section 2.3).
    #[must_use]
    pub fn read(files: &[(&str, &str)], environment: &HashMap<String, String>) -> Configuration {
        let mut notes = Vec::new();
        let sections = sections(files, environment, &mut notes);
        let (global, proxies) = directives::resolve(&sections, &mut notes);
        Configuration { sections, global, proxies, notes }
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
fn sections(files: &[(&str, &str)], environment: &HashMap<String, String>, notes: &mut Vec<Note>) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for (file, text) in files {
        let file: Arc<str> = Arc::from(*file);
        let mut inside = false;
        for (line, text) in (1..).zip(text.lines()) {
            let section = if inside { sections.last() } else { None };
            let place = words::Place { file: &file, line, section: section.map(section_label), environment };
            let Words { words, problem } = words::split(text, &place);
            notes.extend(problem);
            let Some(first) = words.first() else { continue };
            if let Some(section) = section_start(&words) {
                sections.push(section);
                inside = true;
            } else if first.text.starts_with('.') {
                notes.push(note(
                    first,
                    NoteKind::Unknown,
                    "conditional blocks and messages are not evaluated; all of their branches are read",
                ));
            } else if let Some(section) = sections.last_mut().filter(|_| inside) {
                section.directives.push(Directive { words });
            } else {
                notes.push(note(first, NoteKind::Malformed, &format!("`{}` stands before any section", first.text)));
            }
        }
    }
    sections
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
        "peers" | "resolvers" | "userlist" | "mailers" | "program" | "http-errors" | "ring" | "cache" | "fcgi-app"
        | "log-forward" => SectionKind::Other(keyword.text.clone()),
        _ => return None,
    };
    let argument = |at: usize| words.get(at).map(|word| word.text.clone());
    // `defaults from X` has no name of its own.
    let unnamed = kind == SectionKind::Defaults && argument(1).as_deref() == Some("from");
    let (name, from_at) = if unnamed { (None, 1) } else { (argument(1), 2) };
    let from = argument(from_at).filter(|word| word == "from").and_then(|_| argument(from_at + 1));
    Some(Section { kind, name, from, position: keyword.position.clone(), directives: Vec::new() })
}

fn note(word: &Word, kind: NoteKind, message: &str) -> Note {
    Note { position: word.position.clone(), kind, message: message.to_owned() }
}

#[cfg(test)]
mod tests;
