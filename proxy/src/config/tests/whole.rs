//! What can be judged only when all is known.

use super::*;

const TIMEOUTS: &str = "defaults\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n";
const BACKEND: &str = "backend b\n server s1 10.0.0.1:5672\n";

/// What is said about a text behind [`TIMEOUTS`], whose first line is line 5.
fn said(text: &str) -> Vec<String> {
    notes(&format!("{TIMEOUTS}{text}"))
}

#[test]
fn a_frontend_with_a_backend_is_whole() {
    assert_eq!(said(&format!("frontend f\n bind :80\n default_backend b\n{BACKEND}")), [""; 0]);
}

#[test]
fn a_backend_that_is_not_there_is_refused_where_it_is_named() {
    let notes =
        said(&format!("frontend f\n bind :80\n use_backend c\n default_backend brokers\nbackend broker\n{BACKEND}"));
    assert_eq!(notes, ["haproxy.cfg:7:14: there is no backend `c`", "haproxy.cfg:8:18: there is no backend `brokers`"]);
    let read = read(&format!(
        "{TIMEOUTS}frontend f\n bind :80\n default_backend brokers\nbackend broker\n server s 10.0.0.1:1\n"
    ));
    assert_eq!(read.notes[0].help.as_deref(), Some("did you mean `broker`?"));
}

#[test]
fn a_backend_named_in_defaults_is_refused_in_each_proxy_that_lacks_it() {
    let notes = notes("defaults\n timeout client 1s\n default_backend b\nfrontend f\n bind :80\n");
    assert_eq!(notes, ["haproxy.cfg:3:18: there is no backend `b`"]);
}

#[test]
fn sessions_go_to_the_first_rule_or_else_to_the_default_or_else_to_the_proxys_own_servers() {
    let read = read(
        "frontend f\n use_backend a if x\n use_backend b\n use_backend c\n default_backend d\nfrontend g\n default_backend d\nlisten l\nfrontend h\nbackend d\n",
    );
    let backends: Vec<Option<&str>> = read.proxies.iter().map(Proxy::session_backend).collect();
    assert_eq!(backends, [Some("b"), Some("d"), Some("l"), None, None]);
}

#[test]
fn two_proxies_of_one_name_are_refused_unless_one_is_a_frontend_and_the_other_a_backend() {
    let both = format!("frontend b\n bind :80\n default_backend b\n{BACKEND}");
    assert_eq!(said(&both), [""; 0]);
    let notes = said(&format!("{both}{BACKEND}"));
    assert_eq!(notes, ["haproxy.cfg:10:9: backend `b` has the same name as that at haproxy.cfg:8:1"]);
}

#[test]
fn two_servers_of_one_name_are_refused_unless_they_have_numbers() {
    let (_, notes) = listened(" server s1 10.0.0.2:5672");
    assert_eq!(notes, ["haproxy.cfg:8:9: server `s1` has the same name as that at haproxy.cfg:7:9"]);
    assert_eq!(listened(" server s1 10.0.0.2:5672 id 7").1, [""; 0]);
}

#[test]
fn missing_timeouts_are_warned_of_by_name() {
    let notes = notes("listen lb\n bind :80\n server s1 10.0.0.1:5672\n timeout tunnel 1h\n");
    assert_eq!(
        notes,
        [
            "haproxy.cfg:1:8: listen `lb` has no `timeout client` and `timeout connect`: sessions whose other side is gone may stay for ever"
        ]
    );
}

#[test]
fn a_timeout_that_is_set_twice_is_warned_of_and_the_second_holds() {
    let (proxy, notes) = listened(" timeout client 9s");
    assert_eq!(notes, ["haproxy.cfg:8:2: `timeout client` has been set in this section before; this one holds"]);
    assert_eq!(proxy.timeouts.client, seconds(9));
    assert_eq!(said("listen lb\n bind :80\n timeout client 9s\n server s 10.0.0.1:1\n"), [""; 0]);
}

