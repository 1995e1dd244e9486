//! Whether a proxy may run with a configuration, and what to tell who wrote it.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Configuration, Note};

/// What is to be said about a configuration.
#[derive(Debug, Clone, Copy)]
pub struct Report<'c> {
    configuration: &'c Configuration,
}

/// Judges a configuration for a proxy that does what it is asked for or nothing.
#[must_use]
pub fn check(configuration: &Configuration) -> Report<'_> {
    Report { configuration }
}

impl<'c> Report<'c> {
    /// What forbids to run with it, in order of place.
    pub fn errors(&self) -> impl Iterator<Item = &'c Note> + use<'c> {
        self.configuration.notes.iter().filter(|note| note.kind.refuses())
    }

    /// What is taken as it is and should be known, in order of place.
    pub fn warnings(&self) -> impl Iterator<Item = &'c Note> + use<'c> {
        self.configuration.notes.iter().filter(|note| !note.kind.refuses())
    }

    /// Whether a proxy must not run with it.
    #[must_use]
    pub fn refused(&self) -> bool {
        self.errors().next().is_some()
    }

    /// Draws everything with its file, line, column and source line, in order of place, in colours for a terminal if asked.
    /// Empty if there is nothing to say.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let drawn: Vec<String> =
            self.configuration.notes.iter().map(|note| renderer.render(&[self.group(note)])).collect();
        drawn.join("\n\n")
    }

    fn group(&self, note: &'c Note) -> Group<'c> {
        let level = if note.kind.refuses() { Level::ERROR } else { Level::WARNING };
        let mut group = Group::with_title(level.primary_title(note.message.as_str()));
        let source = self.configuration.sources.iter().find(|source| source.name == note.position.file);
        if let Some(source) = source {
            let span = span(&source.text, note);
            let snippet = Snippet::source(&*source.text).path(&*source.name);
            group = group.element(snippet.annotation(AnnotationKind::Primary.span(span)));
        }
        if let Some(help) = &note.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        group
    }
}

/// The bytes of a text that a note is about.
fn span(text: &str, note: &Note) -> std::ops::Range<usize> {
    let index = |number: u32| usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
    let mut rest = 0;
    let mut lines = text.split_inclusive('\n').map(|line| {
        let start = rest;
        rest += line.len();
        (start, line.trim_end_matches(['\n', '\r']))
    });
    let Some((start, line)) = lines.nth(index(note.position.line)) else { return text.len()..text.len() };
    let byte = |characters: usize| line.char_indices().nth(characters).map_or(line.len(), |(byte, _)| byte);
    let first = index(note.position.column);
    let length = usize::try_from(note.length).unwrap_or(usize::MAX);
    start + byte(first)..start + byte(first.saturating_add(length))
}
