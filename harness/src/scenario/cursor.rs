//! Reading a tree: a [`Value`] is a place in it, [`Fields`] are the keys of a mapping that are asked for one by one.
//!
//! Whatever is wrong is added to the file's errors at once, and the reading goes on: a method that returns `None`
//! has said why. So `?` is right wherever nothing sensible can follow, and all errors of a file come together.

use std::cell::RefCell;
use std::path::Path;

use super::decode::Decode;
use super::diagnostic::{Diagnostic, Span};
use super::keys::{Key, Optional, Required};
use super::names::Scope;
use super::suggest;
use super::tree::{Entry, Kind, Yaml, shown};

/// What every place in the tree of one case shares.
pub(super) struct Context<'a> {
    pub source: &'a str,
    /// The folder of the scenario, from which paths in it start.
    pub directory: &'a Path,
    pub scope: &'a Scope,
    /// Whether the file as written, before this case of it, has errors already.
    pub broken: bool,
    pub errors: RefCell<Vec<Diagnostic>>,
}

impl<'a> Context<'a> {
    pub fn new(source: &'a str, directory: &'a Path, scope: &'a Scope, broken: bool) -> Self {
        Self { source, directory, scope, broken, errors: RefCell::default() }
    }

    pub fn report(&self, diagnostic: Diagnostic) {
        self.errors.borrow_mut().push(diagnostic);
    }

    pub fn error_count(&self) -> usize {
        self.errors.borrow().len()
    }

    /// Makes sure that something which could not be decoded leaves an error behind.
    pub fn explain(&self, span: Span, what: &str) {
        if !self.broken && self.error_count() == 0 {
            self.report(Diagnostic::new(span, format!("cannot read this {what}")));
        }
    }
}

/// A value in a scenario file, with its place and the names that are known there.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    yaml: &'a Yaml,
    /// Where a missing key is reported: the key that leads here.
    owner: Span,
    /// Tables of keys of this mapping that somebody else has read.
    known: &'a [&'static [Key]],
    context: &'a Context<'a>,
}

impl<'a> Value<'a> {
    pub(super) fn root(yaml: &'a Yaml, context: &'a Context<'a>) -> Self {
        let start = Span { start: yaml.span.start, end: yaml.span.start };
        Self::behind(yaml, start, context)
    }

    pub(super) fn behind(yaml: &'a Yaml, owner: Span, context: &'a Context<'a>) -> Self {
        Self { yaml, owner, known: &[], context }
    }

