//! The JSON Schema of scenarios, for editors that complete and check: made from the tables that the decoder reads by.
//!
//! It is of draft 7, which editors know best. What only the whole file tells (whether a name exists, whether a number is in reach)
//! is the decoder's to say; what a key is called, which keys are where and what a value looks like is said here too.
//!
//! A reference to the matrix can stand wherever a text can, and in keys: so each scalar may be one instead, each mapping takes keys with
//! one in them, and a mapping with such a key may lack keys that must be there.

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
/// The largest whole number that every reader of JSON takes exactly (RFC 8259, 6).
const EXACT: u64 = (1 << 53) - 1;

/// The schema of scenarios with this vocabulary.
#[must_use]
pub fn schema<W: Words>() -> Json {
    let mut schema = object::<W>(&[Sections::TABLE], &[]);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("A scenario of whyclosed");
    schema["description"] =
        json!("An experiment: a network, what runs in it, what happens, and what its author expects.");
    schema["definitions"] = json!({
        "reference": { "description": "A reference to the matrix: `${{ matrix.length.idle }}`", "type": "string", "pattern": REFERENCE },
        "step": step::<W>(),
        "service": { "anyOf": W::SERVICES.iter().map(service::<W>).collect::<Vec<_>>() },
        "client": { "anyOf": W::PROTOCOLS.iter().flat_map(client::<W>).collect::<Vec<_>>() },
        "mechanism": { "anyOf": [{ "enum": mechanisms::<W>() }, reference()] },
    });
    schema
}

fn reference() -> Json {
    json!({ "$ref": "#/definitions/reference" })
}

/// What a value may look like.
fn of<W: Words>(shape: &Shape) -> Json {
    match shape {
        Shape::Text => json!({ "type": ["string", "number", "boolean"] }),
        Shape::Form { pattern, number, expected } => {
            let text = json!({
                "type": "string",
                "pattern": whole(&pattern()),
                "patternErrorMessage": format!("expected {expected}"),
            });
            let number = number.map(|(least, most)| match most {
                0..=EXACT => json!({ "type": "integer", "minimum": least, "maximum": most }),
                _ => json!({ "type": "integer", "minimum": least }),
            });
            any([text].into_iter().chain(number).chain([reference()]))
        }
        Shape::Words(words) => any(words().iter().flat_map(word).chain([reference()])),
        Shape::Name(what) => json!({ "type": ["string", "number"], "description": format!("the name of a {what}") }),
        Shape::List(items, None) => json!({ "type": "array", "items": of::<W>(items) }),
        Shape::List(items, Some(count)) => {
            json!({ "type": "array", "items": of::<W>(items), "minItems": count, "maxItems": count })
        }
        Shape::Keys(tables) => object::<W>(tables, &[]),
        Shape::Map { keys, of: values, names, least } => {
            let mut map = json!({
                "type": if *least == 0 { json!(["object", "null"]) } else { json!("object") },
                "properties": properties::<W>(keys),
                "additionalProperties": of::<W>(values),
                "minProperties": least,
            });
            if let Some(names) = names {
                map["propertyNames"] = any([json!({ "pattern": whole(&names()) }), json!({ "pattern": REFERENCE })]);
            }
            map
        }
        Shape::Either(shapes) => any(shapes.iter().map(of::<W>)),
        Shape::Open(Open::Step) => json!({ "$ref": "#/definitions/step" }),
        Shape::Open(Open::Service) => json!({ "$ref": "#/definitions/service" }),
        Shape::Open(Open::Client) => json!({ "$ref": "#/definitions/client" }),
        Shape::Open(Open::Mechanism) => json!({ "$ref": "#/definitions/mechanism" }),
        Shape::Open(Open::Protocol) => {
            any(W::PROTOCOLS.iter().map(|protocol| protocol_name(protocol)).chain([reference()]))
        }
    }
}

fn any(alternatives: impl IntoIterator<Item = Json>) -> Json {
    json!({ "anyOf": alternatives.into_iter().collect::<Vec<_>>() })
}

/// A regular expression for a whole text.
fn whole(pattern: &str) -> String {
    format!("^({pattern})$")
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

/// A mapping with the keys of these tables, and `more` that must be there.
fn object<W: Words>(tables: &[&[Key]], more: &[(&str, Json)]) -> Json {
    let keys = || tables.iter().copied().flatten();
    let mut properties = properties::<W>(tables);
    properties.extend(more.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())));
    let names = keys().map(|key| key.name).chain(more.iter().map(|(name, _)| *name));
    let required = keys().filter(|key| key.default.is_none()).map(|key| key.name);
    let required: Vec<&str> = required.chain(more.iter().map(|(name, _)| *name)).collect();
    closed(properties, names, &required)
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

