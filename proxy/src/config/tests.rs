use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const PUBLISHED: &str = "\
global
    log 127.0.0.1 local3
    maxconn 4096
    user haproxy
    group haproxy
    daemon
    debug

listen messagebroker_balancer 172.19.19.91:5672
    mode tcp
    log global
    retries 3
    timeout connect 5000ms
    option redispatch
    timeout client 200000ms
    timeout server 200000ms
    option tcplog
    option clitcpka
    balance leastconn
    server s1 172.19.19.79:5672 check inter 5s rise 2 fall 3
    server s2 172.19.19.80:5672 check inter 5s rise 2 fall 3
";

fn read(text: &str) -> Configuration {
    Configuration::read(&[("haproxy.cfg", text)], &HashMap::new())
}

/// The words of one line behind its keyword.
fn words(line: &str) -> Vec<String> {
    let environment = HashMap::from([("NAME".to_owned(), "value".to_owned()), ("LIST".to_owned(), "a b".to_owned())]);
    let read = Configuration::read(&[("haproxy.cfg", &format!("global\nlog {line}"))], &environment);
    read.sections[0].directives[0].words[1..].iter().map(|word| word.text.clone()).collect()
}

fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

#[test]
fn the_published_configuration_gives_its_timers_options_and_servers() {
    let read = read(PUBLISHED);
    let proxy = read.frontend("messagebroker_balancer").unwrap();
    assert_eq!(
        (proxy.timeouts.connect, proxy.timeouts.client, proxy.timeouts.server),
        (seconds(5), seconds(200), seconds(200))
    );
    assert_eq!((proxy.timeouts.tunnel, proxy.timeouts.client_fin), (None, None));
    assert_eq!(proxy.client_keepalive, Keepalive { on: true, ..Keepalive::default() });
    assert!(!proxy.server_keepalive.on);
    assert_eq!((proxy.mode.as_str(), proxy.balance.as_str(), proxy.retries), ("tcp", "leastconn", 3));
    assert!(proxy.redispatch && proxy.tcplog && proxy.log_global);
    assert_eq!(proxy.servers[1].name, "s2");
    assert_eq!(proxy.servers[1].address, ServerAddress { host: "172.19.19.80".to_owned(), port: Some(5672) });
    assert_eq!(proxy.servers[0].check, Some(Check { interval: Duration::from_secs(5), ..Check::default() }));
    assert_eq!(read.global.maxconn, Some(4096));
}

#[test]
fn an_unknown_directive_is_noted_with_its_place_and_the_rest_is_read() {
    let read = read(PUBLISHED);
    let notes: Vec<String> = read.notes.iter().map(Note::to_string).collect();
    assert_eq!(notes, ["haproxy.cfg:7:5: `debug` is not read"]);
}

#[test]
fn a_wrong_time_is_noted_where_it_stands() {
    let read = read("listen lb\n  timeout client 5 min\n  timeout server 5min\n  timeout connect\n");
    let notes: Vec<String> = read.notes.iter().map(Note::to_string).collect();
    assert_eq!(
        notes,
        [
            "haproxy.cfg:3:18: `5min`: the units of time are us, ms, s, m, h and d",
            "haproxy.cfg:4:3: `timeout connect` lacks its value",
        ]
    );
    assert!(read.notes.iter().all(|note| note.kind == NoteKind::Malformed));
}

#[test]
fn a_bare_number_is_milliseconds_for_a_timeout_and_seconds_for_keepalive() {
    let read = read(
        "listen lb\n timeout client 1500\n timeout server 1m\n timeout tunnel 0\n option tcpka\n clitcpka-idle 110\n clitcpka-intvl 30s\n clitcpka-cnt 3\n",
    );
    let proxy = &read.proxies[0];
    assert_eq!(proxy.timeouts.client, Some(Duration::from_millis(1500)));
    assert_eq!((proxy.timeouts.server, proxy.timeouts.tunnel), (seconds(60), None));
    assert_eq!(
        proxy.client_keepalive,
        Keepalive { on: true, idle: seconds(110), interval: seconds(30), probes: Some(3) }
    );
    assert_eq!(proxy.server_keepalive, Keepalive { on: true, ..Keepalive::default() });
}

