//! What is wrong with a scenario file, and where: collected, then drawn the way rustc draws its own errors.

use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, Title};

/// A range of bytes in the source of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

impl Span {
    /// The line of the span's first byte in `source`, counted from 1.
    pub(super) fn line(self, source: &str) -> u32 {
        let line = before(source, self.start).matches('\n').count() + 1;
        u32::try_from(line).unwrap_or(u32::MAX)
    }

    /// The column of the span's first character in `source`, counted in characters from 1.
    pub(super) fn column(self, source: &str) -> u32 {
        let column = before(source, self.start).chars().rev().take_while(|&c| c != '\n').count() + 1;
        u32::try_from(column).unwrap_or(u32::MAX)
    }

    /// The part of the span that lies on its first line: an error points at a place, not at a page.
    fn first_line(self, source: &str) -> std::ops::Range<usize> {
        let text = source.get(self.start..self.end).unwrap_or_default();
        let line = text.lines().next().unwrap_or_default().trim_end();
        self.start..self.start + line.len()
    }
}

fn before(source: &str, byte: usize) -> &str {
    source.get(..byte).unwrap_or(source)
}

/// One error of a scenario file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, in one line.
    pub message: String,
    /// Where; `None` when the file as a whole is meant (it cannot be read).
    pub span: Option<Span>,
    /// A second place that has to do with it, and what it has to do with it.
    pub also: Option<(Span, String)>,
    /// What to do about it.
    pub help: Option<String>,
    /// In which of the matrix's cases it shows, if not in all.
    pub note: Option<String>,
}

impl Diagnostic {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span: Some(span), ..Self::of_file(message) }
    }

    pub(super) fn of_file(message: impl Into<String>) -> Self {
        Self { message: message.into(), span: None, also: None, help: None, note: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.also = Some((span, label.into()));
        self
    }
}

/// All errors of one scenario file, in the order of their places in it. Never empty when returned by
/// [`load`](super::load) or [`parse`](super::parse).
///
/// `Display` draws them without colours; see [`Errors::render`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors {
    file: String,
    source: String,
    diagnostics: Vec<Diagnostic>,
}

impl Errors {
    pub(super) fn new(file: &str, source: &str, mut diagnostics: Vec<Diagnostic>) -> Self {
        diagnostics.sort_by(|one, other| (one.span, &one.message).cmp(&(other.span, &other.message)));
        Self { file: file.to_owned(), source: source.to_owned(), diagnostics }
    }

    /// How many errors there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.diagnostics.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// The errors one by one, each with its line and column (both counted from 1, columns in characters).
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32, &Diagnostic)> {
        self.diagnostics.iter().map(|diagnostic| {
            let (line, column) =
                diagnostic.span.map_or((1, 1), |span| (span.line(&self.source), span.column(&self.source)));
            (line, column, diagnostic)
        })
    }

    /// Draws every error with its file, line, column and source line, in colours for a terminal if asked.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let title = |diagnostic| Level::ERROR.primary_title(message(diagnostic));
        let groups =
            self.diagnostics.iter().map(|diagnostic| group(title(diagnostic), diagnostic, &self.file, &self.source));
        draw(groups, color)
    }
}

pub(super) fn message(diagnostic: &Diagnostic) -> &str {
    &diagnostic.message
}

/// Draws one after the other, with an empty line between them.
pub(super) fn draw<'a>(groups: impl Iterator<Item = Group<'a>>, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let drawn: Vec<String> = groups.map(|group| renderer.render(&[group])).collect();
    drawn.join("\n\n")
}

/// What stands below its title: the place in the source, the note, the help.
pub(super) fn group<'a>(title: Title<'a>, diagnostic: &'a Diagnostic, file: &'a str, source: &'a str) -> Group<'a> {
    let mut group = Group::with_title(title);
    if let Some(span) = diagnostic.span {
        let mut snippet =
            Snippet::source(source).path(file).annotation(AnnotationKind::Primary.span(span.first_line(source)));
        if let Some((span, label)) = &diagnostic.also {
            let place = AnnotationKind::Context.span(span.first_line(source));
            snippet = snippet.annotation(place.label(label));
        }
        group = group.element(snippet);
    }
    if let Some(note) = &diagnostic.note {
        group = group.element(Level::NOTE.message(note));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help));
    }
    group
}

impl fmt::Display for Errors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.render(false))
    }
}

impl std::error::Error for Errors {}
