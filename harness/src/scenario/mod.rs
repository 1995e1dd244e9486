//! Scenarios: from YAML to cases that can run, or to every error of the file at once.
//!
//! ```text
//! source ──▶ tree (as written, with places) ──▶ matrix (one tree for each case) ──▶ cases (as resolved)
//! ```
//!
//! This knows the shape of a scenario and its names, and nothing of what a lab does with them: verbs, services,
//! protocols and mechanisms come from a vocabulary ([`Words`]). Reading asks nothing of the machine but whether the files
//! that a scenario names are there.

// The tables' macros come first.
#[macro_use]
mod keys;
#[macro_use]
mod shape;

mod case;
mod client;
mod cursor;
mod decode;
mod diagnostic;
mod expectation;
mod find;
mod firewall;
mod matrix;
mod middleboxes;
mod names;
mod node;
mod places;
mod schema;
mod service;
mod step;
mod suggest;
mod tree;
mod units;
mod variants;
mod vocabulary;
mod warnings;
mod wire;

use std::collections::HashMap;
use std::fs;
use std::path::Path;

pub use case::Case;
pub use client::{Client, Keepalive, Starts, Target};
pub use cursor::{Fields, Value};
pub use decode::{Choice, Decode, FileOrText, Heartbeat, OnOff, Port};
pub use diagnostic::{Diagnostic, Errors, Span};
pub use expectation::{ConnectionPattern, Expectation, NOTHING, Others, Pattern, Signal};
pub use find::find;
pub use firewall::{Firewall, Nat, Unknown};
pub use keys::{Key, Optional, Required};
pub use middleboxes::{MODELS, Model};
pub use names::{ClientName, FirewallName, NodeName, ProcessName, ServiceName, WireName};
pub use node::Node;
pub use places::{Of, Place, mapping, places};
pub use schema::schema;
pub use service::{Ready, Service};
pub use shape::{Mapped, OneOrMore, Open, Shape, Shaped, WordShape};
pub use step::Step;
pub use units::{Bytes, Pace, Percent, Rate, Refusal, duration_text, parse_duration};
pub use vocabulary::{ServiceWord, Word, Words};
pub use warnings::Warnings;
pub use wire::{Neighbours, Quality, QualityKeys, Wire};

use cursor::Context;
use names::Scope;
use tree::Yaml;

/// Reads a scenario file. `root` is the folder of scenarios that its name starts from; without it, the last folder of
/// the path that is called `scenarios`.
///
/// # Errors
/// All that is wrong with the file: it cannot be read, is not YAML, or is not a scenario.
pub fn load<W: Words>(path: &Path, root: Option<&Path>) -> Result<Vec<Case<W>>, Errors> {
    let file = path.display().to_string();
    let unreadable = |reason: String, help: &str| {
        let diagnostic = Diagnostic::of_file(format!("cannot read scenario `{file}`: {reason}"));
        Errors::new(&file, "", vec![diagnostic.help(help)])
    };
    let bytes = fs::read(path)
        .map_err(|error| unreadable(error.to_string(), "give the path of a scenario file, or of a folder of them"))?;
    let source = String::from_utf8(bytes)
        .map_err(|error| unreadable(error.utf8_error().to_string(), "save the file as UTF-8"))?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let cases = parse(&file, &source, &find::name(path, root), directory)?;
    Ok(cases.into_iter().map(|case| Case { file: path.to_owned(), ..case }).collect())
}

/// Reads a scenario from its `source`. `file` is what errors call it, `scenario` is its name (`seed/idle`), and
/// `directory` is where the paths in it start.
///
/// # Errors
/// All that is wrong with it.
pub fn parse<W: Words>(file: &str, source: &str, scenario: &str, directory: &Path) -> Result<Vec<Case<W>>, Errors> {
    let mut errors = Vec::new();
    let Some(root) = tree::parse(source, &mut errors) else {
        return Err(Errors::new(file, source, errors));
    };

    let no_names = Scope::default();
    let context = Context::new(source, directory, &no_names, true);
    let section = root.entries().iter().find(|entry| suggest::same(&entry.key, "matrix"));
    let matrix =
        section.map(|entry| matrix::decode(&Value::behind(&entry.value, entry.key_span, &context))).unwrap_or_default();
    errors.extend(context.errors.into_inner());

    let combinations = matrix::combinations(&matrix);
    let mut seen = Seen::new(combinations.len());
    let mut cases = Vec::new();
    for combination in &combinations {
        let values = combination.values();
        let label = case::label(&values);
        let context = Context::new(source, directory, &no_names, true);
        let resolved: Yaml = combination.apply(&root, &context);
        let replacing = context.errors.into_inner();
        // A node's name can be a reference too.
        let scope = Scope::of(&resolved, matrix::names(&matrix));
        let context = Context::new(source, directory, &scope, !errors.is_empty() || !replacing.is_empty());
        let case = case::decode::<W>(&Value::root(&resolved, &context), scenario, values);
        seen.add(replacing.into_iter().chain(context.errors.into_inner()).collect(), &label);
        cases.extend(case);
    }
    errors.extend(seen.into_errors());

    if errors.is_empty() { Ok(cases) } else { Err(Errors::new(file, source, errors)) }
}

/// The errors of all cases, each once, with the cases that have it.
struct Seen {
    cases: usize,
    /// Each error, how many cases have it, and which is the first.
    errors: Vec<(Diagnostic, usize, String)>,
    index: HashMap<(Option<Span>, String), usize>,
}

impl Seen {
    fn new(cases: usize) -> Self {
        Self { cases, errors: Vec::new(), index: HashMap::new() }
    }

    fn add(&mut self, errors: Vec<Diagnostic>, case: &str) {
        let mut new_here = HashMap::new();
        for error in errors {
            new_here.entry((error.span, error.message.clone())).or_insert(error);
        }
        for (key, error) in new_here {
            let index = *self.index.entry(key).or_insert_with(|| {
                self.errors.push((error, 0, case.to_owned()));
                self.errors.len() - 1
            });
            self.errors[index].1 += 1;
        }
    }

    fn into_errors(self) -> impl Iterator<Item = Diagnostic> {
        self.errors.into_iter().map(move |(mut error, count, first)| {
            if count < self.cases {
                error.note = Some(match count {
                    1 => format!("in the case {first}"),
                    _ => format!("in {count} of {} cases, the first is {first}", self.cases),
                });
            }
            error
        })
    }
}