#[test]
fn a_proxy_starts_from_the_latest_defaults_and_new_defaults_start_afresh() {
    let read = read(
        "defaults\n timeout client 1s\n timeout server 1s\nlisten a\ndefaults\n timeout client 2s\nlisten b\n timeout connect 3s\n",
    );
    assert_eq!((read.proxies[0].timeouts.client, read.proxies[0].timeouts.server), (seconds(1), seconds(1)));
    assert_eq!((read.proxies[1].timeouts.client, read.proxies[1].timeouts.server), (seconds(2), None));
}

#[test]
fn a_proxy_can_name_its_defaults_and_defaults_theirs() {
    let read = read(
        "defaults base\n timeout client 1s\n timeout server 1s\ndefaults short from base\n timeout client 2s\ndefaults\n timeout client 9s\nlisten a from short\nlisten b from nowhere\n",
    );
    assert_eq!((read.proxies[0].timeouts.client, read.proxies[0].timeouts.server), (seconds(2), seconds(1)));
    assert_eq!(read.notes[0].message, "no `defaults nowhere` stands before this section");
}

#[test]
fn defaults_of_the_first_file_hold_in_the_second() {
    let files =
        [("ours.cfg", "defaults\n option clitcpka\n"), ("user.cfg", "listen lb\n no option clitcpka\nlisten other\n")];
    let read = Configuration::read(&files, &HashMap::new());
    assert!(!read.proxies[0].client_keepalive.on);
    assert!(read.proxies[1].client_keepalive.on);
}

#[test]
fn a_file_starts_outside_any_section() {
    let files = [("ours.cfg", "listen lb\n"), ("user.cfg", "timeout client 1s\n")];
    let read = Configuration::read(&files, &HashMap::new());
    assert_eq!(read.proxies[0].timeouts.client, None);
    assert_eq!(read.notes[0].to_string(), "user.cfg:1:1: `timeout` stands before any section");
}

#[test]
fn a_session_has_the_clients_timers_of_its_frontend_and_the_servers_of_its_backend() {
    let read = read(
        "frontend f\n timeout client 1s\n option clitcpka\n default_backend b\n use_backend c if { src 10.0.0.1 }\nbackend b\n timeout server 2s\n timeout tunnel 3s\n option srvtcpka\n",
    );
    let session = read.session("f", "b").unwrap();
    assert_eq!(
        (session.timeouts.client, session.timeouts.server, session.timeouts.tunnel),
        (seconds(1), seconds(2), seconds(3))
    );
    assert!(session.client_keepalive.on && session.server_keepalive.on);
    let frontend = read.frontend("f").unwrap();
    assert_eq!(frontend.default_backend.as_deref(), Some("b"));
    assert_eq!(frontend.use_backends[0].condition.as_deref(), Some("if { src 10.0.0.1 }"));
    assert!(read.notes.is_empty(), "{:?}", read.notes);
}

#[test]
fn a_bind_can_have_several_addresses_and_ports() {
    let read = read(
        "frontend f\n bind *:80,127.0.0.1:5000-5009 transparent\n bind :::443\n bind /run/lb.sock\n bind nothing\n",
    );
    let addresses: Vec<&BindAddress> = read.proxies[0].binds.iter().map(|bind| &bind.address).collect();
    let tcp = |address: &str, ports| BindAddress::Tcp { address: address.parse().unwrap(), ports };
    assert_eq!(
        addresses,
        [
            &tcp("0.0.0.0", 80..=80),
            &tcp("127.0.0.1", 5000..=5009),
            &tcp("::", 443..=443),
            &BindAddress::Other("/run/lb.sock".to_owned())
        ]
    );
    assert_eq!(read.proxies[0].binds[1].settings, ["transparent"]);
    assert_eq!(read.notes[0].position.to_string(), "haproxy.cfg:5:7");
}

