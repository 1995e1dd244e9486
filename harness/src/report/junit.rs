//! `--junit FILE`: a test case for each case, as CI systems read it.
//!
//! A scenario is a test suite. An expectation that does not hold is a failure; a case without a verdict is an error. Both have what
//! does not hold, the verdicts and their proof in them, so that nobody has to fetch the evidence to know.

use std::io;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::results::{CaseResult, Outcome};
use super::{Ran, Report, table};

/// The report.
pub const JUNIT: Report =
    Report { name: "junit", about: "Write JUnit XML for CI systems: a test case for each case", render };

fn render(ran: &Ran<'_>) -> io::Result<String> {
    let mut document = Document::new("whyclosed");
    document.set_time(seconds(ran.results.wall_s));
    for cases in ran.results.cases.chunk_by(|a, b| a.scenario == b.scenario) {
        let mut suite = TestSuite::new(cases[0].scenario.as_str());
        suite.set_time(cases.iter().map(|case| seconds(case.wall_s)).sum());
        suite.add_property(("seed", ran.results.seed.to_string().as_str()));
        suite.add_test_cases(cases.iter().map(test_case));
        document.add_test_suite(suite);
    }
    document.to_string().map_err(io::Error::other)
}

fn test_case(case: &CaseResult) -> TestCase {
    let mut test = TestCase::new(case.name(), status(case));
    test.set_classname(case.scenario.as_str());
    test.set_time(seconds(case.wall_s));
    test.add_property(("clock", case.clock.as_str()));
    test.add_property(("clock_s", case.clock_s.to_string().as_str()));
    test.add_property(("evidence", case.folder.as_str()));
    test.set_system_out(plain(&table::case(case)));
    test
}

fn status(case: &CaseResult) -> TestCaseStatus {
    let (kind, what) = match case.outcome {
        Outcome::Pass => return TestCaseStatus::success(),
        Outcome::Fail => (NonSuccessKind::Failure, "expectation"),
        Outcome::Inconclusive => (NonSuccessKind::Error, "not everything was seen"),
        Outcome::Error => (NonSuccessKind::Error, "no verdict"),
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(what);
    status.set_message(case.messages.first().map_or("", String::as_str));
    status.set_description(description(case));
    status
}

/// What does not hold, the verdicts, the proof.
fn description(case: &CaseResult) -> String {
    let mut text = case.messages.join("\n");
    text.push_str("\n\n");
    text.push_str(&plain(&table::case(case)));
    for verdict in &case.connections {
        let lines = verdict.proof.iter().cloned().chain(verdict.doubts.iter().map(|doubt| format!("open: {doubt}")));
        let lines: Vec<_> = lines.map(|line| format!("  {line}\n")).collect();
        text.push_str(&format!("\n{}: {}\n{}", verdict.name, verdict.mechanism, lines.concat()));
    }
    text
}

/// A text without colours.
fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