#[test]
fn a_setting_of_global_that_is_given_twice_is_warned_of_and_the_first_holds() {
    let (global, notes) = global(" maxconn 1\n maxconn 2");
    assert_eq!((global.maxconn, notes.len()), (Some(1), 1));
}

#[test]
fn http_mode_is_refused_where_it_is_set_and_only_if_a_proxy_is_left_in_it() {
    let listen = |mode: &str| format!("listen lb\n bind :80\n{mode} server s 10.0.0.1:1\n");
    let defaults = TIMEOUTS.to_owned() + " mode http\n";
    assert_eq!(notes(&format!("{defaults}{}", listen(" mode tcp\n"))), [""; 0]);
    let refused = notes(&format!("{defaults}{}{}", listen(""), listen("").replace("lb", "lb2")));
    assert_eq!(refused, ["haproxy.cfg:5:7: `mode http` is not implemented: bytes are passed on as they are"]);
}

#[test]
fn a_proxy_that_nobody_reaches_or_that_reaches_nobody_is_warned_of() {
    let notes = said(&format!(
        "frontend f\n bind :80\n default_backend b\nfrontend g\n default_backend b\nlisten l\n bind :81\n{BACKEND}"
    ));
    assert_eq!(
        notes,
        [
            "haproxy.cfg:8:10: frontend `g` has no `bind` line: no client can reach it",
            "haproxy.cfg:10:8: listen `l` has no server: its sessions end with `SC`",
        ]
    );
}

#[test]
fn nothing_to_listen_on_is_refused() {
    let notes = said(&format!("{BACKEND}listen lb\n disabled\n bind :80\n server s 10.0.0.1:1\n"));
    assert_eq!(notes, ["haproxy.cfg:7:1: there is nothing to listen on: no proxy that is enabled has a `bind` line"]);
}

#[test]
fn servers_behind_a_default_backend_are_never_used() {
    let notes = said(&format!("listen lb\n bind :80\n default_backend b\n server s 10.0.0.1:1\n{BACKEND}"));
    assert_eq!(
        notes,
        ["haproxy.cfg:7:18: the servers of listen `lb` are never used, as `default_backend` goes before them"]
    );
}

#[test]
fn a_log_without_a_target_is_warned_of() {
    let notes = said("listen lb\n bind :80\n option tcplog\n server s 10.0.0.1:1\n");
    assert_eq!(notes, ["haproxy.cfg:7:9: `option tcplog` has no effect: listen `lb` has no `log` line"]);
}

#[test]
fn log_global_copies_the_targets_that_were_there_and_no_log_clears_them() {
    let log = |port| format!("global\n log 127.0.0.1:{port} local0\n");
    let read = read(&format!(
        "{}listen a\n log global\n log global\n log stdout daemon\n{}listen b\n log global\n no log\nlisten c\n log global\n",
        log(1),
        log(2)
    ));
    let targets = |at: usize| read.proxies[at].logs.iter().map(|log| log.address.clone()).collect::<Vec<_>>();
    let udp = |port| LogAddress::Udp { host: "127.0.0.1".to_owned(), port };
    assert_eq!(targets(0), [udp(1), LogAddress::Descriptor(1)]);
    assert_eq!((targets(1), read.proxies[1].log_global), (vec![], false));
    assert_eq!(targets(2), [udp(1), udp(2)]);
}

#[test]
fn a_host_name_in_the_log_changes_the_format_of_targets_without_one() {
    let read = read(
        "global\n log stdout local0\n log stderr format local local0\nlisten a\n log global\nglobal\n log-send-hostname\n",
    );
    let formats = |logs: &[LogTarget]| logs.iter().map(|log| log.format).collect::<Vec<_>>();
    assert_eq!(formats(&read.global.logs), [LogFormat::Rfc3164, LogFormat::Local]);
    assert_eq!(formats(&read.proxies[0].logs), [LogFormat::Rfc3164, LogFormat::Local]);
}
