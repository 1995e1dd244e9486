//! The catalogue of mechanisms and the library of scenarios: each mechanism is shown, and not named where it only could be.

use std::fs;
use std::path::Path;

use whyclosed::scenario::load;
use whyclosed::verdict::mechanisms::Mechanism;
use whyclosed::{Case, Vocabulary};
use whyclosed_tests::case::scenarios;
use whyclosed_tests::shown::{library, named, page, shown};
use whyclosed_tests::{Failure, Result, ensure};

/// Whether a case's author claims that this mechanism is met: at a connection, at one of its ends, or after its close.
fn claims(case: &Case, mechanism: &str) -> bool {
    case.expect.iter().any(|expectation| {
        let ends = expectation.endpoints.iter().chain(&expectation.afterwards);
        expectation.mechanism.as_deref() == Some(mechanism) || ends.into_iter().any(|(_, end)| end == mechanism)
    })
}

#[test]
fn every_mechanism_is_expected_by_the_scenario_that_the_catalogue_names_for_it() -> Result {
    let mut unshown = Vec::new();
    for mechanism in Mechanism::ALL {
        let file = scenarios().join(format!("{}.yaml", mechanism.entry().shown));
        let cases = load::<Vocabulary>(&file, None).map_err(|errors| Failure::new(errors.render(false)))?;
        if !cases.iter().any(|case| claims(case, mechanism.name())) {
            unshown.push(format!("{} by {}", mechanism.name(), mechanism.entry().shown));
        }
    }
    ensure!(unshown.is_empty(), "not shown by their scenarios:\n  {}", unshown.join("\n  "));
    Ok(())
}

#[test]
fn no_mechanism_is_named_by_its_near_miss() -> Result {
    let library = library()?;
    let mut wrong = Vec::new();
    for mechanism in Mechanism::ALL {
        let near = mechanism.entry().near;
        // A scenario, or one of its cases.
        let is_near = |case: &Case| case.scenario == near || case.name() == near;
        let snapshots: Vec<_> =
            library.iter().filter(|(case, _)| is_near(case)).filter_map(|(_, found)| found.as_ref()).collect();
        let names = |snapshot: &&&String| named(snapshot).any(|(_, name)| name == mechanism.name());
        if snapshots.is_empty() {
            wrong.push(format!("{}: {near} has no snapshot", mechanism.name()));
        } else if snapshots.iter().any(|snapshot| names(&snapshot)) {
            wrong.push(format!("{}: {near} names it", mechanism.name()));
        }
    }
    ensure!(wrong.is_empty(), "near misses that are none:\n  {}", wrong.join("\n  "));
    Ok(())
}

#[test]
fn the_page_of_mechanisms_is_that_of_the_catalogue_and_the_library() -> Result {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/mechanisms.md");
    let page = page(&shown(&library()?));
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page)?;
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    ensure!(
        written == page,
        "docs/mechanisms.md is old: run `UPDATE=1 cargo test -p whyclosed-tests --test catalogue page`"
    );
    Ok(())
}
