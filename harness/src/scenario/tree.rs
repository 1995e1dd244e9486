//! A scenario as written: YAML 1.2 as a tree in which everything knows its place in the source.
//!
//! Scalars are text and nothing else. `off`, `on`, `yes`, `1` are what the field that reads them says.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput};

use super::diagnostic::{Diagnostic, Span};

/// More levels than any scenario has; a limit, since the tree is walked by recursion.
const DEEPEST: usize = 32;

/// One YAML node and its place.
#[derive(Clone, Debug)]
pub(super) struct Yaml {
    pub span: Span,
    pub kind: Kind,
}

/// What a YAML node is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    /// Text, however it was written.
    Scalar { text: String },
    /// A list.
    Sequence(Vec<Yaml>),
    /// Keys with values; a key occurs once.
    Mapping(Vec<Entry>),
    /// Something with an error that has been reported; whoever reads it keeps silent.
    Invalid,
}

/// One key of a mapping with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    pub key_span: Span,
    pub value: Yaml,
}

impl Yaml {
    /// The keys and values of a mapping; of anything else, none.
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The node on one line, in flow style, for people to read.
    pub fn to_line(&self) -> String {
        match &self.kind {
            Kind::Null => "~".to_owned(),
            Kind::Invalid => "?".to_owned(),
            Kind::Scalar { text } => scalar_to_line(text),
            Kind::Sequence(items) => {
                let items: Vec<_> = items.iter().map(Yaml::to_line).collect();
                format!("[{}]", items.join(", "))
            }
            Kind::Mapping(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|entry| format!("{}: {}", entry.key, entry.value.to_line())).collect();
                format!("{{ {} }}", entries.join(", "))
            }
        }
    }
}

fn scalar_to_line(text: &str) -> String {
    let plain = !text.is_empty()
        && text.trim() == text
        && text.starts_with(|c: char| c.is_alphanumeric() || "/._$".contains(c))
        && !text.contains(|c: char| c.is_control() || ",[]{}\"'#".contains(c))
        && !text.contains(": ")
        && !text.ends_with(':');
    if plain { text.to_owned() } else { format!("{text:?}") }
}

/// Reads the one YAML document in `source`. `None` when there is no tree at all; `errors` then says why.
pub(super) fn parse(source: &str, errors: &mut Vec<Diagnostic>) -> Option<Yaml> {
    let bytes = source.char_indices().map(|(byte, _)| byte).chain([source.len()]).collect();
    let mut builder = Builder { parser: Parser::new_from_str(source), source, bytes, depth: 0, errors };
    builder.document()
}

struct Builder<'s, 'e> {
    parser: Parser<'s, StrInput<'s>>,
    source: &'s str,
    /// The byte at which each character starts: the parser counts in characters.
    bytes: Vec<usize>,
    depth: usize,
    errors: &'e mut Vec<Diagnostic>,
}

