//! What is said of a valid scenario file: drawn as its errors would be, and no error.

use annotate_snippets::Level;

use super::diagnostic::{Diagnostic, Span, draw, group, message};

/// Remarks on one scenario file that is valid, in the order of their places in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warnings {
    file: String,
    source: String,
    /// Each with the name of what was looked for.
    diagnostics: Vec<(&'static str, Diagnostic)>,
}

impl Warnings {
    /// None yet.
    #[must_use]
    pub fn new(file: &str, source: &str) -> Self {
        Self { file: file.to_owned(), source: source.to_owned(), diagnostics: Vec::new() }
    }

    /// Adds one, of a whole line counted from 1; `note` says in which cases.
    pub fn add(&mut self, name: &'static str, line: u32, message: &str, help: &str, note: Option<String>) {
        let diagnostic = Diagnostic { note, ..Diagnostic::new(self.line(line), message).help(help) };
        self.diagnostics.push((name, diagnostic));
    }

    /// The text of a line, without its indentation.
    fn line(&self, number: u32) -> Span {
        let before = usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
        let start: usize = self.source.split_inclusive('\n').take(before).map(str::len).sum();
        let rest = self.source.get(start..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default();
        let start = start + line.len() - line.trim_start().len();
        Span { start, end: start + line.trim().len() }
    }

    /// The names of what was found, with their lines counted from 1.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u32)> {
        let line = |diagnostic: &Diagnostic| diagnostic.span.map_or(1, |span| span.line(&self.source));
        self.diagnostics.iter().map(move |(name, diagnostic)| (*name, line(diagnostic)))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.diagnostics.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// Draws each with its file, line, column and source line, in colours for a terminal if asked.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let groups = self.diagnostics.iter().map(|(name, diagnostic)| {
            let title = Level::WARNING.primary_title(message(diagnostic)).id(*name);
            group(title, diagnostic, &self.file, &self.source)
        });
        draw(groups, color)
    }
}
