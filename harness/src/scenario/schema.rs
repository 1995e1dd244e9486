//! The JSON Schema of scenarios, for editors that complete and check: made from the tables that the decoder reads by.
//!
//! It is of draft 7, which editors know best. What only the whole file tells (whether a name exists, whether a number is in reach)
//! is the decoder's to say; what a key is called, which keys are where and what a value looks like is said here too.
//!
//! A reference to the matrix can stand wherever a text can, and in keys: so each scalar may be one instead, each mapping takes keys with
//! one in them, and a mapping with such a key may lack keys that must be there.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use serde_json::{Map, Value as Json, json};

use super::case::Sections;
use super::client::ClientKeys;
use super::decode::{is_off, is_on};
use super::expectation::mechanisms;
use super::keys::Key;
use super::service::ServiceKeys;
use super::shape::{Open, Shape, WordShape};
use super::vocabulary::{ServiceWord, Word, Words};

/// A text with a reference to the matrix in it.
const REFERENCE: &str = r"\$\{\{";
/// What is the same between the words of a key.
const SEPARATORS: [char; 3] = [' ', '-', '_'];
/// The largest whole number that every reader of JSON takes exactly (RFC 8259, 6).
const EXACT: u64 = (1 << 53) - 1;

/// The schema of scenarios with this vocabulary.
#[must_use]
pub fn schema<W: Words>() -> Json {
    let writer = Writer::<W> { forms: RefCell::default(), words: PhantomData };
    let mut schema = writer.object(&[Sections::TABLE], &[]);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("A scenario of whyclosed");
    schema["description"] =
        json!("An experiment: a network, what runs in it, what happens, and what its author expects.");
    schema["definitions"] = json!({
        "reference": { "description": "A reference to the matrix: `${{ matrix.length.idle }}`", "type": "string", "pattern": REFERENCE },
        "step": writer.step(),
        "service": { "anyOf": W::SERVICES.iter().map(|word| writer.service(word)).collect::<Vec<_>>() },
        "client": { "anyOf": W::PROTOCOLS.iter().flat_map(|word| writer.client(word)).collect::<Vec<_>>() },
        "mechanism": { "anyOf": [{ "enum": mechanisms::<W>() }, reference()] },
    });
    // What the others refer to is known when they are written.
    for (name, form) in writer.forms.into_inner() {
        schema["definitions"][name] = form;
    }
    schema
}

fn reference() -> Json {
    json!({ "$ref": "#/definitions/reference" })
}

fn any(alternatives: impl IntoIterator<Item = Json>) -> Json {
    json!({ "anyOf": alternatives.into_iter().collect::<Vec<_>>() })
}

/// A regular expression for a whole text.
fn whole(pattern: &str) -> String {
    format!("^({pattern})$")
}

/// Writes shapes down, and keeps the forms of texts, each of which stands in the schema once.
struct Writer<W> {
    forms: RefCell<BTreeMap<&'static str, Json>>,
    words: PhantomData<W>,
}

