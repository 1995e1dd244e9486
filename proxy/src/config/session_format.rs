//! How a session's line is written: `log-format`, of which `option tcplog` is one (manual, sections 8.2.2 and 8.2.6).
//!
//! A further variable is one entry in [`VARIABLES`], and one arm where lines are written.

use super::{Note, NoteKind, Word};

/// What `option tcplog` stands for (manual, 8.2.2).
const TCPLOG: &str = "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq";

/// The line of a session, piece by piece.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionFormat {
    /// Its pieces.
    pub pieces: Vec<Piece>,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// This text.
    Text(String),
    /// A space, unless the line begins here or another one stands before it.
    Space,
    /// What a variable stands for.
    Variable(Variable, Flags),
}

/// How what a variable stands for is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags {
    /// `M`: a dash where there is nothing.
    pub dash: bool,
    /// `Q`: texts stand between quotes.
    pub quoted: bool,
    /// `X`: addresses, ports and some numbers are hexadecimal.
    pub hexadecimal: bool,
    /// `E`: a backslash stands before `"`, `\` and `]` of texts.
    pub escaped: bool,
}

impl Default for Flags {
    fn default() -> Flags {
        Flags { dash: true, quoted: false, hexadecimal: false, escaped: false }
    }
}

/// Something that a line can tell of a session; the fields are those of section 8.2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is a field of the manual's, which VARIABLES names")]
pub enum Variable {
    BytesRead,
    BytesUploaded,
    Host,
    UniqueId,
    Status,
    DateGmt,
    DateLocal,
    Date,
    Seconds,
    Milliseconds,
    ConnectTime,
    HandshakeTime,
    DataTime,
    TotalTime,
    UserTime,
    QueueTime,
    ProcessConnections,
    FrontendConnections,
    BackendConnections,
    ServerConnections,
    Backend,
    BackendIp,
    BackendPort,
    BackendQueue,
    ServerQueue,
    ClientIp,
    ClientPort,
    Frontend,
    FrontendIp,
    FrontendPort,
    /// Headers that were captured: there are none.
    Captured,
    LogCounter,
    Pid,
    Retries,
    SessionCounter,
    Server,
    ServerIp,
    ServerPort,
    /// What TLS would tell: there is none.
    Tls,
    Termination,
    TerminationAndCookie,
    /// What HAProxy does not tell, and has no name there: the event that began the session's end, with its side and errno.
    Cause,
}

/// Whether what a variable stands for is known before the session has ended; a line of such variables alone is written as soon as
/// the server's connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Early,
    AtTheEnd,
}

use Known::{AtTheEnd, Early};

/// The variables that TCP mode has (`logformat_keywords`, src/log.c).
const VARIABLES: &[(&str, Variable, Known)] = &[
    ("B", Variable::BytesRead, AtTheEnd),
    ("H", Variable::Host, Early),
    ("ID", Variable::UniqueId, AtTheEnd),
    ("ST", Variable::Status, Early),
    ("T", Variable::DateGmt, Early),
    ("Tc", Variable::ConnectTime, AtTheEnd),
    ("Td", Variable::DataTime, AtTheEnd),
    ("Th", Variable::HandshakeTime, AtTheEnd),
    ("Tl", Variable::DateLocal, Early),
    ("Ts", Variable::Seconds, Early),
    ("Tt", Variable::TotalTime, AtTheEnd),
    ("Tu", Variable::UserTime, AtTheEnd),
    ("Tw", Variable::QueueTime, AtTheEnd),
    ("U", Variable::BytesUploaded, AtTheEnd),
    ("ac", Variable::ProcessConnections, AtTheEnd),
    ("b", Variable::Backend, Early),
    ("bc", Variable::BackendConnections, AtTheEnd),
    ("bi", Variable::BackendIp, Early),
    ("bp", Variable::BackendPort, Early),
    ("bq", Variable::BackendQueue, AtTheEnd),
    ("ci", Variable::ClientIp, Early),
    ("cp", Variable::ClientPort, Early),
    ("f", Variable::Frontend, Early),
    ("fc", Variable::FrontendConnections, AtTheEnd),
    ("fi", Variable::FrontendIp, Early),
    ("fp", Variable::FrontendPort, Early),
    // The same, as there is no TLS that it could tell of.
    ("ft", Variable::Frontend, Early),
    ("hr", Variable::Captured, Early),
    ("hrl", Variable::Captured, Early),
    ("hs", Variable::Captured, Early),
    ("hsl", Variable::Captured, Early),
    ("lc", Variable::LogCounter, Early),
    ("ms", Variable::Milliseconds, Early),
    ("pid", Variable::Pid, Early),
    ("rc", Variable::Retries, AtTheEnd),
    ("rt", Variable::SessionCounter, Early),
    ("s", Variable::Server, Early),
    ("sc", Variable::ServerConnections, AtTheEnd),
    ("si", Variable::ServerIp, Early),
    ("sp", Variable::ServerPort, Early),
    ("sq", Variable::ServerQueue, AtTheEnd),
    ("sslc", Variable::Tls, Early),
    ("sslv", Variable::Tls, Early),
    ("t", Variable::Date, Early),
    ("ts", Variable::Termination, AtTheEnd),
    ("tsc", Variable::TerminationAndCookie, Early),
];

