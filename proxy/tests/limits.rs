//! At its limits relay goes on serving, and does not turn in circles.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod beside;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use beside::{Program, Proxy, listen, patient};
use rustix::process::{Pid, Resource as Limit, Rlimit, prlimit};

/// The processor time of a process in the next second, in hundredths of a second.
fn processor_time(proxy: &Proxy) -> u64 {
    let used = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", proxy.process.id())).unwrap();
        // Fields 14 and 15, counted behind the name, which may have spaces (proc_pid_stat(5)).
        let behind = stat.rsplit_once(')').unwrap().1;
        let fields: Vec<u64> = behind.split_whitespace().skip(11).take(2).map(|field| field.parse().unwrap()).collect();
        fields.iter().sum::<u64>()
    };
    let before = used();
    std::thread::sleep(Duration::from_secs(1));
    used() - before
}

/// A session on these two passes bytes.
fn passes_bytes(client: &mut TcpStream, server: &mut TcpStream) {
    client.write_all(b"ping").unwrap();
    server.read_exact(&mut [0; 4]).unwrap();
}

/// As many sessions as there is room for, and one client more; with it waiting the process rests, and it is served when a session ends.
fn serves_the_next_when_one_leaves(proxy: &Proxy, room: usize) {
    let mut sessions: Vec<_> = (0..room).map(|_| proxy.session()).collect();
    let mut waiting = patient(TcpStream::connect(proxy.address).unwrap());
    waiting.write_all(b"ping").unwrap();
    let (client, server) = &mut sessions[0];
    passes_bytes(client, server);
    assert!(processor_time(proxy) <= 2);
    drop(sessions.pop());
    let (server, _) = proxy.server.accept().unwrap();
    patient(server).read_exact(&mut [0; 4]).unwrap();
}

#[test]
fn with_as_many_sessions_as_maxconn_allows_it_rests_until_one_leaves() {
    let proxy = Proxy::start(Program::Relay, &listen(" maxconn 10", ""));
    serves_the_next_when_one_leaves(&proxy, 10);
}

#[test]
fn a_small_ulimit_n_makes_room_for_few_sessions_and_it_rests_until_one_leaves() {
    let proxy = Proxy::start(Program::Relay, &listen(" ulimit-n 122", ""));
    serves_the_next_when_one_leaves(&proxy, 10);
}

#[test]
fn out_of_descriptors_it_rests_and_says_so_and_serves_whoever_waits_when_there_are_some_again() {
    let proxy = Proxy::start(Program::Relay, &listen("", ""));
    let pid = Pid::from_raw(proxy.process.id() as i32).unwrap();
    let limit = |most| prlimit(Some(pid), Limit::Nofile, Rlimit { current: Some(most), maximum: Some(4096) }).unwrap();
    limit(1);
    let mut waiting = patient(TcpStream::connect(proxy.address).unwrap());
    waiting.write_all(b"ping").unwrap();
    let line = proxy.line();
    assert!(line.contains("no client can be accepted"), "{line}");
    assert!(processor_time(&proxy) <= 2);
    limit(1024);
    let (server, _) = proxy.server.accept().unwrap();
    patient(server).read_exact(&mut [0; 4]).unwrap();
}

#[test]
fn a_limit_that_cannot_be_had_is_an_error() {
    let proxy = Proxy::start(Program::Relay, &listen("", ""));
    let file = proxy.folder.path().join("proxy.cfg");
    let text = std::fs::read_to_string(&file).unwrap().replacen("global\n", "global\n ulimit-n 4000000000\n", 1);
    std::fs::write(&file, text).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_relay")).arg("-f").arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("open files"), "{said}");
}
