//! The JSON Schema of scenarios: fresh, named in every file, and of one mind with the decoder.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use whyclosed::Vocabulary;
use whyclosed::scenario::{Errors, find, parse, schema};
use whyclosed_tests::case::scenarios;
use whyclosed_tests::json::{Validator, read};
use whyclosed_tests::{Failure, Result, ensure};

const FILE: &str = "scenario.schema.json";

fn validator() -> Result<Validator> {
    Validator::new(&schema::<Vocabulary>())
}

/// Scenarios with mistakes, which the decoder's own tests read.
fn faulty() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../harness/tests/scenario/errors")
}

/// What the decoder says of a document, as YAML: every JSON text is one.
fn decode(document: &Value, beside: &Path) -> std::result::Result<(), Errors> {
    let directory = beside.parent().unwrap_or(beside);
    parse::<Vocabulary>("document", &document.to_string(), "document", directory).map(drop)
}

/// Whether one of these errors is about a key or a verb: about the shape of the file, which the schema knows.
fn is_of_keys(errors: &Errors) -> bool {
    let about = ["unknown key", "unknown verb", "missing key", "nothing says what", "a step has one verb"];
    errors.iter().any(|(_, _, error)| about.iter().any(|start| error.message.starts_with(start)))
}

#[test]
fn the_file_beside_the_scenarios_is_the_programs_schema() -> Result {
    let path = scenarios().join(FILE);
    let now = format!("{:#}\n", schema::<Vocabulary>());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &now)?;
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    ensure!(
        written == now,
        "scenarios/{FILE} is old: run `UPDATE=1 cargo test -p whyclosed-tests --test schema the_file`"
    );
    Ok(())
}

#[test]
fn every_scenario_names_the_schema_in_its_first_line() -> Result {
    let mut wrong = Vec::new();
    for file in find(&[scenarios()]) {
        let source = fs::read_to_string(&file)?;
        let named = source.lines().next().and_then(|line| line.strip_prefix("# yaml-language-server: $schema="));
        let there = named.and_then(|path| file.parent()?.join(path).canonicalize().ok());
        if there != Some(scenarios().join(FILE).canonicalize()?) {
            wrong.push(file.display().to_string());
        }
    }
    ensure!(wrong.is_empty(), "these files do not:\n  {}", wrong.join("\n  "));
    Ok(())
}

