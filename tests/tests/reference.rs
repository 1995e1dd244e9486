//! docs/scenarios.md and docs/firewalls.md: their tables are the decoder's, and every example in them is one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use whyclosed::Vocabulary;
use whyclosed::run::VIRTUAL;
use whyclosed::scenario::{Key, Of, Place, Words, mapping, parse, places, schema};
use whyclosed_tests::json::{Validator, read};
use whyclosed_tests::program::run;
use whyclosed_tests::reference::{fill, parts};
use whyclosed_tests::{Failure, Result, ensure, under_test};

const PAGES: [&str; 2] = ["scenarios.md", "firewalls.md"];

fn page(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)
}

#[test]
fn the_tables_of_the_reference_are_the_decoders() -> Result {
    let parts = parts();
    let mut shown = BTreeSet::new();
    for name in PAGES {
        let written = fs::read_to_string(page(name))?;
        let (filled, names) =
            fill(&written, &parts).map_err(|reason| Failure::new(format!("docs/{name}: {reason}")))?;
        shown.extend(names);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(page(name), filled)?;
        } else {
            ensure!(
                written == filled,
                "docs/{name} is old: run `UPDATE=1 cargo test -p whyclosed-tests --test reference the_tables`"
            );
        }
    }
    let missing: Vec<_> = parts.keys().filter(|name| !shown.contains(*name)).collect();
    ensure!(missing.is_empty(), "these parts are on no page: {missing:?}");
    Ok(())
}

/// What the examples name: a client and a server, both ways through a proxy and a firewall, and files.
const FRAME: &str = "
title: The frame of an example
matrix: { length: { short: { idle: 2s }, full: { idle: 4s } } }
nodes: { client: {}, server: {}, lb: {}, fw: { firewall: {} } }
wires:
  cable: { ends: [client, server] }
  client-lb: { ends: [client, lb] }
  lb-server: { ends: [lb, server] }
  client-fw: { ends: [client, fw] }
services:
  echo: { node: server, server: echo, port: 7 }
  s1: { node: server, broker: embedded }
  lb:
    node: lb
    proxy: relay
    config: |
      listen broker
          bind :5672
          mode tcp
          timeout connect 5s
          timeout client 1h
          timeout server 1h
          server s1 server:5672
clients:
  app: { node: client, connect: 'echo:7', protocol: tcp }
  orders: { node: client, connect: 'lb:5672', protocol: amqp, heartbeat: off }
  late: { node: client, connect: 'echo:7', protocol: tcp, starts: later }
timeline: [ idle: 1s ]
expect: []
";

/// Files that the examples name.
const FILES: [(&str, &str); 3] = [
    ("haproxy.cfg", "listen broker\n    bind :5672\n"),
    ("mosquitto.conf", "listener 1883\n"),
    ("motd.txt", "welcome\n"),
];

/// A folder with the files that the examples name.
fn folder() -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    for (name, text) in FILES {
        fs::write(folder.path().join(name), text)?;
    }
    fs::create_dir(folder.path().join("bundle"))?;
    Ok(folder)
}

/// The frame with this mapping at a place.
fn framed(place: &Place, text: &str) -> Result<Value> {
    let value = read(text).map_err(|error| Failure::new(format!("{}: `{text}`: {error:?}", place.name)))?;
    let mut frame = read(FRAME)?;
    match place.of {
        Of::File => frame = value,
        Of::Matrix => {
            value.as_object().into_iter().flatten().for_each(|(key, value)| frame["matrix"][key] = value.clone())
        }
        Of::Node => frame["nodes"]["example"] = value,
        Of::Firewall => frame["nodes"]["fw"]["firewall"] = value,
        Of::Wire => frame["wires"]["cable"] = value,
        Of::Service => frame["services"]["example"] = value,
        Of::Client => frame["clients"]["example"] = value,
        Of::Step => frame["timeline"] = json!([{ place.name.trim_start_matches("step "): value }]),
        Of::Expectation => frame["expect"] = json!([value]),
    }
    Ok(frame)
}

/// What the decoder or the schema says against a document.
fn refused(document: &Value, folder: &Path, schema: &Validator) -> Option<String> {
    let decoded = parse::<Vocabulary>("example", &document.to_string(), "example", folder);
    decoded.err().map(|errors| errors.to_string()).or_else(|| schema.validate(document).err())
}

#[test]
fn every_example_of_a_key_is_valid_by_itself_or_beside_the_other_keys() -> Result {
    let folder = folder()?;
    let schema = Validator::new(&schema::<Vocabulary>())?;
    let mut count = 0;
    let mut wrong = Vec::new();
    for place in places::<Vocabulary>() {
        let fixed: Vec<_> = place.fixed.iter().map(|(name, value)| fixed(name, value)).collect();
        let all: Vec<Key> = own_or_fixed(&place, &fixed);
        let together = all.iter().map(|key| format!("{}: {}", key.name, key.example)).collect::<Vec<_>>().join(", ");
        for key in place.own.iter().filter(|key| !place.fixed.iter().any(|(name, _)| *name == key.name)) {
            for example in key.examples() {
                count += 1;
                let alone = mapping(&all, key, &example);
                let Some(reason) = refused(&framed(&place, &alone)?, folder.path(), &schema) else { continue };
                if refused(&framed(&place, &format!("{{ {together} }}"))?, folder.path(), &schema).is_some() {
                    wrong.push(format!("{}, {alone}: {reason}", place.name));
                }
            }
        }
    }
    ensure!(count > 150, "only {count} examples were tried");
    ensure!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    Ok(())
}

fn fixed(name: &'static str, value: &'static str) -> Key {
    Key::required::<String>(name, value, "")
}

/// All keys of a place, those that make it what it is with their values.
fn own_or_fixed(place: &Place, fixed: &[Key]) -> Vec<Key> {
    let others = place.own.iter().chain(&place.common);
    let others = others.filter(|key| !fixed.iter().any(|of| of.name == key.name)).copied();
    fixed.iter().copied().chain(others).collect()
}

/// What must have happened before a step has something to do.
fn before(verb: &str) -> &'static str {
    match verb {
        "restore" => "{ cut: cable }, ",
        "plug" => "{ unplug: { wire: cable, at: client } }, ",
        "thaw" => "{ freeze: echo }, ",
        "reboot" => "{ power-off: server }, ",
        "start" => "{ kill: echo }, ",
        "resume-reading" => "{ stop-reading: app }, ",
        "wait" => "{ close: app }, { close: orders }, ",
        _ => "",
    }
}

#[test]
fn every_example_of_a_step_can_be_played() -> Result {
    let folder = folder()?;
    for word in Vocabulary::STEPS {
        let mut scenario = read(FRAME)?;
        // One case is enough.
        scenario["matrix"] = json!({});
        scenario["timeline"] =
            read(&format!("[ {}{{ {}: {} }}, {{ idle: 100ms }} ]", before(word.name), word.name, word.example))?;
        fs::write(folder.path().join(format!("{}.yaml", word.name)), scenario.to_string())?;
    }
    let run = run(under_test!(), VIRTUAL, [folder.path()])?.expect_code(0)?;
    ensure!(run.found()?.results.cases.len() == Vocabulary::STEPS.len(), "not every step was played: {}", run.printed);
    Ok(())
}
