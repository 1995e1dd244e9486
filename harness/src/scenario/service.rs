//! Services: what runs on the nodes.

use std::time::Duration;

use serde::Serialize;

use super::cursor::{Fields, Value};
use super::decode::{Decode, Port};
use super::diagnostic::Diagnostic;
use super::names::{NodeName, ServiceName, check_name};
use super::shape::{Mapped, Open, Shape, Shaped};
use super::suggest;
use super::vocabulary::{ServiceWord, Words};

/// Something that runs on a node.
#[derive(Clone, Debug, Serialize)]
pub struct Service<T> {
    /// Its name.
    pub name: ServiceName,
    /// The node that it runs on.
    pub node: NodeName,
    /// What it is, in the vocabulary's terms.
    #[serde(skip)]
    pub kind: T,
    /// The service as resolved, on one line of YAML.
    pub text: String,
    /// Environment variables of its own.
    #[serde(serialize_with = "super::units::serialize_pairs")]
    pub env: Vec<(String, String)>,
    /// When it counts as ready; `None` leaves it to the kind of service.
    pub ready: Option<Ready>,
    /// How long it has to become ready; `None` leaves it to the kind of service.
    #[serde(serialize_with = "super::units::serialize_optional_duration")]
    pub ready_within: Option<Duration>,
    /// Its line in the file, counted from 1.
    #[serde(skip)]
    pub line: u32,
}

/// What shows that a service is ready; all that is given must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ready {
    /// It listens on this TCP port.
    pub port: Option<u16>,
    /// Its log has a line with this text in it.
    pub log: Option<String>,
}

keys! {
    /// The keys that are common to all services.
    pub struct ServiceKeys {
        NODE: required NodeName = "node", "server", "where it runs";
        ENV: optional Mapped<String> = "env", "{ MODE: slow }", "none",
            "environment variables; nothing is inherited but a fixed `PATH`, `LANG` and `HOME`";
        READY: optional Ready = "ready", "{ log: listening }", "it listens on its port",
            "`{ port: … }` it listens there, `{ log: … }` a line of its log has this text; both given: both";
        READY_WITHIN: optional Duration = "ready within", "30s", "10s; an image 1m, RabbitMQ 2m", "how long that may take";
    }
}

keys! {
    /// What shows that a service is ready.
    pub struct ReadyKeys {
        PORT: optional Port = "port", "5672", "its own", "it listens on this TCP port";
        LOG: optional String = "log", "listening", "none", "its log has a line with this text in it";
    }
}

shape! {
    /// The section `services`.
    pub Services = Shape::named(&Shape::Open(Open::Service), 0)
}

impl Shaped for Ready {
    const SHAPE: Shape = ReadyKeys::SHAPE;
}

impl Decode for Ready {
    const EXPECTED: &'static str = "`{ port: … }` or `{ log: … }`";

    fn decode(value: &Value<'_>) -> Option<Self> {
        if !value.is_mapping() {
            value.mismatch(Self::EXPECTED);
            return None;
        }
        let mut fields = value.fields(ReadyKeys::TABLE)?;
        let port = fields.optional(ReadyKeys::PORT).map(|port| port.0);
        let log = fields.optional(ReadyKeys::LOG);
        let empty = !fields.has(ReadyKeys::PORT.name) && !fields.has(ReadyKeys::LOG.name);
        fields.finish();
        if empty {
            value.error(format!("expected {}", Self::EXPECTED));
        }
        Some(Self { port, log })
    }
}

/// Reads the section `services`.
pub(super) fn decode<W: Words>(section: &Value<'_>) -> Vec<Service<W::Service>> {
    let mut services = Vec::new();
    for (name, value) in section.entries().unwrap_or_default() {
        check_name("service", name, &value);
        match service::<W>(name, &value) {
            Some(service) => services.push(service),
            None => value.context().explain(value.span(), "service"),
        }
    }
    services
}

