//! Why a program that speaks a protocol ended a connection: by its own word, borne out by the wire, and never by the time alone.
//!
//! The evidence is of real runs; what is asked is put into it by changing one fact.

use std::fs;
use std::net::SocketAddrV4;
use std::path::Path;

use whyclosed::evidence::{Event, Fact, ProtocolUnread, Report};
use whyclosed::verdict::{Verdict, judge};

fn read(run: &str) -> Vec<Event> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/evidence/{run}.ndjson"));
    let text = fs::read_to_string(file).expect("saved evidence can be read");
    text.lines().map(|line| serde_json::from_str(line).expect("every line is a fact")).collect()
}

fn verdict(events: &[Event]) -> Verdict {
    judge(events).connections.into_iter().next().expect("there is a connection")
}

/// Changes every fact of a run.
fn changed(run: &str, change: impl Fn(&mut Fact)) -> Vec<Event> {
    let mut events = read(run);
    events.iter_mut().for_each(|event| change(&mut event.fact));
    events
}

fn says(word: &'static str) -> impl Fn(&mut Fact) {
    move |fact| {
        if let Fact::Application { report: Report::Closed { why, .. }, .. } = fact {
            *why = word.into();
        }
    }
}

#[test]
fn a_program_that_says_order_closed_by_its_own_decision_even_when_a_heartbeat_was_due() {
    let verdict = verdict(&changed("amqp-frozen-broker", says("order")));
    assert_eq!((verdict.mechanism.as_str(), verdict.firm), ("app-close", false), "{:#?}", verdict.doubts);
}

#[test]
fn a_program_that_says_heartbeat_is_not_believed_when_none_is_in_force() {
    let verdict = verdict(&changed("amqp-frozen-broker", |fact| {
        if let Fact::ProtocolSettings(settings) = fact {
            settings.heartbeat.in_force_s = 0;
        }
    }));
    assert_eq!(verdict.mechanism, "unknown");
}

#[test]
fn a_program_that_says_heartbeat_is_not_believed_before_its_time_has_come() {
    let verdict = verdict(&changed("amqp-frozen-broker", |fact| {
        if let Fact::ProtocolSettings(settings) = fact {
            settings.heartbeat.in_force_s = 3;
        }
    }));
    assert_eq!(verdict.mechanism, "unknown");
}

#[test]
fn how_long_a_program_waits_depends_on_which_it_is() {
    let patient = |name: &'static str| {
        let verdict = verdict(&changed("amqp-frozen-broker", move |fact| {
            if let Fact::ProtocolSettings(settings) = fact {
                settings.software = (!name.is_empty()).then(|| name.into());
            }
        }));
        verdict.window_s.map(|[from, to]| (from.round(), to.round()))
    };
    // A heartbeat of 2 s, and 4 s without a byte.
    assert_eq!(patient("lapin"), Some((4.0, 5.0)));
    assert_eq!(patient("RabbitMQ"), Some((4.0, 6.0)));
    assert_eq!(patient(""), Some((4.0, 14.0)));
    assert_eq!(patient("Pika Python Client Library"), None);
}

#[test]
fn a_broker_that_reports_nothing_is_believed_by_its_log() {
    let mut events = read("amqp-frozen-client");
    events.retain(|event| !matches!(&event.fact, Fact::Application { node, .. } if node == "broker"));
    let verdict = verdict(&events);
    let logged = verdict.proof.iter().any(|line| line.contains("missed heartbeats"));
    assert_eq!((verdict.mechanism.as_str(), logged), ("heartbeat", true), "{:#?}", verdict.doubts);
}

#[test]
fn a_log_line_about_another_connection_says_nothing_of_this_one() {
    let mut events = read("amqp-frozen-client");
    events.retain(|event| !matches!(&event.fact, Fact::Application { node, .. } if node == "broker"));
    for event in &mut events {
        if let Fact::BrokerLog(log) = &mut event.fact {
            log.client = log.client.map(|client| SocketAddrV4::new(*client.ip(), client.port() + 1));
        }
    }
    assert_eq!(verdict(&events).mechanism, "ambiguous");
}

#[test]
fn the_one_that_closed_the_protocol_closed_the_connection_whoever_ended_it() {
    let connections = judge(&read("amqp-closes-and-stays")).connections;
    let of_broker = connections.iter().find(|verdict| verdict.to == "s1").expect("the proxy connected to the broker");
    let ended = of_broker.endpoints.iter().find(|end| end.saw == "aborted").map(|end| end.node.as_str());
    assert_eq!((of_broker.closed_by.as_deref(), ended), (Some("client"), Some("s1")));
}

#[test]
fn a_handshake_that_was_over_does_not_time_out() {
    let verdict = verdict(&changed("amqp-frozen-client", says("handshake-timeout")));
    assert_eq!(verdict.mechanism, "unknown");
}

#[test]
fn a_protocol_that_could_not_be_read_to_its_end_says_nothing_by_what_is_missing() {
    let mut events = read("amqp-publish-and-close");
    let closes = |fact: &Fact| matches!(fact, Fact::ProtocolFrame(frame) if frame.name.starts_with("connection.close"));
    events.retain(|event| !closes(&event.fact));
    let excluded =
        |events: &[Event]| verdict(events).doubts.iter().any(|doubt| doubt.contains("protocol-close is excluded"));
    assert!(excluded(&events));
    for event in &mut events {
        if let Fact::ProtocolFrame(frame) = &event.fact
            && frame.name == "connection.open-ok"
        {
            event.fact = Fact::ProtocolUnread(ProtocolUnread {
                node: frame.node.clone(),
                point: frame.point,
                from: frame.from,
                to: frame.to,
                protocol: frame.protocol.clone(),
                why: "a segment of it was not seen".into(),
            });
        }
    }
    assert!(!excluded(&events));
}