/// The variables that HAProxy has for HTTP mode, and refuses in TCP mode.
const HTTP: &[&str] =
    &["CC", "CS", "HM", "HP", "HPO", "HQ", "HU", "HV", "Ta", "Ti", "Tq", "Tr", "TR", "r", "tr", "trg", "trl"];

impl SessionFormat {
    /// The format of `option tcplog`, and behind it the event that began the session's end.
    #[must_use]
    pub fn tcplog() -> SessionFormat {
        let mut format = Reader::read(TCPLOG).0;
        format.pieces.push(Piece::Variable(Variable::Cause, Flags::default()));
        format
    }

    /// Reads a format; what is wrong with it becomes notes at the word.
    pub(super) fn parse(word: &Word, notes: &mut Vec<Note>) -> SessionFormat {
        let (format, problems) = Reader::read(&word.text);
        notes.extend(problems.into_iter().map(|(kind, message)| Note::at(word, kind, message)));
        format
    }

    /// Whether a line needs something that is known only when the session has ended.
    #[must_use]
    pub fn waits_for_the_end(&self) -> bool {
        self.variables().any(|used| VARIABLES.iter().any(|(_, one, known)| *one == used && *known == AtTheEnd))
    }

    /// The variables in it.
    pub fn variables(&self) -> impl Iterator<Item = Variable> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(variable, _) => Some(*variable),
            Piece::Text(_) | Piece::Space => None,
        })
    }
}

/// Goes through a format's text as HAProxy does (`parse_logformat_string`, src/log.c).
struct Reader<'a> {
    rest: &'a str,
    /// What `%o` has set for all variables behind it.
    flags: Flags,
    pieces: Vec<Piece>,
    problems: Vec<(NoteKind, String)>,
}

impl<'a> Reader<'a> {
    fn read(text: &'a str) -> (SessionFormat, Vec<(NoteKind, String)>) {
        let mut reader = Reader { rest: text, flags: Flags::default(), pieces: Vec::new(), problems: Vec::new() };
        while let Some(character) = reader.next() {
            match character {
                ' ' => reader.pieces.push(Piece::Space),
                '%' => reader.variable(),
                other => reader.text(other),
            }
        }
        (SessionFormat { pieces: reader.pieces }, reader.problems)
    }

    fn next(&mut self) -> Option<char> {
        let mut rest = self.rest.chars();
        let first = rest.next()?;
        self.rest = rest.as_str();
        Some(first)
    }

    fn text(&mut self, character: char) {
        match self.pieces.last_mut() {
            Some(Piece::Text(text)) => text.push(character),
            _ => self.pieces.push(Piece::Text(character.into())),
        }
    }

    fn malformed(&mut self, message: String) {
        self.problems.push((NoteKind::Malformed, message));
    }

    /// What stands behind a percent sign.
    fn variable(&mut self) {
        match self.rest.chars().next() {
            None => self.malformed("nothing stands behind the last `%`; a percent sign itself is `%%`".into()),
            Some('%') => {
                self.next();
                self.text('%');
            }
            Some('{') => {
                let Some((flags, rest)) = self.rest[1..].split_once('}') else {
                    self.malformed(format!("the braces of `%{}` are never closed", self.rest));
                    self.rest = "";
                    return;
                };
                self.rest = rest;
                let flags = self.flags(flags);
                self.named(flags);
            }
            Some(character) if character == '[' || character.is_ascii_alphabetic() => self.named(self.flags),
            Some(character) if character.is_ascii_digit() || matches!(character, ' ' | '\t') => {
                self.malformed(format!("`%{character}` is no variable; a percent sign itself is `%%`"));
            }
            Some(character) => {
                let message = format!("the `%` before `{character}` is not written; a percent sign itself is `%%`");
                self.problems.push((NoteKind::Warning, message));
            }
        }
    }

    /// A variable's name, or a sample's expression in brackets.
    fn named(&mut self, flags: Flags) {
        if let Some(rest) = self.rest.strip_prefix('[') {
            let (expression, rest) = rest.split_once(']').unwrap_or((rest, ""));
            self.rest = rest;
            let message = format!("`%[{expression}]` is not implemented: lines are written from variables");
            self.problems.push((NoteKind::Unsupported, message));
            return;
        }
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        if name == "o" {
            self.flags = flags;
        } else if let Some((_, variable, _)) = VARIABLES.iter().find(|(known, ..)| *known == name) {
            self.pieces.push(Piece::Variable(*variable, flags));
        } else if name.is_empty() {
            self.malformed("flags in braces stand before no variable".into());
        } else if HTTP.contains(&name) {
            self.malformed(format!("`%{name}` is for HTTP mode"));
        } else {
            self.malformed(format!("there is no variable `%{name}`; a percent sign itself is `%%`"));
        }
    }

    /// `+Q,-X`: flags that are set or taken away. HAProxy passes over what is none.
    fn flags(&mut self, text: &str) -> Flags {
        let mut flags = self.flags;
        for flag in text.split(',') {
            let on = flag.starts_with('+');
            let slot = match flag.strip_prefix(['+', '-']) {
                Some("M") => &mut flags.dash,
                Some("Q") => &mut flags.quoted,
                Some("X") => &mut flags.hexadecimal,
                Some("E") => &mut flags.escaped,
                _ => {
                    let message =
                        format!("`{flag}` is no flag of a variable, and is passed over: write `+Q` or the like");
                    self.problems.push((NoteKind::Warning, message));
                    continue;
                }
            };
            *slot = on;
        }
        flags
    }
}