impl<W: Words> Writer<W> {
    /// What a value may look like.
    fn of(&self, shape: &Shape) -> Json {
        match shape {
            Shape::Text => json!({ "type": ["string", "number", "boolean"] }),
            Shape::Form { name, pattern, number, expected } => {
                self.forms.borrow_mut().insert(name, form(&pattern(), *number, expected));
                json!({ "$ref": format!("#/definitions/{name}") })
            }
            Shape::Words(words) => any(words().iter().flat_map(word).chain([reference()])),
            Shape::Name(what) => {
                json!({ "type": ["string", "number"], "description": format!("the name of a {what}") })
            }
            Shape::List(items, count) => {
                let mut list = json!({ "type": "array", "items": self.of(items) });
                if let Some(count) = count {
                    list["minItems"] = json!(count);
                    list["maxItems"] = json!(count);
                }
                list
            }
            Shape::Keys(tables) => self.object(tables, &[]),
            Shape::Map { keys, of: values, names, least } => {
                let mut map = json!({
                    "type": if *least == 0 { json!(["object", "null"]) } else { json!("object") },
                    "properties": self.properties(keys),
                    "additionalProperties": self.of(values),
                    "minProperties": least,
                });
                if let Some(names) = names {
                    let reference = json!({ "pattern": REFERENCE });
                    map["propertyNames"] = any([json!({ "pattern": whole(&names()) }), reference]);
                }
                map
            }
            Shape::Either(shapes) => any(shapes.iter().map(|shape| self.of(shape))),
            Shape::Open(Open::Step) => json!({ "$ref": "#/definitions/step" }),
            Shape::Open(Open::Service) => json!({ "$ref": "#/definitions/service" }),
            Shape::Open(Open::Client) => json!({ "$ref": "#/definitions/client" }),
            Shape::Open(Open::Mechanism) => json!({ "$ref": "#/definitions/mechanism" }),
            Shape::Open(Open::Protocol) => any(W::PROTOCOLS.iter().map(protocol_name).chain([reference()])),
        }
    }

    /// A mapping with the keys of these tables, and `more` that must be there.
    fn object(&self, tables: &[&[Key]], more: &[(&str, Json)]) -> Json {
        let keys = || tables.iter().copied().flatten();
        let mut properties = self.properties(tables);
        properties.extend(more.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())));
        let names = keys().map(|key| key.name).chain(more.iter().map(|(name, _)| *name));
        let required = keys().filter(|key| key.default.is_none()).map(|key| key.name);
        let required: Vec<&str> = required.chain(more.iter().map(|(name, _)| *name)).collect();
        closed(properties, names, &required)
    }

    fn properties(&self, tables: &[&[Key]]) -> Map<String, Json> {
        let keys = tables.iter().copied().flatten();
        keys.map(|key| (key.name.to_owned(), self.property(key))).collect()
    }

    fn property(&self, key: &Key) -> Json {
        let mut about = key.about.to_owned();
        if let Some(default) = key.default {
            about = format!("{about}. Without it: {default}");
        }
        described(self.of(&key.takes), &about, &format!("{}: {}", key.name, key.example))
    }

    /// A step: one verb, which leads to what its word reads.
    fn step(&self) -> Json {
        let verb = |word: &Word<W::Step>| {
            let example = format!("- {}: {}", word.name, word.example);
            (word.name.to_owned(), described(self.of(&word.takes), word.about, &example))
        };
        let mut step = closed(W::STEPS.iter().map(verb).collect(), W::STEPS.iter().map(|word| word.name), &[]);
        step["type"] = json!("object");
        step["minProperties"] = json!(1);
        step["maxProperties"] = json!(1);
        step
    }

    /// A service of this kind.
    fn service(&self, word: &ServiceWord<W::Service>) -> Json {
        let tables: Vec<&[Key]> = [ServiceKeys::TABLE].into_iter().chain(word.keys.iter().copied()).collect();
        let (title, kind) = match word.value {
            Some(value) => {
                let kind = json!({ "const": value, "description": word.about });
                (format!("{}: {value}", word.key), any([kind, reference()]))
            }
            None => {
                // Beside another word it may be missing; here it is what says what the service is.
                let key = tables.iter().copied().flatten().find(|key| key.name == word.key);
                (word.key.to_owned(), key.map(|key| self.property(key)).unwrap_or_default())
            }
        };
        entry(self.object(&tables, &[(word.key, kind)]), &title, word.about)
    }

    /// A client that speaks this protocol; in two ways, if the protocol has a key of its own name, which may stand in its place.
    fn client(&self, word: &Word<W::Client>) -> Vec<Json> {
        let Shape::Keys(own) = word.takes else { return Vec::new() };
        let protocol = ClientKeys::PROTOCOL.name;
        let common: Vec<Key> = ClientKeys::TABLE.iter().filter(|key| key.name != protocol).copied().collect();
        let tables: Vec<&[Key]> = [common.as_slice()].into_iter().chain(own.iter().copied()).collect();
        let named = any([protocol_name(word), reference()]);
        let mut clients = vec![self.object(&tables, &[(protocol, named)])];
        let (of_its_name, others): (Vec<Key>, Vec<Key>) =
            own.iter().copied().flatten().copied().partition(|key| key.name == word.name);
        if !of_its_name.is_empty() {
            let nested = self.object(&[&of_its_name], &[]);
            clients.push(self.object(&[&common, &others], &[(protocol, nested)]));
        }
        let title = format!("{protocol}: {}", word.name);
        clients.into_iter().map(|client| entry(client, &title, word.about)).collect()
    }
}