    pub(super) fn with_known(self, known: &'a [&'static [Key]]) -> Self {
        Self { known, ..self }
    }

    pub(super) fn context(&self) -> &'a Context<'a> {
        self.context
    }

    pub(super) fn yaml(&self) -> &'a Yaml {
        self.yaml
    }

    pub(super) fn span(&self) -> Span {
        match self.yaml.kind {
            Kind::Null => self.owner,
            _ => self.yaml.span,
        }
    }

    /// The place of `range` (bytes) of the scalar's text, or of all of it where the source differs from the text.
    pub(super) fn part(&self, range: std::ops::Range<usize>) -> Span {
        let Span { start, end } = self.yaml.span;
        let source = self.context.source.get(start..end).unwrap_or_default();
        let text = self.text().unwrap_or_default();
        let quotes = if source == text {
            0
        } else if source.get(1..source.len().saturating_sub(1)) == Some(text) {
            1
        } else {
            return self.yaml.span;
        };
        Span { start: start + quotes + range.start, end: start + quotes + range.end }
    }

    /// Whether this is text (a word, a number, a quoted string, a block of text).
    #[must_use]
    pub fn is_scalar(&self) -> bool {
        matches!(self.yaml.kind, Kind::Scalar { .. })
    }

    /// Whether nothing stands here (or `~` or `null`).
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.yaml.kind, Kind::Null)
    }

    /// Whether this is a mapping.
    #[must_use]
    pub fn is_mapping(&self) -> bool {
        matches!(self.yaml.kind, Kind::Mapping(_))
    }

    /// Whether this is a list.
    #[must_use]
    pub fn is_sequence(&self) -> bool {
        matches!(self.yaml.kind, Kind::Sequence(_))
    }

    /// The line on which the value (or the key that leads to it, if nothing stands there) starts, counted from 1.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.span().line(self.context.source)
    }

    /// The line of the key that leads here, counted from 1.
    #[must_use]
    pub fn key_line(&self) -> u32 {
        self.owner.line(self.context.source)
    }

    /// The folder of the scenario.
    #[must_use]
    pub fn directory(&self) -> &'a Path {
        self.context.directory
    }

    /// The text of a scalar; `None` for anything else, without an error.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        match &self.yaml.kind {
            Kind::Scalar { text } => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar; anything else is an error that names what was `expected` ("a duration").
    #[must_use]
    pub fn scalar(&self, expected: &str) -> Option<&'a str> {
        let text = self.text();
        if text.is_none() {
            self.mismatch(expected);
        }
        text
    }

    /// Reads the value as a `T`.
    #[must_use]
    pub fn decode<T: Decode>(&self) -> Option<T> {
        T::decode(self)
    }

    /// The keys of a mapping, those of a table, to be asked for one by one. Nothing at all counts as a mapping without keys.
    #[must_use]
    pub fn fields(&self, table: &'static [Key]) -> Option<Fields<'a>> {
        let entries: &[Entry] = match &self.yaml.kind {
            Kind::Mapping(entries) => entries,
            Kind::Null => &[],
            _ => {
                self.mismatch("a mapping (`key: value`)");
                return None;
            }
        };
        Some(Fields {
            entries,
            taken: vec![false; entries.len()],
            tables: self.known.iter().copied().chain([table]).collect(),
            owner: self.owner,
            context: self.context,
        })
    }

    /// The keys of a mapping whose keys are names of the author's own, each with its value.
    #[must_use]
    pub fn entries(&self) -> Option<Vec<(&'a str, Value<'a>)>> {
        match &self.yaml.kind {
            Kind::Null => Some(Vec::new()),
            Kind::Mapping(entries) => Some(
                entries
                    .iter()
                    .map(|entry| {
                        let value = Value::behind(&entry.value, entry.key_span, self.context);
                        (entry.key.as_str(), value)
                    })
                    .collect(),
            ),
            _ => {
                self.mismatch("a mapping (`name: value`)");
                None
            }
        }
    }

    /// The items of a list.
    #[must_use]
    pub fn items(&self) -> Option<Vec<Value<'a>>> {
        match &self.yaml.kind {
            Kind::Sequence(items) => {
                Some(items.iter().map(|item| Value::behind(item, item.span, self.context)).collect())
            }
            _ => {
                self.mismatch("a list (`[ … ]`)");
                None
            }
        }
    }

    /// The items of a list, or the value itself as the only one.
    #[must_use]
    pub fn one_or_more(&self) -> Option<Vec<Value<'a>>> {
        if self.is_scalar() { Some(vec![*self]) } else { self.items() }
    }

    /// One of some words; `what` says of what kind ("signal"). Any other word is an error that suggests the nearest.
    #[must_use]
    pub fn choose<T: Clone>(&self, what: &str, choices: &[(&str, T)]) -> Option<T> {
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        let text = self.scalar(&format!("one of {}", suggest::listed(&words)))?;
        let found = choices.iter().find(|(word, _)| suggest::same(word, text));
        if found.is_none() {
            let (message, help) = suggest::unknown(what, text, "one of", &words);
            self.error_with_help(message, help);
        }
        found.map(|(_, choice)| choice.clone())
    }

    /// Adds an error at this place.
    pub fn error(&self, message: impl Into<String>) {
        self.context.report(Diagnostic::new(self.span(), message));
    }

    /// Adds an error at this place that also says what to do.
    pub fn error_with_help(&self, message: impl Into<String>, help: impl Into<String>) {
        self.context.report(Diagnostic::new(self.span(), message).help(help));
    }

    /// The place of the key that leads here.
    pub(super) fn key_span(&self) -> Span {
        self.owner
    }

    /// An error at the key that leads here, yet to be reported.
    pub(super) fn key_error(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.owner, message)
    }

    /// Adds the error that something else was `expected` ("a duration such as `200s`") than stands here.
    pub fn mismatch(&self, expected: &str) {
        let found = match &self.yaml.kind {
            Kind::Invalid => return,
            Kind::Null => "nothing".to_owned(),
            Kind::Scalar { text } => format!("`{}`", shown(text)),
            Kind::Sequence(_) => "a list".to_owned(),
            Kind::Mapping(_) => "a mapping".to_owned(),
        };
        self.error(format!("expected {expected}, found {found}"));
    }
}

