//! relay checks servers where HAProxy does: both run the same configuration, and tell what they found.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod beside;

use std::net::TcpListener;

use beside::{BOTH, Operated, own_ip, wait_until};

#[test]
fn a_server_is_checked_at_the_address_and_port_that_are_set_for_that() {
    for program in BOTH {
        let (alive, at) = (TcpListener::bind("127.0.0.1:0").unwrap(), own_ip());
        let alive = alive.local_addr().unwrap();
        let there = TcpListener::bind((at, alive.port())).unwrap();
        let servers = [
            format!("by-itself {alive} check"),
            format!("at-a-port {alive} check port 1"),
            format!("at-an-address {alive} check addr 127.0.0.99"),
            format!("at-both 127.0.0.1:1 check addr {at} port {}", alive.port()),
        ];
        let servers: String =
            servers.iter().map(|server| format!(" server {server} inter 50ms rise 1 fall 1\n")).collect();
        let running = Operated::start(program, &format!("listen lb\n bind {at}:7000\n{servers}"));
        let states = || -> Vec<(String, String)> {
            let text = running.ask("show stat lb 4 -1");
            let rows = text.lines().filter(|line| line.starts_with("lb,"));
            let field = |line: &str, place: usize| line.split(',').nth(place).unwrap().to_owned();
            rows.map(|line| (field(line, 1), field(line, 17))).collect()
        };
        let wanted = [("by-itself", "UP"), ("at-a-port", "DOWN"), ("at-an-address", "DOWN"), ("at-both", "UP")];
        let wanted = wanted.map(|(name, state)| (name.to_owned(), state.to_owned()));
        wait_until(&format!("{program:?} has found this"), || states() == wanted);
        drop(there);
        wait_until(&format!("{program:?} has found the last one down"), || states()[3].1 == "DOWN");
    }
}