fn form(pattern: &str, number: Option<(u64, u64)>, expected: &str) -> Json {
    let text = json!({
        "type": "string",
        "pattern": whole(pattern),
        "patternErrorMessage": format!("expected {expected}"),
    });
    let number = number.map(|(least, most)| match most {
        0..=EXACT => json!({ "type": "integer", "minimum": least, "maximum": most }),
        _ => json!({ "type": "integer", "minimum": least }),
    });
    any([text].into_iter().chain(number).chain([reference()]))
}

/// A word, and what readers of YAML make of it that take it for something else than text.
fn word(word: &WordShape) -> impl Iterator<Item = Json> {
    let WordShape { word, about } = *word;
    let switch = [(is_on(word), true), (is_off(word), false)].into_iter().find(|(is, _)| *is);
    let other = switch.map(|(_, value)| json!(value)).or_else(|| word.parse::<u64>().ok().map(|number| json!(number)));
    let said = move |value: Json| {
        if about.is_empty() { json!({ "const": value }) } else { json!({ "const": value, "description": about }) }
    };
    [Some(json!(word)), other].into_iter().flatten().map(said)
}

fn protocol_name<T>(word: &Word<T>) -> Json {
    json!({ "const": word.name, "description": word.about })
}

/// A mapping that is one of several kinds, with the kind's name.
fn entry(mut mapping: Json, title: &str, about: &str) -> Json {
    mapping["title"] = json!(title);
    mapping["description"] = json!(about);
    mapping
}

/// A mapping with no other properties than these, however their names are joined.
fn closed<'n>(properties: Map<String, Json>, names: impl Iterator<Item = &'n str>, required: &[&str]) -> Json {
    let mut patterns = Map::new();
    for name in names.filter(|name| separated(name)) {
        patterns.insert(whole(&spellings(name)), properties.get(name).cloned().unwrap_or_default());
    }
    patterns.insert(REFERENCE.to_owned(), json!({}));
    let mut object = json!({
        "type": if required.is_empty() { json!(["object", "null"]) } else { json!("object") },
        "properties": properties,
        "patternProperties": patterns,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        // What a reference stands for in a key may be what is missing.
        object["if"] = json!({ "propertyNames": { "not": { "pattern": REFERENCE } } });
        object["then"] = json!({ "allOf": required.iter().map(|name| must_be_there(name)).collect::<Vec<_>>() });
    }
    object
}

/// The same with a description. In draft 7 nothing counts beside `$ref`.
fn described(schema: Json, about: &str, example: &str) -> Json {
    let mut described = if schema.get("$ref").is_some() { json!({ "allOf": [schema] }) } else { schema };
    described["description"] = json!(format!("{about}.\n\n    {example}"));
    described
}

fn separated(name: &str) -> bool {
    name.contains(SEPARATORS)
}

/// The ways to write a name, as a regular expression.
fn spellings(name: &str) -> String {
    name.replace(SEPARATORS, "[ _-]")
}

fn must_be_there(name: &str) -> Json {
    if !separated(name) {
        return json!({ "required": [name] });
    }
    any(SEPARATORS.map(|separator| json!({ "required": [name.replace(SEPARATORS, &separator.to_string())] })))
}
