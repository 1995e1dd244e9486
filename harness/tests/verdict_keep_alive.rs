//! What a program of MQTT's waits for, and from when its time counts.
//!
//! The evidence is of real runs; what is asked is put into it by changing one fact.

use std::fs;
use std::net::SocketAddrV4;
use std::path::Path;

use whyclosed::evidence::{Event, Fact, Point, UNNAMED, Why};
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

fn in_force(seconds: u16) -> impl Fn(&mut Fact) {
    move |fact| {
        if let Fact::ProtocolSettings(settings) = fact {
            settings.heartbeat.in_force_s = seconds;
        }
    }
}

fn rounded(verdict: &Verdict) -> Option<(f64, f64)> {
    verdict.window_s.map(|[from, to]| (from.round(), to.round()))
}

#[test]
fn a_broker_has_one_and_a_half_keep_alives_and_as_long_as_it_looks_seldom() {
    // A keep-alive of 2 s, and mosquitto looks each 6 s.
    assert_eq!(rounded(&verdict(&read("mqtt-frozen-client"))), Some((3.0, 9.0)));
    let awake = changed("mqtt-cut", |fact| {
        if let Fact::BrokerSettings { checks_every_ms, .. } = fact {
            *checks_every_ms = None;
        }
    });
    // It ended 1 s later than one and a half times 14 s: for a broker that looks at once that is too late.
    assert_eq!(verdict(&awake).mechanism, "unknown");
}

#[test]
fn a_broker_that_is_not_known_may_look_as_seldom_as_mosquitto() {
    let mut events = read("mqtt-frozen-client");
    events.retain(|event| !matches!(&event.fact, Fact::BrokerSettings { service, .. } if service == "mosquitto"));
    assert_eq!(rounded(&verdict(&events)), Some((3.0, 9.0)));
}

#[test]
fn the_servers_keep_alive_is_the_one_that_counts() {
    let as_asked = changed("mqtt-server-keep-alive", in_force(600));
    assert_eq!(
        (verdict(&read("mqtt-server-keep-alive")).mechanism.as_str(), verdict(&as_asked).mechanism.as_str()),
        ("heartbeat", "unknown")
    );
}

#[test]
fn a_clients_time_counts_from_its_pingreq() {
    let verdict = verdict(&read("mqtt-frozen-broker"));
    let since = verdict.since.as_ref().map(|since| since.what.as_str());
    assert_eq!((since, rounded(&verdict)), (Some("PINGREQ without an answer"), Some((2.0, 2.0))));
}

#[test]
fn a_client_that_is_not_known_may_be_more_patient() {
    let stranger = changed("mqtt-frozen-broker", |fact| {
        if let Fact::Program { kind, .. } = fact
            && kind == "mqtt"
        {
            *kind = "command".into();
        }
    });
    assert_eq!(rounded(&verdict(&stranger)), Some((2.0, 9.0)));
}

#[test]
fn a_client_whose_pings_were_all_answered_has_missed_nothing() {
    let mut events = read("mqtt-frozen-broker");
    let last = events.iter().rposition(|event| is(&event.fact, "PINGRESP", Point::Delivered)).expect("it was answered");
    let after = events.split_off(last);
    events.extend(after.into_iter().filter(|event| !is(&event.fact, "PINGREQ", Point::Sent)));
    assert_eq!(verdict(&events).mechanism, "unknown");
}

#[test]
fn a_pingreq_that_data_keeps_back_is_reckoned_with() {
    let verdict = verdict(&read("mqtt-cut-in-flight"));
    let client = verdict.endpoints.iter().find(|end| end.node == "client").expect("it has two ends");
    assert_eq!((client.mechanism.as_str(), client.firm), ("heartbeat", true));
}

fn is(fact: &Fact, name: &str, point: Point) -> bool {
    matches!(fact, Fact::ProtocolFrame(frame) if frame.name == name && frame.node == "client" && frame.point == point)
}

#[test]
fn a_broker_that_says_nothing_of_its_reason_leaves_a_doubt() {
    let mut events = read("mqtt-frozen-client");
    events.retain(|event| !matches!(&event.fact, Fact::BrokerLog(log) if log.why.is_some()));
    assert_eq!(verdict(&events).mechanism, "ambiguous");
}

#[test]
fn a_line_about_another_connection_without_a_name_says_nothing_of_this_one() {
    let mut events = read("mqtt-silent");
    let other = |log: &mut Fact| {
        if let Fact::BrokerLog(log) = log {
            log.client = Some(SocketAddrV4::new([10, 0, 0, 1].into(), 1));
        }
    };
    // Somebody else came and went before.
    let mut earlier: Vec<Event> =
        events.iter().filter(|event| matches!(event.fact, Fact::BrokerLog(_))).cloned().collect();
    let first = events.iter().position(|event| matches!(event.fact, Fact::BrokerLog(_))).expect("it logs");
    let at = events[first].at_ns;
    for event in &mut earlier {
        event.at_ns = at;
        match &mut event.fact {
            Fact::BrokerLog(log) if log.why.is_some() => log.why = Some(Why::Peer),
            fact => other(fact),
        }
    }
    assert!(earlier.iter().all(|event| matches!(&event.fact, Fact::BrokerLog(log) if log.process == UNNAMED)));
    events.splice(first + 1..=first, earlier);
    let verdict = verdict(&events);
    assert_eq!((verdict.mechanism.as_str(), verdict.firm), ("handshake-timeout", true), "{:#?}", verdict.doubts);
}

#[test]
fn a_client_waits_for_the_answer_to_its_connect_as_long_as_its_library_does() {
    let patient = changed("mqtt-broker-does-not-answer", |fact| {
        if let Fact::BrokerSettings { service, handshake_timeout_ms, .. } = fact
            && service == "orders"
        {
            *handshake_timeout_ms = Some(30_000);
        }
    });
    let found = [read("mqtt-broker-does-not-answer"), patient].map(|events| verdict(&events).mechanism);
    assert_eq!(found, ["handshake-timeout", "unknown"]);
}