#[test]
fn every_scenario_is_valid_by_the_schema() -> Result {
    let validator = validator()?;
    let mut wrong = Vec::new();
    for file in find(&[scenarios(), Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")]) {
        if let Err(error) = validator.validate(&read(&fs::read_to_string(&file)?)?) {
            wrong.push(format!("{}: {error}", file.display()));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn a_file_whose_keys_the_decoder_refuses_is_refused_by_the_schema() -> Result {
    let validator = validator()?;
    let mut refused = 0;
    for file in find(&[faulty()]) {
        // What is not YAML at all is nobody's document.
        let Ok(document) = read(&fs::read_to_string(&file)?) else { continue };
        let Err(errors) = decode(&document, &file) else { continue };
        if is_of_keys(&errors) {
            refused += 1;
            ensure!(validator.validate(&document).is_err(), "{} passes:\n{errors}", file.display());
        }
    }
    ensure!(refused >= 8, "only {refused} files have such mistakes");
    Ok(())
}

/// Calls `with` for each key of a document, with the way to it and the document in which it is misspelt.
fn misspelt(document: &Value, way: &str, with: &mut dyn FnMut(&str, Value)) {
    match document {
        Value::Object(entries) => {
            for (name, value) in entries {
                let renamed = entries
                    .iter()
                    .map(|(key, value)| (if key == name { format!("{key}x") } else { key.clone() }, value.clone()));
                with(&format!("{way}.{name}"), Value::Object(renamed.collect::<Map<_, _>>()));
                misspelt(value, &format!("{way}.{name}"), &mut |way, changed| {
                    let mut entries = entries.clone();
                    entries.insert(name.clone(), changed);
                    with(way, Value::Object(entries));
                });
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                misspelt(item, way, &mut |way, changed| {
                    let mut items = items.clone();
                    items[index] = changed;
                    with(way, Value::Array(items));
                });
            }
        }
        _ => {}
    }
}

#[test]
fn a_misspelt_key_that_the_decoder_refuses_is_refused_by_the_schema() -> Result {
    let validator = validator()?;
    let mut seen = BTreeSet::new();
    let mut passed = Vec::new();
    for file in find(&[scenarios()]) {
        let document = read(&fs::read_to_string(&file)?)?;
        misspelt(&document, "", &mut |way, changed| {
            // What a reference stands for is not in the key.
            if way.rsplit('.').next().is_none_or(|key| key.contains("}}")) || !seen.insert(way.to_owned()) {
                return;
            }
            if decode(&changed, &file).is_err_and(|errors| is_of_keys(&errors)) && validator.validate(&changed).is_ok()
            {
                passed.push(format!("{} {way}", file.display()));
            }
        });
    }
    ensure!(seen.len() > 500, "only {} keys were tried", seen.len());
    ensure!(passed.is_empty(), "misspelt and passed by the schema:\n  {}", passed.join("\n  "));
    Ok(())
}

#[test]
fn a_reference_to_the_matrix_is_taken_wherever_a_text_can_stand() -> Result {
    let validator = validator()?;
    let scenario = |node: &str, wire: &str, step: &str| {
        format!(
            "title: t\nmatrix: {{ x: [client] }}\nnodes: {{ client: {{}}, server: {{}}, {node} }}\n\
             wires: {{ cable: {{ ends: [client, server], {wire} }} }}\ntimeline: [ {step} ]\n"
        )
    };
    let reference = "\"${{ matrix.x }}\"";
    let good = [
        scenario(&format!("{reference}: {{}}"), "delay: 5ms", "idle: 1s"),
        scenario(
            &format!("fw: {{ firewall: {{ model: {reference}, loose: {reference} }} }}"),
            "delay: 5ms",
            "idle: 1s",
        ),
        scenario("lb: {}", &format!("delay: {reference}, mtu: {reference}, loss: {reference}"), "idle: 1s"),
        scenario("lb: {}", "delay: 5ms", &format!("{reference}: cable")),
        scenario("lb: {}", "delay: 5ms", &format!("wait: {{ until: {reference}, {reference}: 5s }}")),
    ];
    for source in good {
        validator.validate(&read(&source)?).map_err(|error| Failure::new(format!("{error}\n{source}")))?;
    }
    let bad = scenario("lb: {}", "delay: 5", "idle: 1s");
    ensure!(validator.validate(&read(&bad)?).is_err(), "a number without a unit passes");
    Ok(())
}

#[test]
fn a_key_is_taken_however_its_words_are_joined() -> Result {
    let validator = validator()?;
    for key in ["at most", "at_most", "at-most"] {
        let source =
            format!("title: t\nnodes: {{ client: {{}} }}\ntimeline: [ wait: {{ until: closed, {key}: 5s }} ]\n");
        validator.validate(&read(&source)?).map_err(|error| Failure::new(format!("{error}\n{source}")))?;
    }
    Ok(())
}

#[test]
fn every_property_of_the_schema_says_what_it_is() -> Result {
    fn silent(schema: &Value, way: &str, found: &mut Vec<String>) {
        if let Some(Value::Object(properties)) = schema.get("properties") {
            for (name, property) in properties {
                if property.get("description").is_none() && name != "protocol" && !property["anyOf"].is_array() {
                    found.push(format!("{way}.{name}"));
                }
            }
        }
        match schema {
            Value::Object(entries) => {
                entries.iter().for_each(|(name, value)| silent(value, &format!("{way}.{name}"), found))
            }
            Value::Array(items) => items.iter().for_each(|value| silent(value, way, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    silent(&schema::<Vocabulary>(), "", &mut found);
    ensure!(found.is_empty(), "without a description:\n  {}", found.join("\n  "));
    Ok(())
}
