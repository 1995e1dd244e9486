//! Steps: what the timeline does, one verb each.

use serde::Serialize;

use super::client::Client;
use super::cursor::Value;
use super::diagnostic::{Diagnostic, Span};
use super::service::Service;
use super::shape::{Open, Shape};
use super::suggest;
use super::tree::{Kind, Yaml};
use super::vocabulary::Words;

/// One step of the timeline.
#[derive(Clone, Debug, Serialize)]
pub struct Step<T> {
    /// What it does, in the vocabulary's terms.
    #[serde(skip)]
    pub kind: T,
    /// Its verb.
    pub verb: &'static str,
    /// The step as resolved, on one line of YAML.
    pub text: String,
    /// Its line in the file, counted from 1.
    pub line: u32,
}

shape! {
    /// The section `timeline`.
    pub Timeline = Shape::List(&Shape::Open(Open::Step), None)
}

/// Reads the section `timeline`.
pub(super) fn decode<W: Words>(section: &Value<'_>) -> Vec<Step<W::Step>> {
    if section.is_null() || matches!(&section.yaml().kind, Kind::Sequence(items) if items.is_empty()) {
        section.error_with_help("the timeline is empty", "for example `timeline: [ idle: 200s ]`");
        return Vec::new();
    }
    let mut steps = Vec::new();
    for item in section.items().unwrap_or_default() {
        match step::<W>(&item) {
            Some(step) => steps.push(step),
            None => item.context().explain(item.span(), "step"),
        }
    }
    steps
}

/// Reports steps that ask of a service or client what it cannot do.
pub(super) fn check<W: Words>(
    section: &Value<'_>,
    steps: &[Step<W::Step>],
    services: &[Service<W::Service>],
    clients: &[Client<W::Client>],
) {
    let Kind::Sequence(items) = &section.yaml().kind else { return };
    if items.len() != steps.len() {
        return;
    }
    for (item, step) in items.iter().zip(steps) {
        if let Some((message, help)) = W::objection(&step.kind, services, clients) {
            section.context().report(Diagnostic::new(item.span, message).help(help));
        }
    }
}

fn step<W: Words>(item: &Value<'_>) -> Option<Step<W::Step>> {
    let nothing = Yaml { span: item.span(), kind: Kind::Null };
    let (verb, span, argument) = match item.yaml().entries() {
        [] => (item.scalar("a step, `verb: …`")?, item.span(), &nothing),
        [only] => (only.key.as_str(), only.key_span, &only.value),
        [first, second, ..] => {
            let message = format!("a step has one verb, and this has `{}` and `{}`", first.key, second.key);
            let help = "a `-` begins each step; what belongs to a verb stands indented below it";
            item.context().report(Diagnostic::new(second.key_span, message).help(help));
            return None;
        }
    };
    let Some(word) = W::STEPS.iter().find(|word| suggest::same(word.name, verb)) else {
        unknown::<W>(item, verb, span);
        return None;
    };
    let kind = (word.decode)(Value::behind(argument, span, item.context()))?;
    let text = match argument.kind {
        Kind::Null => word.name.to_owned(),
        _ => format!("{}: {}", word.name, argument.to_line()),
    };
    Some(Step { kind, verb: word.name, text, line: span.line(item.context().source) })
}

fn unknown<W: Words>(item: &Value<'_>, verb: &str, span: Span) {
    let verbs: Vec<_> = W::STEPS.iter().map(|word| word.name).collect();
    let (message, help) = suggest::unknown("verb", verb, "verbs", &verbs);
    item.context().report(Diagnostic::new(span, message).help(help));
}
