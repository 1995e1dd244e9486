//! What a scenario asks of its clients is held against what they can do, before anything runs.

use std::path::Path;

use whyclosed::Vocabulary;
use whyclosed::scenario::parse;

/// The errors of a scenario with a client of each kind and this timeline.
fn errors(timeline: &str) -> Vec<String> {
    let source = format!(
        "title: Clients
nodes: {{ client: {{}}, broker: {{}} }}
wires: {{ cable: {{ ends: [client, broker] }} }}
services: {{ rabbit: {{ node: broker, broker: embedded }} }}
clients:
  amqp: {{ node: client, connect: rabbit:5672, protocol: amqp }}
  tcp: {{ node: client, connect: rabbit:5672, protocol: tcp }}
  own: {{ node: client, connect: rabbit:5672, protocol: {{ command: [cat] }} }}
timeline: [ {timeline} ]
"
    );
    match parse::<Vocabulary>("scenario.yaml", &source, "test/orders", Path::new("")) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(|(_, _, error)| error.message.clone()).collect(),
    }
}

#[test]
fn each_client_may_be_told_what_it_can_do() {
    let steps = "publish: { client: amqp }, send: { client: tcp }, close: amqp, reset: tcp";
    assert_eq!(errors(steps), Vec::<String>::new());
}

#[test]
fn a_client_is_not_told_what_it_cannot_do() {
    for (step, protocol) in [
        ("send: { client: amqp }", "amqp"),
        ("publish: { client: tcp }", "tcp"),
        ("publish: { client: own }", "command"),
        ("close: own", "command"),
        ("reset: { client: own, connection: 1 }", "command"),
    ] {
        let name = if protocol == "command" { "own" } else { protocol };
        let message = format!("client `{name}` cannot do that: it is `protocol: {protocol}`");
        assert_eq!(errors(step), [message], "{step}");
    }
}