fn service<W: Words>(name: &str, value: &Value<'_>) -> Option<Service<W::Service>> {
    let mut fields = value.fields(ServiceKeys::TABLE)?;
    let node = fields.required(ServiceKeys::NODE);
    let env = fields.optional_value(ServiceKeys::ENV).map(|place| env(&place));
    let ready = fields.optional(ServiceKeys::READY);
    let ready_within = fields.optional(ServiceKeys::READY_WITHIN);
    let kind = kind::<W>(&mut fields);
    Some(Service {
        name: ServiceName::from(name),
        node: node?,
        kind: kind?,
        text: value.yaml().to_line(),
        env: env.unwrap_or_default(),
        ready,
        ready_within,
        line: value.key_line(),
    })
}

fn env(place: &Value<'_>) -> Vec<(String, String)> {
    let mut env = Vec::new();
    for (name, value) in place.entries().unwrap_or_default() {
        if name.is_empty() || name.contains(['=', '\0']) {
            let diagnostic = value.key_error("an environment variable's name is not empty and has no `=` in it");
            place.context().report(diagnostic);
        }
        if let Some(text) = value.scalar("the variable's value, a text") {
            env.push((name.to_owned(), text.to_owned()));
        }
    }
    env
}

/// Finds the one key that says what the service is, and lets its word read the rest.
fn kind<W: Words>(fields: &mut Fields<'_>) -> Option<W::Service> {
    let mut keys: Vec<&'static str> = W::SERVICES.iter().map(|word| word.key).collect();
    keys.dedup();
    let given: Vec<_> = keys.iter().copied().filter(|key| fields.has(key)).collect();
    let key = match given.as_slice() {
        [key] => *key,
        keys if let Some(key) = leading::<W>(fields, keys) => key,
        [] => {
            missing_kind(fields, &keys);
            return None;
        }
        [first, second, ..] => {
            let message = format!("a service is one thing, and this has `{first}` and `{second}`");
            fields.error_at(second, message);
            return None;
        }
    };
    let word = word::<W>(fields, key)?;
    word.keys.iter().for_each(|table| fields.also(table));
    let kind = (word.decode)(fields);
    if kind.is_some() {
        fields.finish();
    }
    kind
}

/// Of several keys that say what a service is the one beside which the others only say how.
fn leading<W: Words>(fields: &mut Fields<'_>, keys: &[&'static str]) -> Option<&'static str> {
    let leads = |fields: &mut Fields<'_>, key: &'static str| {
        let value = fields.take(key)?;
        let word = W::SERVICES.iter().filter(|word| word.key == key);
        let mut word = word.filter(|word| word.value.is_none() || word.value == value.text());
        let beside = word.next()?.beside;
        keys.iter().all(|other| *other == key || beside.contains(other)).then_some(key)
    };
    keys.iter().find_map(|key| leads(fields, key))
}

/// A service without a word: perhaps the word is among its keys, misspelt.
fn missing_kind(fields: &Fields<'_>, keys: &[&str]) {
    let rest = fields.rest();
    let slip = rest.iter().find_map(|entry| {
        let near = suggest::nearest(&entry.key, keys.iter().copied())?;
        Some((entry, near))
    });
    let diagnostic = match slip {
        Some((entry, near)) => {
            let message = format!("unknown key `{}`; did you mean `{near}`?", super::tree::shown(&entry.key));
            Diagnostic::new(entry.key_span, message)
        }
        None => Diagnostic::new(fields.owner(), "nothing says what the service is"),
    };
    let help = format!("a service has one of {}", suggest::listed(keys));
    fields.context().report(diagnostic.help(help));
}

fn word<W: Words>(fields: &mut Fields<'_>, key: &'static str) -> Option<&'static ServiceWord<W::Service>> {
    let words = || W::SERVICES.iter().filter(move |word| word.key == key);
    let free = words().find(|word| word.value.is_none());
    if words().all(|word| word.value.is_none()) {
        return free;
    }
    let value = fields.take(key)?;
    let named = words().find(|word| word.value.is_some() && word.value == value.text());
    if let Some(word) = named.or(free.filter(|_| value.text().is_none())) {
        return Some(word);
    }
    let names: Vec<_> = words().filter_map(|word| word.value).collect();
    if let Some(text) = value.scalar(&format!("one of {}", suggest::listed(&names))) {
        let (message, help) = suggest::unknown(key, text, "one of", &names);
        value.error_with_help(message, help);
    }
    None
}
