//! Each lint finds its trap, and keeps silent where the trap is none or is meant.

use std::path::Path;

use super::{LINTS, warnings};
use crate::Vocabulary;
use crate::scenario::parse;

/// The names and lines of the warnings of a scenario; `rest` follows its first line.
fn found(rest: &str) -> Vec<(&'static str, u32)> {
    let source = format!("title: t\n{rest}\n");
    let cases = parse::<Vocabulary>("t.yaml", &source, "t", Path::new("."));
    let cases = cases.unwrap_or_else(|errors| panic!("{errors}"));
    warnings("t.yaml", &source, &cases).iter().collect()
}

/// A client `app` with these keys, and an echo server with those; `rest` follows.
fn pair(client: &str, server: &str, rest: &str) -> String {
    format!(
        "nodes: {{ client: {{}}, server: {{}} }}
wires: {{ cable: {{ ends: [client, server] }} }}
services: {{ echo: {{ node: server, server: echo, port: 7{server} }} }}
clients: {{ app: {{ node: client, connect: 'echo:7', protocol: tcp{client} }} }}
{rest}"
    )
}

/// A client with this protocol behind a proxy whose inactivity timers are these; `rest` follows.
fn behind_proxy(protocol: &str, client: &str, server: &str, rest: &str) -> String {
    format!(
        "nodes: {{ client: {{}}, lb: {{}}, s1: {{}} }}
wires: {{ client-lb: {{ ends: [client, lb] }}, lb-s1: {{ ends: [lb, s1] }} }}
services:
  s1: {{ node: s1, server: echo, port: 5672 }}
  lb:
    node: lb
    proxy: relay
    config: |
      listen broker
          bind :5672
          mode tcp
          timeout connect 5s
          timeout client {client}
          timeout server {server}
          server s1 s1:5672
clients: {{ app: {{ node: client, connect: 'lb:5672', {protocol} }} }}
{rest}"
    )
}

const NAMED: &str = "expect: [ { connection: app client->server, mechanism: ";

#[test]
fn a_close_right_behind_a_send_that_is_answered_is_found() {
    let timeline = "timeline: [ { send: { client: app } }, { close: app } ]";
    assert_eq!(found(&pair("", "", timeline)), [("close-races-the-answer", 6)]);
    assert_eq!(found(&pair("", ", echo: off", timeline)), []);
    assert_eq!(found(&pair("", "", "timeline: [ { send: { client: app } }, { idle: 1s }, { close: app } ]")), []);
}

#[test]
fn a_close_behind_a_send_is_found_behind_a_proxy_too() {
    let timeline = "timeline: [ { send: { client: app } }, { close: app } ]";
    let names: Vec<_> =
        found(&behind_proxy("protocol: tcp", "9s", "9s", timeline)).iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["close-races-the-answer"]);
}

#[test]
fn a_killed_process_that_is_taken_for_a_dead_host_is_found() {
    let rest = format!("timeline: [ {{ kill: echo }}, {{ idle: 20s }} ]\n{NAMED}tcp-retransmission }} ]");
    assert_eq!(found(&pair("", "", &rest)), [("killed-is-not-dead", 6)]);
    assert_eq!(found(&pair("", "", &rest.replace("kill: echo", "power-off: server"))), []);
    assert_eq!(found(&pair("", "", &rest.replace("tcp-retransmission", "process-exit"))), []);
}

#[test]
fn a_frozen_process_that_is_taken_for_a_dead_host_is_found() {
    let rest = format!("timeline: [ {{ freeze: echo }}, {{ idle: 20s }} ]\n{NAMED}tcp-keepalive }} ]");
    assert_eq!(found(&pair("", "", &rest)), [("frozen-is-not-dead", 6)]);
    assert_eq!(found(&pair("", "", &rest.replace("{ idle: 20s }", "{ cut: cable }, { idle: 20s }"))), []);
}

