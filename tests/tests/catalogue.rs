//! The catalogue of mechanisms and the library of scenarios: each mechanism is shown.

use whyclosed::scenario::load;
use whyclosed::verdict::mechanisms::Mechanism;
use whyclosed::{Case, Vocabulary};
use whyclosed_tests::case::scenarios;
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
