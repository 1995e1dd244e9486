//! What RabbitMQ and its clients say of an end, or of what is none, is in the evidence.

use whyclosed::evidence::{Event, Fact};
use whyclosed::run::VIRTUAL;
use whyclosed_tests::program::run;
use whyclosed_tests::{Result, case, ensure, under_test};

/// The evidence of the only case of a scenario of RabbitMQ's whose name has this text in it.
fn evidence(file: &str, filter: &str) -> Result<Vec<Event>> {
    let path = case::scenarios().join("rabbitmq").join(file).display().to_string();
    // Its folder is there as long as the run is.
    let run = run(under_test!(), VIRTUAL, [path.as_str(), "--filter", filter])?.expect_code(0)?;
    let found = run.found()?;
    match found.results.cases.as_slice() {
        [case] => Ok(found.evidence(case)?),
        cases => Err(run.failure(&format!("{} cases were run instead of one", cases.len()))),
    }
}

fn says(events: &[Event], program: &str, words: &str) -> bool {
    let said = |fact: &Fact| matches!(fact, Fact::ServiceLog { service, line, .. } if service == program && line.contains(words));
    events.iter().any(|event| said(&event.fact))
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "its image is unpacked as root: make test-real")]
fn a_consumer_that_never_acknowledges_is_told_by_its_channel_and_goes_on_with_another() -> Result {
    let events = evidence("never-acknowledges.yaml", "")?;
    let closes = |fact: &Fact| matches!(fact, Fact::ProtocolFrame(frame) if frame.name == "channel.close" && frame.node == "broker");
    ensure!(events.iter().any(|event| closes(&event.fact)), "no channel.close passed");
    ensure!(says(&events, "rabbit", "precondition_failed: delivery acknowledgement on channel 1 timed out"), "no line");
    ensure!(says(&events, "worker", "channel closed 406"), "the client was not told");
    ensure!(says(&events, "worker", "another channel is open"), "the connection does not go on");
    Ok(())
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "its image is unpacked as root: make test-real")]
fn rabbitmq_logs_the_heartbeat_that_was_missed_as_it_was_agreed_on() -> Result {
    let events = evidence("heartbeats.yaml", "heartbeat=10s,victim=client")?;
    ensure!(says(&events, "rabbit", "missed heartbeats from client, timeout: 10s"), "no such line");
    Ok(())
}
