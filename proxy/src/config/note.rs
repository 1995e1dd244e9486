//! What a reader has to say about a configuration.

use std::fmt;

use super::{Position, Word};

/// Something in a configuration that its author should know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where it is.
    pub position: Position,
    /// How many characters of the line it is about, from `position` on; at least 1.
    pub length: u32,
    /// Why it is a note.
    pub kind: NoteKind,
    /// What it is, and what was expected.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Why something is a [`Note`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoteKind {
    /// It is taken as it is; the message says what it means here.
    Warning,
    /// HAProxy has it and this proxy does not: to ignore it would be to do something else than what is asked for.
    Unsupported,
    /// Neither has it.
    Unknown,
    /// HAProxy has it and would refuse it here too.
    Malformed,
}

impl NoteKind {
    /// Whether a proxy must not run with a configuration that has such a note.
    #[must_use]
    pub fn refuses(self) -> bool {
        self != NoteKind::Warning
    }
}

impl Note {
    /// A note about one word.
    pub(super) fn at(word: &Word, kind: NoteKind, message: impl Into<String>) -> Note {
        Note { position: word.position.clone(), length: word.length.max(1), kind, message: message.into(), help: None }
    }

    /// A note about words that follow one another on a line, the first of which is `first`.
    pub(super) fn over(first: &Word, last: &Word, kind: NoteKind, message: impl Into<String>) -> Note {
        let end = last.position.column.saturating_add(last.length);
        let length = end.saturating_sub(first.position.column).max(1);
        Note { length, ..Note::at(first, kind, message) }
    }

    /// The same, with what to do about it.
    pub(super) fn help(self, help: impl Into<String>) -> Note {
        Note { help: Some(help.into()), ..self }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.message)
    }
}
