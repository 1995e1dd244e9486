//! What a good scenario becomes.

use std::time::Duration;

use whyclosed::scenario::{Bytes, FileOrText, Keepalive, NodeName, Others, Quality, Starts};

use crate::words::{Client, Service, Step, only, read, small};

const FULL: &str = include_str!("full.yaml");

fn addresses(nodes: &str) -> Vec<String> {
    let case = only(&format!("title: t\nnodes: {nodes}\ntimeline: [ idle: 1s ]\n"));
    case.nodes.iter().map(|node| node.address.to_string()).collect()
}

fn idles(duration: &str) -> Duration {
    let case = only(&small(&format!("timeline: [ idle: {duration} ]\n")));
    let Step::Idle(duration) = case.timeline[0].kind else { panic!("{:?}", case.timeline) };
    duration
}

fn sends(bytes: &str) -> Bytes {
    let case = only(&small(&format!("timeline:\n  - send: {{ client: orders, bytes: {bytes} }}\n")));
    let Step::Send { bytes, .. } = case.timeline[0].kind else { panic!("{:?}", case.timeline) };
    bytes
}

#[test]
fn a_case_is_saved_with_all_that_was_resolved() {
    let cases = read(FULL).unwrap_or_else(|errors| panic!("{errors}"));
    insta::assert_json_snapshot!(cases[3]);
}

#[test]
fn the_matrix_makes_every_combination_in_the_order_of_the_file() {
    let cases = read(FULL).unwrap_or_else(|errors| panic!("{errors}"));
    let names: Vec<_> = cases.iter().map(whyclosed::scenario::Case::name).collect();
    assert_eq!(
        names,
        [
            "test/scenario[proxy=relay,length=full]",
            "test/scenario[proxy=relay,length=short]",
            "test/scenario[proxy=haproxy,length=full]",
            "test/scenario[proxy=haproxy,length=short]",
        ]
    );
}

#[test]
fn a_case_without_a_matrix_has_the_name_of_its_scenario() {
    assert_eq!(only(&small("timeline: [ idle: 1s ]\n")).name(), "test/scenario");
}

#[test]
fn references_are_replaced_inside_blocks_of_text_and_nothing_else_is() {
    let cases = read(FULL).unwrap_or_else(|errors| panic!("{errors}"));
    let Service::Proxy { config: FileOrText::Text(text) } = &cases[1].services[2].kind else { panic!("no text") };
    assert_eq!(text, "defaults\n  timeout client 4s\n  # ${HOME} is HAProxy's\n");
}

#[test]
fn an_expectation_is_kept_only_in_the_cases_that_it_is_for() {
    let cases = read(FULL).unwrap_or_else(|errors| panic!("{errors}"));
    let counts: Vec<_> = cases.iter().map(|case| case.expect.len()).collect();
    assert_eq!(counts, [1, 1, 2, 2]);
}

#[test]
fn a_pattern_means_the_connections_that_its_parts_match() {
    let cases = read(FULL).unwrap_or_else(|errors| panic!("{errors}"));
    let [orders, servers] = [&cases[2].expect[0].connection, &cases[2].expect[1].connection];
    assert!(orders.matches(Some("orders"), "client", "lb"));
    assert!(!orders.matches(Some("later"), "client", "lb"));
    assert!(!orders.matches(None, "client", "lb"));
    assert!(servers.matches(None, "lb", "s1") && servers.matches(Some("x"), "lb", "s2"));
    assert!(!servers.matches(None, "client", "s1"));
    assert_eq!(servers.to_string(), "lb->s*");
}

#[test]
fn nodes_without_an_address_get_the_first_that_are_free() {
    assert_eq!(
        addresses("{ a: , b: { address: 10.0.0.2 }, c: , d: }"),
        ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]
    );
}

#[test]
fn assigned_addresses_do_not_depend_on_later_nodes() {
    assert_eq!(addresses("{ a: , b: }"), addresses("{ a: , b: , c: }")[..2]);
}

#[test]
fn what_is_not_said_has_its_usual_value() {
    let case = only(&small("timeline: [ idle: 1s ]\n"));
    let (client, wire, service) = (&case.clients[0], &case.wires[0], &case.services[0]);
    assert_eq!((client.connections, &client.keepalive, client.starts), (1, &Keepalive::Off, Starts::Now));
    assert_eq!((client.user_timeout, &client.kind), (None, &Client::Tcp { linger: None }));
    assert_eq!((wire.mtu, &wire.quality), (1500, &Quality::default()));
    assert_eq!((&service.ready, service.ready_within), (&None, None));
    assert_eq!((case.others, case.about.as_str()), (Others::Any, ""));
}

#[test]
fn a_target_is_the_service_of_that_name_or_else_the_node() {
    let source = small("timeline: [ idle: 1s ]\n");
    let service = only(&source).clients[0].target.clone();
    let node = only(&source.replace("echo:7", "server:7")).clients[0].target.clone();
    let address = only(&source.replace("echo:7", "10.0.0.2:7")).clients[0].target.clone();
    assert_eq!((service.service.is_some(), service.node, service.port), (true, NodeName::from("server"), 7));
    assert_eq!((node.service, node.node), (None, NodeName::from("server")));
    assert_eq!((address.service, address.node), (None, NodeName::from("server")));
}

#[test]
fn off_is_a_word_with_and_without_quotes() {
    for off in ["off", "'off'", "\"off\""] {
        let keepalive = format!("keepalive: {off}, protocol");
        let case = only(&small("timeline: [ idle: 1s ]\n").replace("protocol", &keepalive));
        assert_eq!(case.clients[0].keepalive, Keepalive::Off);
    }
}

#[test]
fn keys_and_verbs_are_the_same_however_their_words_are_joined() {
    for (verb, key) in [("power-off", "at most"), ("power_off", "at_most"), ("power off", "at-most")] {
        let case = only(&small(&format!("timeline:\n  - {verb}: server\n  - wait: {{ {key}: 1s }}\n")));
        assert_eq!(case.timeline[0].verb, "power-off");
        assert_eq!(case.timeline[1].kind, Step::Wait { at_most: Duration::from_secs(1) });
    }
}

#[test]
fn a_step_knows_its_text_on_one_line_and_its_line() {
    let case = only(&small("timeline:\n  - send:\n      client: orders\n      bytes: 1 kB\n"));
    assert_eq!((case.timeline[0].text.as_str(), case.timeline[0].line), ("send: { client: orders, bytes: 1 kB }", 12));
}

#[test]
fn durations_have_units_and_add_up() {
    assert_eq!(idles("200s"), Duration::from_secs(200));
    assert_eq!(idles("15m"), Duration::from_secs(900));
    assert_eq!(idles("1m30s"), Duration::from_secs(90));
    assert_eq!(idles("1h 1m"), Duration::from_secs(3660));
    assert_eq!(idles("1.5s"), Duration::from_millis(1500));
    assert_eq!(idles("100us"), Duration::from_micros(100));
}

#[test]
fn bytes_count_thousands_or_powers_of_two() {
    assert_eq!(sends("100"), Bytes(100));
    assert_eq!(sends("400kB"), Bytes(400_000));
    assert_eq!(sends("1.5 MiB"), Bytes(1_572_864));
}

#[test]
fn shares_and_rates_are_read_in_percent_and_bits_per_second() {
    let cases = read(FULL).unwrap_or_else(|errors| panic!("{errors}"));
    let wire = &cases[0].wires[0];
    assert_eq!(wire.quality.loss.map(|loss| loss.0), Some(0.5));
    assert_eq!(wire.quality.rate.map(|rate| rate.0), Some(10_000_000));
}
