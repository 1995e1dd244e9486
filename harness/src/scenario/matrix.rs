//! The parameters of a scenario: dimensions, their values, and each combination put in its place.

use super::cursor::{Context, Value};
use super::diagnostic::{Diagnostic, Span};
use super::names::{self, check_name};
use super::shape::{Mapped, OneOrMore, Shape};
use super::suggest;
use super::tree::{Entry, Kind, Yaml, shown};
use super::variants::Variants;

/// More cases than one file should make: a limit, so that a slip of the pen does not fill the memory.
const MOST_CASES: usize = 1024;

const OPEN: &str = "${{";
const CLOSE: &str = "}}";

keys! {
    /// What a matrix has besides its dimensions.
    pub struct MatrixKeys {
        EXCLUDE: optional Vec<Mapped<OneOrMore<String>>> = "exclude", "[ { length: full } ]", "none",
            "combinations that are left out; what is not named can be anything";
        INCLUDE: optional Vec<Mapped<String>> = "include", "[ { length: full } ]", "none",
            "cases besides, with a value of each dimension";
    }
}

shape! {
    /// The section `matrix`: a dimension is a list of words, or names of bundles of texts.
    pub Section = Shape::Map {
        keys: &[MatrixKeys::TABLE],
        of: &Shape::Either(&[
            Shape::List(&Shape::Text, None),
            Shape::mapped(&Mapped::<String>::SHAPE),
        ]),
        names: Some(names::pattern),
        least: 0,
    }
}

/// All that the section `matrix` says.
#[derive(Default)]
pub(super) struct Matrix {
    dimensions: Vec<Dimension>,
    variants: Variants,
}

/// One parameter and what it can be.
pub(super) struct Dimension {
    pub name: String,
    /// Empty if the dimension has an error: then references to it keep silent.
    pub choices: Vec<Choice>,
}

/// One value of a dimension: its name, and the texts it stands for if it is a bundle.
#[derive(Clone)]
pub(super) struct Choice {
    pub name: String,
    pub bundle: Vec<(String, String)>,
}

/// One choice of every dimension.
pub(super) struct Combination<'m> {
    dimensions: &'m [Dimension],
    choices: Vec<Option<&'m Choice>>,
}

/// Reads the section `matrix`: dimension → list of words, or dimension → (value name → bundle); and `exclude` and `include`.
pub(super) fn decode(section: &Value<'_>) -> Matrix {
    let mut dimensions = Vec::new();
    let (rules, parameters): (Vec<_>, Vec<_>) =
        section.entries().unwrap_or_default().into_iter().partition(|(name, _)| Variants::is_key(name));
    for (name, value) in parameters {
        let errors = section.context().error_count();
        check_dimension_name(name, &value);
        let mut choices = if value.is_mapping() { bundles(&value) } else { words(&value) };
        if choices.is_empty() && !value.is_null() && section.context().error_count() == errors {
            value.error(format!("matrix dimension `{name}` has no values"));
        }
        if section.context().error_count() > errors {
            choices.clear();
        }
        dimensions.push(Dimension { name: name.to_owned(), choices });
    }
    let cases = dimensions.iter().map(|dimension| dimension.choices.len().max(1));
    if cases.fold(1, usize::saturating_mul) > MOST_CASES {
        let message = format!("the matrix makes more than {MOST_CASES} cases");
        let help = "split the scenario into several files";
        section.context().report(section.key_error(message).help(help));
        dimensions.iter_mut().for_each(|dimension| dimension.choices.clear());
    }
    let variants = Variants::decode(&rules, &dimensions);
    let matrix = Matrix { dimensions, variants };
    if combinations(&matrix).is_empty() {
        section.context().report(section.key_error("every case of the matrix is excluded"));
    }
    matrix
}

fn check_dimension_name(name: &str, value: &Value<'_>) {
    if name.contains('.') {
        let message = format!("`{}` cannot be the name of a matrix dimension", shown(name));
        let help = "a dot separates a dimension from a value of its bundle, as in `matrix.length.idle`";
        value.context().report(value.key_error(message).help(help));
    } else {
        check_name("matrix dimension", name, value);
    }
}

fn words(value: &Value<'_>) -> Vec<Choice> {
    let mut choices: Vec<Choice> = Vec::new();
    for item in value.items().unwrap_or_default() {
        let Some(name) = item.scalar("a word") else { continue };
        check_choice(name, item.span(), &item);
        if choices.iter().any(|choice| choice.name == name) {
            item.error(format!("`{}` is in the list already", shown(name)));
        }
        choices.push(Choice { name: name.to_owned(), bundle: Vec::new() });
    }
    choices
}

