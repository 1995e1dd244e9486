//! What the program does for the people who write scenarios.

use std::path::Path;
use std::process::{Command, Output};

use whyclosed::run::VIRTUAL;
use whyclosed_tests::program::run;
use whyclosed_tests::{Result, ensure, under_test};

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
