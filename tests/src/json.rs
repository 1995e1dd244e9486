//! YAML as other tools read it, as JSON; and the JSON Schema of scenarios held against it.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

use crate::{Failure, Result};

/// The one document in a YAML file.
///
/// # Errors
/// When it is not YAML, not one document, or has a key that is no text.
pub fn read(source: &str) -> Result<Value> {
    match Yaml::load_from_str(source)?.as_slice() {
        [document] => value(document),
        documents => Err(Failure::new(format!("{} documents instead of one", documents.len()))),
    }
}

fn value(yaml: &Yaml<'_>) -> Result<Value> {
    Ok(match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(number)) => json!(number),
        Yaml::Value(Scalar::FloatingPoint(number)) => json!(number.into_inner()),
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Sequence(items) => items.iter().map(value).collect::<Result<_>>()?,
        Yaml::Mapping(entries) => {
            let entries = entries.iter().map(|(key, of)| Ok((text(key)?, value(of)?)));
            Value::Object(entries.collect::<Result<Map<_, _>>>()?)
        }
        other => return Err(Failure::new(format!("no value: {other:?}"))),
    })
}

/// A key; JSON knows texts only.
fn text(key: &Yaml<'_>) -> Result<String> {
    match value(key)? {
        Value::String(text) => Ok(text),
        other @ (Value::Number(_) | Value::Bool(_)) => Ok(other.to_string()),
        other => Err(Failure::new(format!("no key: {other}"))),
    }
}

/// A compiled schema.
pub struct Validator(jsonschema::Validator);

impl Validator {
    /// Compiles a schema.
    ///
    /// # Errors
    /// When it is none.
    pub fn new(schema: &Value) -> Result<Validator> {
        jsonschema::validator_for(schema).map(Validator).map_err(|error| Failure::new(error.to_string()))
    }

    /// Says what the schema does not allow in a document.
    ///
    /// # Errors
    /// In the validator's words, with the place.
    pub fn validate(&self, document: &Value) -> std::result::Result<(), String> {
        let errors: Vec<_> =
            self.0.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
        if errors.is_empty() { Ok(()) } else { Err(errors.join("\n")) }
    }
}