#[test]
fn a_firewall_that_forgets_and_is_loose_is_found() {
    let rest = format!(
        "timeline: [ {{ forget: fw }}, {{ send: {{ client: app }} }}, {{ idle: 20s }} ]\n{NAMED}reset-middlebox }} ]"
    );
    let through = |firewall: &str| {
        pair("", "", &rest)
            .replace("server: {} }", &format!("fw: {{ firewall: {firewall} }}, server: {{}} }}"))
            .replace("cable: { ends: [client, server] }", "near: { ends: [client, fw] }, far: { ends: [fw, server] }")
    };
    assert_eq!(found(&through("{ unknown: reset }")), [("forgotten-is-taken-up", 6)]);
    assert_eq!(found(&through("{ unknown: reset, loose: off }")), []);
    assert_eq!(found(&through("{ unknown: reset, nat: masquerade }")), []);
}

#[test]
fn system_keepalive_on_a_node_that_has_the_kernels_two_hours_is_found() {
    let client = ", keepalive: system";
    assert_eq!(found(&pair(client, "", "timeline: [ idle: 10m ]")), [("keepalive-of-two-hours", 5)]);
    assert_eq!(found(&pair(client, "", "timeline: [ idle: 3h ]")), []);
    let own = pair(client, "", "timeline: [ idle: 10m ]")
        .replace("client: {},", "client: { sysctl: { net.ipv4.tcp_keepalive_time: 120 } },");
    assert_eq!(found(&own), []);
}

#[test]
fn keepalive_times_that_no_socket_uses_are_found_unless_another_case_uses_them() {
    let set = "client: { sysctl: { net.ipv4.tcp_keepalive_time: 120 } },";
    let scenario = |client: &str| pair(client, "", "timeline: [ idle: 10m ]").replace("client: {},", set);
    assert_eq!(found(&scenario("")), [("keepalive-of-nobody", 2)]);
    assert_eq!(found(&scenario(", keepalive: system")), []);
    let matrix = format!("matrix: {{ k: [off, system] }}\n{}", scenario(", keepalive: \"${{ matrix.k }}\""));
    assert_eq!(found(&matrix), []);
    let foreign = scenario("").replace("protocol: tcp", "protocol: { command: [telnet] }");
    assert_eq!(found(&foreign), []);
}

#[test]
fn a_user_timeout_of_a_client_that_is_idle_without_keepalive_is_found() {
    let timeline = "timeline: [ { cut: cable }, { idle: 1m } ]";
    assert_eq!(found(&pair(", user timeout: 5s", "", timeline)), [("user-timeout-while-idle", 5)]);
    assert_eq!(found(&pair(", user timeout: 5s, sends: { bytes: 1, every: 1s }", "", timeline)), []);
    let keepalive = ", user timeout: 5s, keepalive: { idle: 1s, interval: 1s, probes: 9 }";
    assert_eq!(found(&pair(keepalive, "", timeline)), []);
    let sends = "timeline: [ { cut: cable }, { send: { client: app } }, { idle: 1m } ]";
    assert_eq!(found(&pair(", user timeout: 5s", "", sends)), []);
}

#[test]
fn keepalive_that_is_expected_beside_a_user_timeout_is_found() {
    let client = ", user timeout: 5s, keepalive: { idle: 1s, interval: 1s, probes: 9 }";
    let rest = format!("timeline: [ {{ cut: cable }}, {{ idle: 1m }} ]\n{NAMED}tcp-keepalive }} ]");
    assert_eq!(found(&pair(client, "", &rest)), [("user-timeout-and-probes", 7)]);
    assert_eq!(found(&pair(client, "", &rest.replace("tcp-keepalive", "tcp-user-timeout"))), []);
}

