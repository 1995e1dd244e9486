//! What stands behind a keyword, taken from left to right. What nobody takes is a note: nothing is ignored in silence.

use std::str::FromStr;
use std::time::Duration;

use super::{Note, NoteKind, Position, Word, parse_duration};

pub(super) const MILLISECONDS: Duration = Duration::from_millis(1);
pub(super) const SECONDS: Duration = Duration::from_secs(1);

/// How a keyword was written: alone, or behind `no` or `default`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    No,
    Default,
}

/// The words behind a keyword.
pub(super) struct Arguments<'a> {
    /// The keyword's own words, one to three of them.
    pub keyword: &'a [Word],
    /// `no` and `default` turn it round.
    pub form: Form,
    rest: &'a [Word],
    notes: &'a mut Vec<Note>,
}

impl<'a> Arguments<'a> {
    pub(super) fn new(keyword: &'a [Word], form: Form, rest: &'a [Word], notes: &'a mut Vec<Note>) -> Arguments<'a> {
        Arguments { keyword, form, rest, notes }
    }

    /// The next word, if there is one.
    pub(super) fn next(&mut self) -> Option<&'a Word> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// The next word without taking it.
    pub(super) fn first(&self) -> Option<&'a Word> {
        self.rest.first()
    }

    /// Where the next word stands.
    pub(super) fn position(&self) -> Option<Position> {
        self.rest.first().map(|word| word.position.clone())
    }

    /// The next word's text without taking it.
    pub(super) fn peek(&self) -> Option<&'a str> {
        self.rest.first().map(|word| word.text.as_str())
    }

    /// Takes the next word if it is this one.
    pub(super) fn take(&mut self, text: &str) -> Option<&'a Word> {
        if self.peek() == Some(text) { self.next() } else { None }
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [Word] {
        std::mem::take(&mut self.rest)
    }

    /// Puts words back that [`Arguments::rest`] gave.
    pub(super) fn put_back(&mut self, words: &'a [Word]) {
        self.rest = words;
    }

    /// The next word; its absence is a note that says what was expected.
    pub(super) fn required(&mut self, expected: &str) -> Option<&'a Word> {
        let next = self.next();
        if next.is_none() {
            let message = format!("`{}` lacks its value: expected {expected}", self.name());
            self.note_keyword(NoteKind::Malformed, message);
        }
        next
    }

    /// A time; 0 means that there is none, so that a timer never fires. A bare number is counted in `unit`.
    pub(super) fn time(&mut self, unit: Duration) -> Option<Option<Duration>> {
        let word = self.required("a time")?;
        match parse_duration(&word.text, unit) {
            Ok(time) => Some((!time.is_zero()).then_some(time)),
            Err(error) => {
                self.malformed(word, format!("`{}`: {error}", word.text));
                None
            }
        }
    }

    /// A time that cannot be 0.
    pub(super) fn positive_time(&mut self) -> Option<Duration> {
        let word = self.rest.first();
        match (self.time(MILLISECONDS)?, word) {
            (None, Some(word)) => {
                self.malformed(word, format!("`{}` must be more than 0", self.name()));
                None
            }
            (time, _) => time,
        }
    }

    /// A whole number.
    pub(super) fn number<N: FromStr>(&mut self) -> Option<N> {
        let word = self.required("a whole number")?;
        let number = word.text.parse().ok();
        if number.is_none() {
            self.malformed(word, format!("`{}` is not a whole number, or not one that is possible here", word.text));
        }
        number
    }

    /// A whole number in a range.
    pub(super) fn number_in(&mut self, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
        let word = self.rest.first();
        let number = self.number::<u32>()?;
        match word {
            Some(word) if !range.contains(&number) => {
                let (least, most) = range.into_inner();
                self.malformed(word, format!("`{number}` is not between {least} and {most}"));
                None
            }
            _ => Some(number),
        }
    }

    /// A word as it is written.
    pub(super) fn text(&mut self, expected: &str) -> Option<String> {
        self.required(expected).map(|word| word.text.clone())
    }

    /// All that is left as one text, at least one word.
    pub(super) fn sentence(&mut self) -> Option<String> {
        let first = self.required("a text")?.text.clone();
        Some(self.rest().iter().fold(first, |text, word| text + " " + &word.text))
    }

    /// One of some words, each with what it stands for.
    pub(super) fn one_of<T: Copy>(&mut self, choices: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let word = self.required(&listed(&names))?;
        let choice = choices.iter().find(|(name, _)| *name == word.text).map(|(_, choice)| *choice);
        if choice.is_none() {
            let message = format!("`{}` is none of {}", word.text, listed(&names));
            self.malformed_near(word, message, &names);
        }
        choice
    }

    /// The keyword as the manual writes it.
    pub(super) fn name(&self) -> String {
        texts(self.keyword)
    }

    pub(super) fn malformed(&mut self, word: &Word, message: impl Into<String>) {
        self.notes.push(Note::at(word, NoteKind::Malformed, message));
    }

    pub(super) fn malformed_near(&mut self, word: &Word, message: String, names: &[&str]) {
        let note = Note::at(word, NoteKind::Malformed, message);
        let near = super::suggest::nearest(&word.text, names.iter().copied());
        self.notes.push(match near {
            Some(near) => note.help(format!("did you mean `{near}`?")),
            None => note,
        });
    }

    pub(super) fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    pub(super) fn with_notes<R>(&mut self, read: impl FnOnce(&mut Vec<Note>) -> R) -> R {
        read(self.notes)
    }

    pub(super) fn unsupported(&mut self, word: &Word, message: impl Into<String>) {
        self.notes.push(Note::at(word, NoteKind::Unsupported, message));
    }

    /// A note about the keyword itself.
    pub(super) fn note_keyword(&mut self, kind: NoteKind, message: impl Into<String>) {
        if let [first, .., last] | [first @ last] = self.keyword {
            self.notes.push(Note::over(first, last, kind, message));
        }
    }

    /// Reads a setting in the midst of a line (`check inter 5s`): `keyword` has been taken, `read` takes what belongs to it.
    pub(super) fn within(&mut self, keyword: &[Word], read: impl FnOnce(&mut Arguments<'_>)) {
        let mut inner = Arguments { keyword, form: Form::Plain, rest: self.rest, notes: self.notes };
        read(&mut inner);
        let taken = self.rest.len() - inner.rest.len();
        self.rest = &self.rest[taken..];
    }

    /// Reads words that stand between braces, all of which belong to `keyword`.
    pub(super) fn apart(&mut self, keyword: &[Word], words: &[Word], read: impl FnOnce(&mut Arguments<'_>)) {
        let mut inner = Arguments { keyword, form: Form::Plain, rest: words, notes: self.notes };
        read(&mut inner);
        inner.end();
    }

    /// Whatever was not taken should not be there.
    pub(super) fn end(mut self) {
        if let [first, .., last] | [first @ last] = self.rest() {
            let message = format!("`{}` takes nothing behind this: `{}` is too much", self.name(), first.text);
            self.notes.push(Note::over(first, last, NoteKind::Malformed, message));
        }
    }
}

/// Names in backquotes: `a`, `b` or `c`.
pub(super) fn listed(names: &[&str]) -> String {
    joined(names, "or")
}

/// Names in backquotes, with a word before the last.
pub(super) fn joined(names: &[&str], word: &str) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} {word} {last}", others.join(", ")),
        None => String::new(),
    }
}

/// Words as they stand beside one another.
pub(super) fn texts(words: &[Word]) -> String {
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    texts.join(" ")
}
