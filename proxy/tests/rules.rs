//! Rules about who is taken and by which backend: relay decides as HAProxy does, and a client sees the same of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod beside;

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use beside::{BOTH, End, Proxy, connect_from, end_of, listen, wait_until_it_listens};

const NEAR: Ipv4Addr = Ipv4Addr::new(127, 9, 0, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(127, 200, 0, 1);

/// How long a connection that stands is looked at.
const A_WHILE: Duration = Duration::from_millis(300);

/// How the connections of clients from two networks end with these lines.
fn ends(more: &str) -> [End; 2] {
    let both = BOTH.map(|program| {
        let proxy = Proxy::start(program, &listen("", more));
        [NEAR, FAR].map(|from| end_of(&mut connect_from(from, proxy.address).unwrap(), A_WHILE))
    });
    assert_eq!(both[1], both[0], "relay's are on the left");
    both[0]
}

#[test]
fn a_client_that_is_rejected_when_it_connects_gets_rst() {
    assert_eq!(ends(" tcp-request connection reject if { src 127.9.0.0/16 }"), [End::Reset, End::Open]);
}

#[test]
fn a_client_that_is_rejected_when_its_session_would_begin_gets_fin() {
    assert_eq!(ends(" tcp-request session reject unless { src 127.9.0.0/16 }"), [End::Open, End::Fin(0)]);
}

#[test]
fn a_rule_that_accepts_ends_the_rules() {
    let rules = " acl near src 127.9.0.1\n tcp-request connection accept if near\n tcp-request connection reject";
    assert_eq!(ends(rules), [End::Open, End::Reset]);
}

#[test]
fn who_is_rejected_is_not_logged() {
    for rule in ["connection reject", "session reject"] {
        let more = format!(" log-format '%ci %fc'\n tcp-request {rule} if {{ src 127.9.0.1 }}");
        for program in BOTH {
            let proxy = Proxy::start(program, &listen("", &more));
            let _ = end_of(&mut connect_from(NEAR, proxy.address).unwrap(), A_WHILE);
            let client = connect_from(FAR, proxy.address).unwrap();
            drop((client, proxy.server.accept().unwrap()));
            assert_eq!(proxy.line(), "127.200.0.1 1", "{program:?} {rule}");
        }
    }
}

/// Conditions, and for whom each holds: the near one, the far one.
const CONDITIONS: &[(&str, [bool; 2])] = &[
    ("if near", [true, false]),
    ("unless near", [false, true]),
    ("if !near", [false, true]),
    ("if ! near", [false, true]),
    ("if !! near", [true, false]),
    ("if near far", [false, false]),
    ("if near or far", [true, true]),
    ("if near || far", [true, true]),
    ("if near OR far", [true, true]),
    ("if either", [true, true]),
    ("if { src 127.9.0.1 }", [true, false]),
    ("if !{ src 127.9.0.1 }", [false, true]),
    ("if { src 127.0.0.0/8 } !far", [true, false]),
    ("if { src 127.0.0.0/255.128.0.0 }", [true, false]),
    ("if { src 10.0.0.1 127.200.0.1 }", [false, true]),
    ("if { src ::/0 }", [true, true]),
    ("if { src 0.0.0.0/0 }", [true, true]),
    ("if { src -- 127.9.0.1 }", [true, false]),
    ("unless near or far", [false, false]),
    ("if TRUE", [true, true]),
    ("if FALSE", [false, false]),
    ("if LOCALHOST", [true, true]),
    ("if { always_true }", [true, true]),
    ("if { dst 127.0.0.0/8 }", [true, true]),
    ("if { dst_port 1:65535 }", [true, true]),
    ("if { dst_port 1:3000 }", [false, false]),
    ("if { dst_port 1 2 ge 4000 }", [true, true]),
    ("if { dst_port gt 40000 }", [false, false]),
    ("if { src_port 0: }", [true, true]),
    ("if { src_port lt 10 }", [false, false]),
    ("if empty", [false, false]),
];

#[test]
fn conditions_hold_for_whom_they_hold_with_haproxy() {
    let mut configuration = "global\n log {folder}/log len 4096 format raw local0\ndefaults\n log global\n timeout connect 1s\n timeout client 1m\n timeout server 1m\n".to_owned();
    for (place, (condition, _)) in CONDITIONS.iter().enumerate() {
        let port = 5672 + place;
        let _ = write!(
            configuration,
            "frontend f{place}\n bind {{ip}}:{port}\n log-format '%ci %b'\n acl near src 127.9.0.1\n acl far src 127.200.0.0/16\n \
             acl either src 127.9.0.1\n acl either src 127.200.0.1\n acl empty src\n use_backend no if FALSE\n use_backend yes {condition}\n default_backend no\n"
        );
    }
    configuration += "backend yes\n server s1 {server}\nbackend no\n server s1 {server}\n";
    for program in BOTH {
        let proxy = Proxy::start(program, &configuration);
        for (place, (condition, holds)) in CONDITIONS.iter().enumerate() {
            let at = SocketAddr::new(proxy.address.ip(), 5672 + place as u16);
            wait_until_it_listens(at);
            for (from, holds) in [NEAR, FAR].into_iter().zip(holds) {
                let mut client = connect_from(from, at).unwrap();
                client.write_all(b"x").unwrap();
                let backend = if *holds { "yes" } else { "no" };
                assert_eq!(proxy.line(), format!("{from} {backend}"), "{program:?}: {condition}");
            }
        }
    }
}

#[test]
fn a_frontend_without_a_backend_ends_its_sessions_as_haproxy_does() {
    let configuration = "global\n log {folder}/log len 4096 format raw local0\ndefaults\n log global\n timeout connect 1s\n timeout client 1m\n timeout server 1m\n\
         frontend f\n bind {bind}\n log-format '%f %b/%s %Tw/%Tc %ts %ac/%fc/%bc/%sc/%rc %sq/%bq'\n use_backend b if { src 127.9.0.1 }\nbackend b\n server s1 {server}\n";
    let both = BOTH.map(|program| {
        let proxy = Proxy::start(program, configuration);
        let end = end_of(&mut connect_from(FAR, proxy.address).unwrap(), A_WHILE);
        (end, proxy.line())
    });
    assert_eq!(both[1], both[0], "relay's is on the left");
}