fn bundles(value: &Value<'_>) -> Vec<Choice> {
    let mut choices: Vec<Choice> = Vec::new();
    for (name, bundle) in value.entries().unwrap_or_default() {
        check_choice(name, bundle.key_span(), &bundle);
        let entries = bundle.entries().unwrap_or_default();
        let texts = entries.iter().filter_map(|(key, value)| {
            let text = value.scalar("a word or text")?;
            check_no_reference(text, value);
            Some(((*key).to_owned(), text.to_owned()))
        });
        let choice = Choice { name: name.to_owned(), bundle: texts.collect() };
        if let Some(first) = choices.first() {
            check_same_keys(first, &choice, &bundle);
        }
        choices.push(choice);
    }
    choices
}

/// Every value of a dimension has the same keys, so that a reference holds in all cases or in none.
fn check_same_keys(first: &Choice, choice: &Choice, place: &Value<'_>) {
    for (one, other) in [(first, choice), (choice, first)] {
        for (key, _) in &one.bundle {
            if !other.bundle.iter().any(|(name, _)| name == key) {
                let message = format!("`{}` has no `{key}`, which `{}` has", other.name, one.name);
                place.context().report(place.key_error(message));
            }
        }
    }
}

/// The names of values make the names of cases, of files and of tests.
pub(super) fn check_choice(name: &str, span: Span, value: &Value<'_>) {
    let fit = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || ",=[]/".contains(c));
    if name.contains(OPEN) {
        check_no_reference(name, value);
    } else if !fit {
        let message = format!("`{}` cannot be the name of a matrix value", shown(name));
        let help = "it becomes part of the case's name, which has no spaces, `,`, `=`, `/`, `[` and `]` in it; \
                    a bundle gives such a text a name: `dimension: { name: { key: text } }`";
        value.context().report(Diagnostic::new(span, message).help(help));
    }
}

fn check_no_reference(text: &str, value: &Value<'_>) {
    if text.contains(OPEN) {
        value.error("a matrix value cannot refer to the matrix");
    }
}

/// The dimensions and the names of their values, as `when` can name them.
pub(super) fn names(matrix: &Matrix) -> Vec<(String, Vec<String>)> {
    let names = matrix.dimensions.iter().enumerate().map(|(index, dimension)| {
        let included = matrix.variants.included.iter().map(|choices| &choices[index]);
        let mut names: Vec<String> = Vec::new();
        for choice in dimension.choices.iter().chain(included) {
            if !names.contains(&choice.name) {
                names.push(choice.name.clone());
            }
        }
        (dimension.name.clone(), names)
    });
    names.collect()
}

/// The combinations that are not excluded, the last dimension changing fastest, and then those that are included.
pub(super) fn combinations(matrix: &Matrix) -> Vec<Combination<'_>> {
    let Matrix { dimensions, variants } = matrix;
    let combination = |choices| Combination { dimensions, choices };
    let all = products(dimensions).into_iter().filter(|choices| !variants.exclude(choices));
    let included = variants.included.iter().map(|choices| choices.iter().map(Some).collect());
    all.chain(included).map(combination).collect()
}

/// Each choice of each dimension with each of all others.
pub(super) fn products(dimensions: &[Dimension]) -> Vec<Vec<Option<&Choice>>> {
    let mut all = vec![Vec::new()];
    for dimension in dimensions {
        let options: Vec<_> =
            if dimension.choices.is_empty() { vec![None] } else { dimension.choices.iter().map(Some).collect() };
        all = all
            .into_iter()
            .flat_map(|chosen: Vec<Option<&Choice>>| {
                options.iter().map(move |option| {
                    let mut chosen = chosen.clone();
                    chosen.push(*option);
                    chosen
                })
            })
            .collect();
    }
    all
}

