//! The embedded broker, and a client that somebody else wrote: pika, from Debian's package `python3-pika`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use whyclosed::actors::broker::{Settings, Teller, serve};
use whyclosed::actors::{Manners, Said};

/// Runs the client against a broker that proposes a heartbeat of 60 s; gives what it printed.
fn pika(arguments: &[&str]) -> String {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let settings = Settings { heartbeat_s: 60, handshake_timeout: Duration::from_secs(10) };
    let teller: Teller = Arc::new(|_: &Said| {});
    runtime.spawn(async move { serve(&listener, settings, &Manners::default(), &teller).await });
    // Debian's own Python: another one on the PATH does not have Debian's libraries.
    let output = Command::new("/usr/bin/python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/broker/pika_client.py"))
        .arg(port)
        .args(arguments)
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{err}\n`make install-test` installs what is missing");
    out.into_owned()
}

#[test]
fn pika_publishes_consumes_and_closes_as_with_rabbitmq() {
    insta::assert_snapshot!(pika(&[]), @r"
    heartbeat 60
    returned 312
    got order.0 0 0 False
    got order.1 1 1 False
    got order.0 0 0 True
    got order.2 2 2 False
    got order.3 3 3 False
    got order.4 4 4 False
    channel closed 404 NOT_FOUND - no queue 'nowhere' in vhost '/'
    closed
    ");
}

#[test]
fn pika_may_turn_heartbeats_off() {
    assert!(pika(&["0"]).starts_with("heartbeat 0\n"));
}
