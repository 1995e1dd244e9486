//! A process that gives up its privileges keeps what it needs: its port, its log, its stats socket. It takes root to see that.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod beside;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};

use beside::{BOTH, LIMIT, Program, own_address, patient, start, wait_until_it_listens};

/// A field of proc_pid_status(5), its numbers.
fn status(pid: u32, field: &str) -> Vec<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

/// Another user, in an empty root folder that has nothing but a socket for log lines.
fn gives_up_everything_and_works(program: Program) {
    let (folder, server) = (tempfile::tempdir().unwrap(), std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let at = folder.path();
    fs::set_permissions(at, fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(at.join("root")).unwrap();
    let log = UnixDatagram::bind(at.join("root/log")).unwrap();
    log.set_read_timeout(Some(LIMIT)).unwrap();
    fs::set_permissions(at.join("root/log"), fs::Permissions::from_mode(0o777)).unwrap();
    let mut address = own_address();
    address.set_port(672);
    let to = server.local_addr().unwrap();
    let here = at.display();
    let text = format!(
        "global\n user nobody\n group nogroup\n chroot {here}/root\n log /log local0\n pidfile {here}/pid\n stats socket {here}/stats mode 600 level admin\n\
         listen lb\n bind {address}\n log global\n option tcplog\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n server s1 {to}\n"
    );
    let file = at.join("proxy.cfg");
    fs::write(&file, text).unwrap();
    let mut process = start(program, &file, &[]);
    wait_until_it_listens(address);
    let session = || {
        let mut client = patient(TcpStream::connect(address).unwrap());
        let (server, _) = server.accept().unwrap();
        client.write_all(b"ping").unwrap();
        patient(server).read_exact(&mut [0; 4]).unwrap();
    };
    session();
    let mut line = [0; 1024];
    let count = log.recv(&mut line).unwrap();
    let line = String::from_utf8_lossy(&line[..count]).into_owned();
    assert!(proxy::log::SessionLog::parse(&line).is_ok(), "{program:?}: {line}");
    let pid = process.id();
    assert_eq!((status(pid, "Uid:"), status(pid, "Gid:")), (vec![65534; 4], vec![65534; 4]), "{program:?}");
    assert!(!status(pid, "Groups:").contains(&0), "{program:?}");
    assert_eq!(fs::read_link(format!("/proc/{pid}/root")).unwrap(), at.join("root"), "{program:?}");
    let mut operator = UnixStream::connect(at.join("stats")).unwrap();
    operator.write_all(b"show sess all\n").unwrap();
    let mut answer = String::new();
    operator.read_to_string(&mut answer).unwrap();
    session();
    let _ = process.kill();
    let _ = process.wait();
}

#[test]
fn another_user_in_an_empty_root_folder_has_its_port_its_log_and_its_stats_socket() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("it takes root to become somebody else: run this test as root");
        return;
    }
    for program in BOTH {
        gives_up_everything_and_works(program);
    }
}