fn properties<W: Words>(tables: &[&[Key]]) -> Map<String, Json> {
    let keys = tables.iter().copied().flatten();
    keys.map(|key| (key.name.to_owned(), property::<W>(key))).collect()
}

fn property<W: Words>(key: &Key) -> Json {
    let mut about = key.about.to_owned();
    if let Some(default) = key.default {
        about = format!("{about}. Without it: {default}");
    }
    described(of::<W>(&key.takes), &about, &format!("{}: {}", key.name, key.example))
}

/// The same with a description. In draft 7 nothing counts beside `$ref`.
fn described(schema: Json, about: &str, example: &str) -> Json {
    let mut described = if schema.get("$ref").is_some() { json!({ "allOf": [schema] }) } else { schema };
    described["description"] = json!(format!("{about}.\n\n    {example}"));
    described
}

fn separated(name: &str) -> bool {
    name.contains([' ', '-', '_'])
}

/// The ways to write a name, as a regular expression: a space, `-` and `_` are the same.
fn spellings(name: &str) -> String {
    name.chars()
        .map(|c| if separated(c.encode_utf8(&mut [0; 4])) { "[ _-]".to_owned() } else { c.to_string() })
        .collect()
}

fn must_be_there(name: &str) -> Json {
    if !separated(name) {
        return json!({ "required": [name] });
    }
    let spelt = [" ", "-", "_"].map(|separator| json!({ "required": [name.replace([' ', '-', '_'], separator)] }));
    any(spelt)
}

/// A step: one verb, which leads to what its word reads.
fn step<W: Words>() -> Json {
    let verb = |word: &Word<W::Step>| {
        let example = format!("- {}: {}", word.name, word.example);
        (word.name.to_owned(), described(of::<W>(&word.takes), word.about, &example))
    };
    let mut step = closed(W::STEPS.iter().map(verb).collect(), W::STEPS.iter().map(|word| word.name), &[]);
    step["type"] = json!("object");
    step["minProperties"] = json!(1);
    step["maxProperties"] = json!(1);
    step
}

/// A service of this kind.
fn service<W: Words>(word: &ServiceWord<W::Service>) -> Json {
    let tables: Vec<&[Key]> = [ServiceKeys::TABLE].into_iter().chain(word.keys.iter().copied()).collect();
    let (title, mut schema) = match word.value {
        Some(value) => {
            let kind = any([json!({ "const": value, "description": word.about }), reference()]);
            (format!("{}: {value}", word.key), object::<W>(&tables, &[(word.key, kind)]))
        }
        None => {
            // Beside another word it may be missing, and here it is what says what the service is.
            let key = tables.iter().copied().flatten().find(|key| key.name == word.key);
            (word.key.to_owned(), object::<W>(&tables, &[(word.key, key.map(property::<W>).unwrap_or_default())]))
        }
    };
    schema["title"] = json!(title);
    schema["description"] = json!(word.about);
    schema
}

/// A client that speaks this protocol; in two ways, if the protocol has a key of its own name, which may stand in its place.
fn client<W: Words>(word: &Word<W::Client>) -> Vec<Json> {
    let Shape::Keys(own) = word.takes else { return Vec::new() };
    let common: Vec<Key> =
        ClientKeys::TABLE.iter().filter(|key| key.name != ClientKeys::PROTOCOL.name).copied().collect();
    let named = any([protocol_name(word), reference()]);
    let tables: Vec<&[Key]> = [common.as_slice()].into_iter().chain(own.iter().copied()).collect();
    let mut schemas = vec![object::<W>(&tables, &[(ClientKeys::PROTOCOL.name, named)])];
    let (of_its_name, others): (Vec<Key>, Vec<Key>) =
        own.iter().copied().flatten().copied().partition(|key| key.name == word.name);
    if !of_its_name.is_empty() {
        let nested = object::<W>(&[&of_its_name], &[]);
        schemas.push(object::<W>(&[&common, &others], &[(ClientKeys::PROTOCOL.name, nested)]));
    }
    for schema in &mut schemas {
        schema["title"] = json!(format!("{}: {}", ClientKeys::PROTOCOL.name, word.name));
        schema["description"] = json!(word.about);
    }
    schemas
}

fn protocol_name<T>(word: &Word<T>) -> Json {
    json!({ "const": word.name, "description": word.about })
}