impl Combination<'_> {
    /// Dimension → name of the chosen value, in the order of the file.
    pub fn values(&self) -> Vec<(String, String)> {
        let pairs = self.dimensions.iter().zip(&self.choices);
        pairs.filter_map(|(dimension, choice)| Some((dimension.name.clone(), (*choice)?.name.clone()))).collect()
    }

    /// The scenario with every `${{ matrix.… }}` replaced; the section `matrix` itself stays as it is.
    pub fn apply(&self, root: &Yaml, context: &Context<'_>) -> Yaml {
        let Kind::Mapping(entries) = &root.kind else {
            return self.substitute(root, context);
        };
        let (matrix, others): (Vec<_>, Vec<_>) =
            entries.iter().cloned().partition(|entry| suggest::same(&entry.key, "matrix"));
        let mut entries = self.substitute_entries(&others, context);
        entries.extend(matrix);
        Yaml { span: root.span, kind: Kind::Mapping(entries) }
    }

    /// Replaces references in keys and values. A key whose reference cannot be replaced goes, with what it leads to.
    fn substitute_entries(&self, entries: &[Entry], context: &Context<'_>) -> Vec<Entry> {
        let mut replaced: Vec<Entry> = Vec::new();
        for entry in entries {
            let value = self.substitute(&entry.value, context);
            let key = if entry.key.contains(OPEN) {
                let text = Yaml { span: entry.key_span, kind: Kind::Scalar { text: entry.key.clone() } };
                self.expand(&entry.key, &Value::behind(&text, entry.key_span, context))
            } else {
                Some(entry.key.clone())
            };
            let Some(key) = key else { continue };
            let twice = replaced.iter().any(|other| other.key == key);
            if twice {
                context.report(Diagnostic::new(entry.key_span, format!("key `{}` stands here twice", shown(&key))));
            }
            replaced.push(Entry { key, key_span: entry.key_span, value });
        }
        replaced
    }

    fn substitute(&self, yaml: &Yaml, context: &Context<'_>) -> Yaml {
        let kind = match &yaml.kind {
            Kind::Scalar { text } if text.contains(OPEN) => {
                match self.expand(text, &Value::behind(yaml, yaml.span, context)) {
                    Some(text) => Kind::Scalar { text },
                    None => Kind::Invalid,
                }
            }
            Kind::Sequence(items) => Kind::Sequence(items.iter().map(|item| self.substitute(item, context)).collect()),
            Kind::Mapping(entries) => Kind::Mapping(self.substitute_entries(entries, context)),
            other => other.clone(),
        };
        Yaml { span: yaml.span, kind }
    }

    fn expand(&self, text: &str, place: &Value<'_>) -> Option<String> {
        let mut expanded = String::new();
        let mut from = 0;
        let mut whole = true;
        while let Some(found) = text[from..].find(OPEN) {
            let start = from + found;
            expanded.push_str(&text[from..start]);
            let Some(length) = text[start..].find(CLOSE) else {
                let message = format!("this `{OPEN}` has no `{CLOSE}`");
                let span = place.part(start..start + OPEN.len());
                place.context().report(Diagnostic::new(span, message));
                return None;
            };
            let end = start + length + CLOSE.len();
            let reference = text[start + OPEN.len()..start + length].trim();
            match self.lookup(reference) {
                Ok(Some(value)) => expanded.push_str(value),
                Ok(None) => whole = false,
                Err(problem) => {
                    whole = false;
                    place.context().report(problem.at(place.part(start..end), reference));
                }
            }
            from = end;
        }
        expanded.push_str(&text[from..]);
        whole.then_some(expanded)
    }

    /// The text that a reference stands for; `Ok(None)` if its dimension has an error of its own.
    fn lookup(&self, reference: &str) -> Result<Option<&str>, UnknownReference> {
        let (dimension, key) = match reference.strip_prefix("matrix.") {
            Some(path) => path.split_once('.').map_or((path, None), |(name, key)| (name, Some(key))),
            None => return Err(self.unknown_dimension()),
        };
        let index = self.dimensions.iter().position(|known| known.name == dimension);
        let Some(choice) = index.map(|index| self.choices[index]) else {
            return Err(self.unknown_dimension());
        };
        let (Some(choice), Some(key)) = (choice, key) else {
            return Ok(choice.map(|choice| choice.name.as_str()));
        };
        let found = choice.bundle.iter().find(|(name, _)| name == key);
        let text = found.map(|(_, text)| Some(text.as_str()));
        text.ok_or_else(|| {
            let keys = choice.bundle.iter().map(|(name, _)| format!("matrix.{dimension}.{name}"));
            UnknownReference(keys.chain([format!("matrix.{dimension}")]).collect())
        })
    }

    fn unknown_dimension(&self) -> UnknownReference {
        let names = self.dimensions.iter().map(|known| format!("matrix.{}", known.name));
        UnknownReference(names.collect())
    }
}

/// A reference to what the matrix does not have, with what it has.
struct UnknownReference(Vec<String>);

impl UnknownReference {
    fn at(&self, span: Span, reference: &str) -> Diagnostic {
        let candidates: Vec<_> = self.0.iter().map(String::as_str).collect();
        let (message, help) = suggest::unknown("matrix reference", reference, "references", &candidates);
        Diagnostic::new(span, message).help(help)
    }
}
