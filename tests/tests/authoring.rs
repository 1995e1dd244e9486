//! What the program does for the people who write scenarios.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use whyclosed::run::VIRTUAL;
use whyclosed::scenario::{find, load};
use whyclosed::{Vocabulary, lints};
use whyclosed_tests::case::scenarios;
use whyclosed_tests::program::run;
use whyclosed_tests::{Failure, Result, ensure, under_test};

/// Runs the program in `folder` to its end.
fn program(folder: &Path, arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(under_test!()).args(arguments).current_dir(folder).output()?)
}

fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_new_scenario_passes() -> Result {
    let folder = tempfile::tempdir()?;
    let new = program(folder.path(), &["new", "hang"])?;
    ensure!(new.status.code() == Some(0), "{}", printed(&new));
    run(under_test!(), VIRTUAL, [folder.path().join("hang.yaml")])?.expect_code(0)?;
    Ok(())
}

#[test]
fn a_new_scenario_in_the_place_of_an_old_one_ends_with_3() -> Result {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("hang.yaml"), "mine")?;
    let new = program(folder.path(), &["new", "hang"])?;
    ensure!(new.status.code() == Some(3), "{}", printed(&new));
    ensure!(std::fs::read_to_string(folder.path().join("hang.yaml"))? == "mine", "it was overwritten");
    Ok(())
}

#[test]
fn a_list_has_a_line_for_each_case_with_the_length_of_its_timeline() -> Result {
    let folder = tempfile::tempdir()?;
    program(folder.path(), &["new", "hang"])?;
    let list = program(folder.path(), &["list", "hang.yaml"])?;
    ensure!(list.status.code() == Some(0), "{}", printed(&list));
    let lines = printed(&list);
    let line = lines.lines().find(|line| line.starts_with("hang ")).unwrap_or_default();
    ensure!(line.split_whitespace().collect::<Vec<_>>() == ["hang", "up", "to", "25", "s", "-", "root"], "{lines}");
    Ok(())
}

/// Warnings that stay: the file, the trap, and why.
const MEANT: [(&str, &str, &str); 2] = [
    (
        "amqp/frozen-behind-proxy",
        "unequal-timeouts",
        "heartbeats keep both from firing, and were they equal, chance would say which is next",
    ),
    ("negative/expect_200s_get_3s", "too-short", "what it expects is wrong on purpose, and is not to be waited for"),
];

#[test]
fn the_library_has_no_trap_but_those_that_are_meant() -> Result {
    let mut found = BTreeSet::new();
    for file in find(&[scenarios()]) {
        let cases = load::<Vocabulary>(&file, None).map_err(|errors| Failure::new(errors.render(false)))?;
        let warnings = lints::warnings("", &std::fs::read_to_string(&file)?, &cases);
        found.extend(warnings.iter().map(|(name, _)| (cases[0].scenario.clone(), name)));
    }
    let meant: BTreeSet<_> = MEANT.iter().map(|(file, name, _)| ((*file).to_owned(), *name)).collect();
    ensure!(found == meant, "found {found:?}, meant {meant:?}");
    Ok(())
}

/// A client that closes right behind a `send` that is answered.
const TRAP: &str = "title: t
nodes: { client: {}, server: {} }
wires: { cable: { ends: [client, server] } }
services: { echo: { node: server, server: echo, port: 7 } }
clients: { app: { node: client, connect: \"echo:7\", protocol: tcp } }
timeline: [ { send: { client: app } }, { close: app } ]
";

#[test]
fn a_warning_is_printed_and_changes_no_exit_code_unless_it_is_to() -> Result {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("trap.yaml"), TRAP)?;
    let check = program(folder.path(), &["check", "trap.yaml"])?;
    ensure!(check.status.code() == Some(0), "{}", printed(&check));
    ensure!(printed(&check).contains("warning[close-races-the-answer]"), "{}", printed(&check));
    let denied = program(folder.path(), &["check", "--deny-warnings", "trap.yaml"])?;
    ensure!(denied.status.code() == Some(2), "{}", printed(&denied));
    Ok(())
}