/// `None` means that the reading stops, with an error added.
impl<'s> Builder<'s, '_> {
    fn stop<T>(&mut self, diagnostic: Diagnostic) -> Option<T> {
        self.errors.push(diagnostic);
        None
    }

    fn document(&mut self) -> Option<Yaml> {
        let mut tree = None;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => break,
                (Event::DocumentStart(_), span) if tree.is_some() => {
                    let second = Diagnostic::new(span, "a second YAML document starts here");
                    return self.stop(second.help("a file holds one scenario; put this one in a file of its own"));
                }
                (Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd, _) => {}
                (event, span) => tree = Some(self.node(event, span)?),
            }
        }
        if tree.is_some() {
            return tree;
        }
        let empty = Diagnostic::new(Span { start: 0, end: 0 }, "the file is empty");
        self.stop(empty.help("a scenario needs at least `title`, `nodes` and `timeline`"))
    }

    fn next(&mut self) -> Option<(Event<'s>, Span)> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                let span = self.span(span.start.index(), span.end.index());
                Some((event, span))
            }
            Some(Err(error)) => {
                let diagnostic = self.syntax_error(&error);
                self.stop(diagnostic)
            }
            None => Some((Event::StreamEnd, self.span(usize::MAX, usize::MAX))),
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let byte = |character| self.bytes.get(character).copied().unwrap_or(self.source.len());
        Span { start: byte(start), end: byte(end.max(start)) }
    }

    fn node(&mut self, event: Event<'s>, span: Span) -> Option<Yaml> {
        let refused = match &event {
            Event::Alias(_) => Some("an alias"),
            Event::Scalar(_, _, anchor, _) | Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _)
                if *anchor > 0 =>
            {
                Some("an anchor")
            }
            Event::Scalar(_, _, _, Some(_)) | Event::SequenceStart(_, Some(_)) | Event::MappingStart(_, Some(_)) => {
                Some("a tag")
            }
            _ => None,
        };
        let mut node = self.plain_node(event, span)?;
        if let Some(what) = refused {
            self.errors.push(
                Diagnostic::new(span, format!("{what} of YAML is not read in scenarios"))
                    .help("write the value itself; for values that change from case to case there is `matrix`"),
            );
            node.kind = Kind::Invalid;
        }
        Some(node)
    }

    fn plain_node(&mut self, event: Event<'s>, span: Span) -> Option<Yaml> {
        match event {
            Event::Scalar(text, style, ..) => {
                let plain = style == ScalarStyle::Plain;
                let kind = if plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL") {
                    Kind::Null
                } else {
                    Kind::Scalar { text: text.into_owned() }
                };
                Some(Yaml { span, kind })
            }
            Event::SequenceStart(..) => self.nested(span, Self::sequence),
            Event::MappingStart(..) => self.nested(span, Self::mapping),
            _ => Some(Yaml { span, kind: Kind::Invalid }),
        }
    }

    fn nested(&mut self, span: Span, read: fn(&mut Self) -> Option<(Kind, Span)>) -> Option<Yaml> {
        if self.depth == DEEPEST {
            return self.stop(Diagnostic::new(span, format!("nested deeper than {DEEPEST} levels")));
        }
        self.depth += 1;
        let (kind, last) = read(self)?;
        self.depth -= 1;
        let text = self.source.get(span.start..last.end).unwrap_or_default();
        let end = span.start + text.trim_end().len();
        Some(Yaml { span: Span { end, ..span }, kind })
    }

    fn sequence(&mut self) -> Option<(Kind, Span)> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd | Event::StreamEnd, last) => return Some((Kind::Sequence(items), last)),
                (event, span) => items.push(self.node(event, span)?),
            }
        }
    }

    fn mapping(&mut self) -> Option<(Kind, Span)> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let key = match self.next()? {
                (Event::MappingEnd | Event::StreamEnd, last) => return Some((Kind::Mapping(entries), last)),
                (event, span) => self.node(event, span)?,
            };
            let (event, span) = self.next()?;
            let value = self.node(event, span)?;
            let Kind::Scalar { text } = key.kind else {
                self.errors
                    .push(Diagnostic::new(key.span, "expected a word as key").help("quote it if it is meant as text"));
                continue;
            };
            if let Some(first) = entries.iter().find(|entry| entry.key == text) {
                let first = first.key_span;
                self.errors.push(
                    Diagnostic::new(key.span, format!("duplicate key `{}`", shown(&text)))
                        .also(first, "first given here"),
                );
                continue;
            }
            entries.push(Entry { key: text, key_span: key.span, value });
        }
    }

    fn syntax_error(&self, error: &ScanError) -> Diagnostic {
        let at = error.marker().index();
        let span = self.span(at, at.saturating_add(1));
        let line_start = self.source[..span.start].rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.source[line_start..].lines().next().unwrap_or_default();
        let indent = &line[..line.len() - line.trim_start().len()];
        let diagnostic = Diagnostic::new(span, format!("not valid YAML: {}", error.info()));
        if indent.contains('\t') || error.info().contains("tab") {
            diagnostic.help("YAML is indented with spaces: replace the tab")
        } else if line.contains("${{") {
            diagnostic.help("inside `{ }` and `[ ]` a reference needs quotes: `\"${{ matrix.x }}\"`")
        } else if error.info().contains("mapping values are not allowed") {
            diagnostic.help("a text with `: ` in it needs quotes; a key stands in the column of its neighbours")
        } else if error.info().contains("flow") || error.info().contains("':'") || error.info().contains("quoted") {
            diagnostic.help("perhaps a `{`, a `[` or a quote further up is not closed")
        } else {
            diagnostic
        }
    }
}

/// Text from a file made fit for a message of one line.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown.replace("\\'", "'").replace("\\\"", "\"")
}