/// The keys of a mapping. Each is asked for as its table has it; [`Fields::finish`] reports those that are in none.
///
/// Keys are the same however their words are joined: "at most", `at_most`, `at-most`.
pub struct Fields<'a> {
    entries: &'a [Entry],
    taken: Vec<bool>,
    tables: Vec<&'static [Key]>,
    owner: Span,
    context: &'a Context<'a>,
}

impl<'a> Fields<'a> {
    /// The value of a key that must be there.
    #[must_use]
    pub fn required<T: Decode>(&mut self, key: Required<T>) -> Option<T> {
        self.required_value(key)?.decode()
    }

    /// The value of a key that may be there.
    #[must_use]
    pub fn optional<T: Decode>(&mut self, key: Optional<T>) -> Option<T> {
        self.optional_value(key)?.decode()
    }

    /// The place of a key's value; the key must be there.
    #[must_use]
    pub fn required_value<T>(&mut self, key: Required<T>) -> Option<Value<'a>> {
        let value = self.take(key.name);
        if value.is_none() {
            self.missing(key.name);
        }
        value
    }

    /// The place of a key's value, if the key is there.
    #[must_use]
    pub fn optional_value<T>(&mut self, key: Optional<T>) -> Option<Value<'a>> {
        self.take(key.name)
    }

    /// Adds a table to those whose keys are known here.
    pub fn also(&mut self, table: &'static [Key]) {
        self.tables.push(table);
    }

    /// The place of a key's value, if the key is there.
    pub(super) fn take(&mut self, key: &str) -> Option<Value<'a>> {
        let index = self.position(key)?;
        self.taken[index] = true;
        let entry = &self.entries[index];
        Some(Value::behind(&entry.value, entry.key_span, self.context))
    }

    /// Whether the key is there (without asking for it).
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// Adds an error at a key, or at the mapping if the key is not there.
    pub fn error_at(&self, key: &str, message: impl Into<String>) {
        let span = self.position(key).map_or(self.owner, |index| {
            let entry = &self.entries[index];
            match entry.value.kind {
                Kind::Null => entry.key_span,
                _ => entry.value.span,
            }
        });
        self.context.report(Diagnostic::new(span, message));
    }

    /// Reports the keys that are in no table, each with the nearest one that is.
    pub fn finish(&mut self) {
        for index in 0..self.entries.len() {
            if !self.taken[index] {
                self.unknown(index);
            }
        }
    }

    /// Where a missing key is reported.
    pub(super) fn owner(&self) -> Span {
        self.owner
    }

    pub(super) fn context(&self) -> &'a Context<'a> {
        self.context
    }

    /// The entries that nobody has asked for yet.
    pub(super) fn rest(&self) -> Vec<Entry> {
        let rest = self.entries.iter().zip(&self.taken);
        rest.filter(|(_, taken)| !**taken).map(|(entry, _)| entry.clone()).collect()
    }

    /// The tables whose keys are known here.
    pub(super) fn tables(&self) -> &[&'static [Key]] {
        &self.tables
    }

    fn position(&self, key: &str) -> Option<usize> {
        self.entries.iter().position(|entry| suggest::same(&entry.key, key))
    }

    fn missing(&mut self, key: &str) {
        let mut untaken = (0..self.entries.len()).filter(|&index| !self.taken[index]);
        let slip = untaken.find(|&index| suggest::nearest(&self.entries[index].key, [key]).is_some());
        match slip {
            Some(index) => {
                self.taken[index] = true;
                let entry = &self.entries[index];
                let (message, _) = suggest::unknown("key", &entry.key, "keys", &[key]);
                self.context.report(Diagnostic::new(entry.key_span, message));
            }
            None => self.context.report(Diagnostic::new(self.owner, format!("missing key `{key}`"))),
        }
    }

    fn unknown(&mut self, index: usize) {
        self.taken[index] = true;
        let entry = &self.entries[index];
        let known: Vec<_> = self.tables.iter().flat_map(|table| table.iter().map(|key| key.name)).collect();
        let (message, help) = suggest::unknown("key", &entry.key, "keys here", &known);
        self.context.report(Diagnostic::new(entry.key_span, message).help(help));
    }
}
