//! A session's attempts to connect, on evidence saved from a run of `scenarios/seed/failover.yaml` in which health checks were in step
//! with them: one server is marked down, the other one has just been killed, and both refuse in the same milliseconds.

use std::fs;
use std::path::Path;

use whyclosed::evidence::Event;
use whyclosed::verdict::{Verdict, Verdicts, judge};

fn verdicts() -> Verdicts {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/evidence/attempt-beside-a-check.ndjson");
    let text = fs::read_to_string(file).expect("saved evidence can be read");
    let events: Vec<Event> =
        text.lines().map(|line| serde_json::from_str(line).expect("every line is a fact")).collect();
    judge(&events)
}

/// The attempts for the last client, which no server was left for.
fn attempts(verdicts: &Verdicts) -> Vec<&Verdict> {
    verdicts.connections.iter().filter(|verdict| verdict.name.starts_with("refused lb->")).collect()
}

#[test]
fn a_check_of_a_server_that_is_down_is_no_attempt_of_a_session() {
    let verdicts = verdicts();
    let servers: Vec<_> = attempts(&verdicts).iter().map(|verdict| verdict.to.as_str()).collect();
    assert_eq!(servers, ["s2", "s2", "s2"]);
}

#[test]
fn a_server_that_refused_is_tried_again_after_a_second_and_not_when_its_check_is_due() {
    let verdicts = verdicts();
    let moments: Vec<f64> = attempts(&verdicts).iter().filter_map(|verdict| verdict.at_s).collect();
    assert!(moments.windows(2).all(|pair| (1.0..1.01).contains(&(pair[1] - pair[0]))), "{moments:?}");
}
