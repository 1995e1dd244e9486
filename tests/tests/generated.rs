//! How scenarios become tests.

use std::fs;
use std::path::Path;

use whyclosed::run::{REAL, VIRTUAL};
use whyclosed_tests::{Result, case, ensure, generate};

/// A folder of scenarios with one file, which the test adds to.
fn library() -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    add(folder.path(), "seed/idle.yaml", "seed/idle.yaml")?;
    for entry in fs::read_dir(case::scenarios().join("seed"))?.flatten() {
        // Scenarios may name configurations beside them.
        if entry.path().extension().is_some_and(|extension| extension == "cfg") {
            fs::copy(entry.path(), folder.path().join("seed").join(entry.file_name()))?;
        }
    }
    Ok(folder)
}

fn add(library: &Path, from: &str, to: &str) -> Result {
    let to = library.join(to);
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::copy(case::scenarios().join(from), to)?;
    Ok(())
}

#[test]
fn a_scenario_that_is_added_has_tests_of_its_own() -> Result {
    let library = library()?;
    let before = generate::tests(library.path(), VIRTUAL);
    ensure!(!before.contains("mod mine"), "it is there before it was added:\n{before}");
    add(library.path(), "seed/killed.yaml", "mine/killed.yaml")?;
    let after = generate::tests(library.path(), VIRTUAL);
    ensure!(after.contains("mod mine {\n#[rstest::rstest]\n#[case::"), "it has no tests:\n{after}");
    Ok(())
}

#[test]
fn every_case_is_a_test_of_its_own_name() -> Result {
    let source = generate::tests(library()?.path(), VIRTUAL);
    for length in ["short", "full"] {
        let test = format!("#[case::proxy_relay_length_{length}(\"");
        ensure!(source.contains(&test), "no case of length {length}:\n{source}");
    }
    Ok(())
}

#[test]
fn the_real_clock_has_the_short_cases_and_three_of_real_length() -> Result {
    let virtually = generate::tests(&case::scenarios(), VIRTUAL);
    let really = generate::tests(&case::scenarios(), REAL);
    let full = |source: &str| source.matches("length_full").count();
    ensure!(full(&really) == 3 && full(&virtually) > 3, "{} of {} are on both", full(&really), full(&virtually));
    let seed = |source: &str| source.matches("[case::proxy_relay_length_short(\"seed/").count();
    ensure!(seed(&really) > 0 && seed(&really) == seed(&virtually), "{} of {}", seed(&really), seed(&virtually));
    let shaped = really.contains("netem/") || really.contains("slow-handshake");
    ensure!(!shaped, "a case is there whose wire needs netem");
    Ok(())
}

#[test]
fn files_and_folders_that_start_with_an_underscore_have_no_tests() -> Result {
    let library = library()?;
    let before = generate::tests(library.path(), VIRTUAL);
    add(library.path(), "seed/killed.yaml", "_drafts/killed.yaml")?;
    add(library.path(), "seed/killed.yaml", "seed/_killed.yaml")?;
    ensure!(generate::tests(library.path(), VIRTUAL) == before, "hidden files have tests");
    Ok(())
}

#[test]
fn a_file_that_is_no_scenario_is_a_test_that_says_what_is_wrong() -> Result {
    let library = library()?;
    fs::write(library.path().join("wrong.yaml"), "title: Wrong\ntimelime: []\n")?;
    let source = generate::tests(library.path(), VIRTUAL);
    ensure!(source.contains("fn wrong() -> whyclosed_tests::Result {\n    Err("), "no test fails:\n{source}");
    ensure!(source.contains("unknown key `timelime`"), "it does not say why:\n{source}");
    Ok(())
}

#[test]
fn names_that_are_no_identifiers_still_name_tests() -> Result {
    let library = library()?;
    for name in ["match", "1.5", "a-b", "a_b", "_"] {
        add(library.path(), "seed/killed.yaml", &format!("names/{name}.yaml").replace("/_.", "/-."))?;
    }
    let source = generate::tests(library.path(), VIRTUAL);
    for name in ["match_0", "_1_5", "a_b", "a_b_", "__0"] {
        ensure!(source.contains(&format!("fn {name}(")), "no function {name}:\n{source}");
    }
    Ok(())
}
