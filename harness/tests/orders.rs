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
services:
  rabbit: {{ node: broker, broker: embedded }}
  echo: {{ node: broker, server: echo, port: 7 }}
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
    let steps = "publish: { client: amqp }, send: { client: tcp }, close: amqp, reset: tcp, half-close: tcp, \
                 stop-reading: tcp, resume-reading: { of: tcp, connection: 1 }";
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
        ("half-close: amqp", "amqp"),
        ("half-close: { client: own }", "command"),
        ("stop-reading: amqp", "amqp"),
        ("resume-reading: own", "command"),
    ] {
        let name = if protocol == "command" { "own" } else { protocol };
        let message = format!("client `{name}` cannot do that: it is `protocol: {protocol}`");
        assert_eq!(errors(step), [message], "{step}");
    }
}

#[test]
fn of_services_an_echo_server_may_be_told_to_stop_reading_and_no_other() {
    assert_eq!(errors("stop-reading: echo, resume-reading: echo"), Vec::<String>::new());
    assert_eq!(errors("stop-reading: rabbit"), ["service `rabbit` cannot do that: it is `broker`"]);
}

#[test]
fn only_a_client_is_told_to_half_close() {
    assert_eq!(errors("half-close: echo"), ["unknown client `echo`"]);
}

#[test]
fn a_wire_is_given_a_new_shape_in_the_words_of_its_description() {
    assert_eq!(
        errors("shape: { wire: cable, delay: 1s, jitter: 100ms, loss: 1%, rate: 1mbit }, shape: cable"),
        Vec::<String>::new()
    );
    assert_eq!(
        errors("shape: { wire: cable, jitter: 1ms }"),
        ["`jitter` needs a `delay` too: it is a change of the delay"]
    );
    assert_eq!(errors("shape: { wire: cabel }"), ["unknown wire `cabel`; did you mean `cable`?"]);
    assert_eq!(errors("shape: { wire: cable, los: 1% }"), ["unknown key `los`; did you mean `loss`?"]);
    assert_eq!(errors("shape: { loss: 1% }"), ["missing key `wire`"]);
}

#[test]
fn connections_are_destroyed_at_a_node_that_there_is() {
    assert_eq!(errors("destroy: client, destroy: { at: client, to: broker }"), Vec::<String>::new());
    assert_eq!(errors("destroy: { at: client, to: brokr }"), ["unknown node `brokr`; did you mean `broker`?"]);
    assert_eq!(errors("destroy: { to: broker }"), ["missing key `at`"]);
}