#[test]
fn timers_of_a_proxy_that_differ_are_found_when_nobody_says_which_fires() {
    let rest = "timeline: [ idle: 1m ]\nexpect: [ { connection: app client->lb, mechanism: open } ]";
    assert_eq!(found(&behind_proxy("protocol: tcp", "5s", "9s", rest)), [("unequal-timeouts", 6)]);
    assert_eq!(found(&behind_proxy("protocol: tcp", "9s", "9s", rest)), []);
    assert_eq!(found(&behind_proxy("protocol: tcp", "5s", "9s", &rest.replace("open", "proxy-timeout-client"))), []);
    assert_eq!(found(&behind_proxy("protocol: tcp", "5s", "1h", rest)), []);
}

#[test]
fn a_heartbeat_that_is_slower_than_the_proxy_is_found() {
    let rest = "timeline: [ idle: 5m ]";
    let heartbeat = |seconds: u32| format!("protocol: amqp, heartbeat: {seconds}s");
    assert_eq!(found(&behind_proxy(&heartbeat(120), "60s", "60s", rest)), [("heartbeat-behind-proxy", 17)]);
    assert_eq!(found(&behind_proxy(&heartbeat(60), "60s", "60s", rest)), []);
    assert_eq!(
        found(&behind_proxy("protocol: mqtt, keep alive: 60s", "60s", "60s", rest)),
        [("heartbeat-behind-proxy", 17)]
    );
}

#[test]
fn a_timeline_that_is_over_before_the_expected_timer_fires_is_found() {
    let rest = |wait: &str| {
        format!(
            "timeline: [ {{ cut: cable }}, {{ wait: {{ until: closed, at: client, at most: {wait} }} }} ]\n\
             {NAMED}tcp-keepalive, closed_by: client }} ]"
        )
    };
    let client = ", keepalive: { idle: 110s, interval: 30s, probes: 3 }";
    assert_eq!(found(&pair(client, "", &rest("150s"))), [("too-short", 7)]);
    // Not before its nominal time, and still before it can have fired.
    assert_eq!(found(&pair(client, "", &rest("201s"))), [("too-short", 7)]);
    assert_eq!(found(&pair(client, "", &rest("5m"))), []);
}

#[test]
fn a_wait_for_an_endpoint_that_is_expected_to_stand_is_found() {
    let rest = |at: &str| {
        format!(
            "timeline: [ {{ cut: cable }}, {{ wait: {{ until: closed{at}, at most: 9m }} }} ]\n\
             {NAMED}tcp-keepalive, endpoints: {{ server: half-open }} }} ]"
        )
    };
    assert_eq!(found(&pair("", "", &rest(""))), [("waits-for-what-stays", 6)]);
    assert_eq!(found(&pair("", "", &rest(", at: client"))), []);
}

#[test]
fn a_command_that_takes_an_interface_down_is_found() {
    let with = |command: &str| {
        pair("", "", "timeline: [ idle: 1s ]")
            .replace("port: 7 }", &format!("port: 7 }}, pull: {{ node: server, command: {command} }}"))
    };
    assert_eq!(found(&with("[ip, link, set, eth0, down]")), [("interface-down", 4)]);
    assert_eq!(found(&with("[sh, -c, sleep 5; /sbin/ip link set eth0 down]")), [("interface-down", 4)]);
    assert_eq!(found(&with("[ip, link, show]")), []);
}

#[test]
fn a_warning_is_drawn_at_its_line_with_its_name() {
    let source =
        format!("title: t\n{}\n", pair("", "", "timeline:\n  - send: { client: app }\n  - close: app # too early"));
    let cases = parse::<Vocabulary>("t.yaml", &source, "t", Path::new(".")).unwrap_or_else(|errors| panic!("{errors}"));
    insta::assert_snapshot!(warnings("t.yaml", &source, &cases).render(false));
}

#[test]
fn every_lint_has_a_name_of_its_own_and_says_what_it_is_and_where_that_is_written() {
    let mut names: Vec<_> = LINTS.iter().map(|lint| lint.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), LINTS.len());
    assert!(LINTS.iter().all(|lint| !lint.about.is_empty() && !lint.source.is_empty()));
}