#[test]
fn servers_start_from_the_default_server() {
    let read = read(
        "backend b\n default-server check inter 1s on-marked-down shutdown-sessions\n server s1 broker.example:5672 fall 5\n server s2 10.0.0.2 no-check backup send-proxy\n",
    );
    let servers = &read.proxies[0].servers;
    let check = Check { interval: Duration::from_secs(1), fall: 5, ..Check::default() };
    assert_eq!((servers[0].check, servers[0].shutdown_sessions_when_down), (Some(check), true));
    assert_eq!((servers[0].address.ip(), servers[1].address.port), (None, None));
    assert_eq!((servers[1].check, servers[1].backup), (None, true));
    assert_eq!(read.notes[0].to_string(), "haproxy.cfg:4:37: server settings from `send-proxy` on are not read");
}

#[test]
fn the_ways_of_quoting_in_the_manual_are_one_word() {
    for line in [
        r#"%{+Q}o\ %t\ %s\ %{-Q}r"#,
        r#""%{+Q}o %t %s %{-Q}r""#,
        r#"'%{+Q}o %t %s %{-Q}r'"#,
        r#""%{+Q}o %t"' %s %{-Q}r'"#,
        r#""%{+Q}o %t"' %s'\ %{-Q}r"#,
    ] {
        assert_eq!(words(line), ["%{+Q}o %t %s %{-Q}r"], "{line}");
    }
}

#[test]
fn a_comment_ends_a_line_unless_it_is_quoted_or_escaped() {
    assert_eq!(words(r##"a "b#c" 'd#e' f\#g # h"##), ["a", "b#c", "d#e", "f#g"]);
}

#[test]
fn escapes_stand_for_what_cannot_be_typed() {
    assert_eq!(words(r#"\x41\x20b a\\b "\"\$NAME" '\n'"#), ["A b", r"a\b", "\"$NAME", r"\n"]);
}

#[test]
fn a_variable_is_replaced_between_double_quotes_only() {
    assert_eq!(
        words(r#""$NAME:${NAME}" $NAME '$NAME' "${NONE-else}${NAME-else}" "${NONE}" "x ${LIST[*]}" "${.LINE}""#),
        ["value:value", "$NAME", "$NAME", "elsevalue", "", "x a", "b", "2",]
    );
}

#[test]
fn a_quote_that_is_never_closed_is_noted() {
    let read = read("global\n log \"a b\n");
    assert_eq!(read.notes[0].to_string(), "haproxy.cfg:2:6: this double quote is never closed");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC*") {
        let _ = read(&text);
    }

    #[test]
    fn no_words_in_any_order_make_it_panic(lines in prop::collection::vec(prop::collection::vec(
        prop::sample::select(vec!["global", "defaults", "listen", "backend", "from", "timeout", "client", "5s", "option", "no", "server", "bind", ":", "\"${", "'", "check", "inter", "default-server", "use_backend", "x"]), 0..6), 0..12))
    {
        let text: Vec<String> = lines.iter().map(|words| words.join(" ")).collect();
        let _ = read(&text.join("\n"));
    }

    #[test]
    fn a_time_in_any_unit_is_its_number_times_the_unit(number in 0u64..1000, unit in prop::sample::select(vec![("us", 1u64), ("ms", 1_000), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000)])) {
        let time = parse_duration(&format!("{number}{}", unit.0), Duration::from_millis(1));
        let expected = Duration::from_micros(number * unit.1);
        if expected <= Duration::from_millis(i32::MAX as u64) {
            prop_assert_eq!(time, Ok(expected));
        } else {
            prop_assert_eq!(time, Err(DurationError::TooLong));
        }
    }
}
