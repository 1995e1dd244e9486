//! relay's sockets are set as HAProxy's are with the same configuration: both run it, and their sockets are asked.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod beside;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};

use beside::{BOTH, LIMIT, Operated, Program, own_address, own_ip};
use nix::sys::socket::{GetSockOpt, getsockopt, sockopt};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

mod options {
    use nix::libc;

    nix::getsockopt_impl!(
        DeferAccept,
        libc::IPPROTO_TCP,
        libc::TCP_DEFER_ACCEPT,
        i32,
        nix::sys::socket::sockopt::GetStruct<i32>
    );
    nix::getsockopt_impl!(
        FastOpen,
        libc::IPPROTO_TCP,
        libc::TCP_FASTOPEN,
        i32,
        nix::sys::socket::sockopt::GetStruct<i32>
    );
    nix::getsockopt_impl!(
        MaxSegment,
        libc::IPPROTO_TCP,
        libc::TCP_MAXSEG,
        i32,
        nix::sys::socket::sockopt::GetStruct<i32>
    );
    nix::getsockopt_impl!(
        QuickAck,
        libc::IPPROTO_TCP,
        libc::TCP_QUICKACK,
        i32,
        nix::sys::socket::sockopt::GetStruct<i32>
    );

    #[derive(Clone, Copy)]
    pub struct DeferAccept;
    #[derive(Clone, Copy)]
    pub struct FastOpen;
    #[derive(Clone, Copy)]
    pub struct MaxSegment;
    #[derive(Clone, Copy)]
    pub struct QuickAck;
}

/// A port that nobody has on any address. It is below those that connections get, so that nobody gets it meanwhile either.
fn free_port() -> u16 {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id() + 100 * CALLS.fetch_add(1, Ordering::Relaxed);
    let mut ports = (0..20_000).map(|further| (10_000 + (first + further) % 20_000) as u16);
    ports.find(|port| TcpListener::bind((Ipv6Addr::UNSPECIFIED, *port)).is_ok()).unwrap()
}

/// Copies of a program's TCP sockets.
fn sockets(program: &Operated) -> Vec<OwnedFd> {
    let process = pidfd_open(Pid::from_child(&program.process), PidfdFlags::empty()).unwrap();
    let entries = std::fs::read_dir(format!("/proc/{}/fd", program.process.id())).unwrap();
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let copies = numbers.filter_map(|number| pidfd_getfd(&process, number, PidfdGetfdFlags::empty()).ok());
    copies.filter(|socket| getsockopt(socket, options::MaxSegment).is_ok()).collect()
}

/// Those that listen, by their ports.
fn listening(program: &Operated) -> Vec<OwnedFd> {
    let mut sockets = sockets(program);
    sockets.retain(|socket| getsockopt(socket, sockopt::AcceptConn) == Ok(true));
    sockets.sort_by_key(|socket| address(socket).port());
    sockets
}

fn address(socket: &OwnedFd) -> SocketAddr {
    SocketAddr::try_from(rustix::net::getsockname(socket).unwrap()).unwrap()
}

fn told<O: GetSockOpt>(socket: &OwnedFd, option: O) -> String
where
    O::Val: std::fmt::Debug,
{
    format!("{:?}", getsockopt(socket, option))
}

/// What is set on a listening socket.
fn set(socket: &OwnedFd) -> Vec<(&'static str, String)> {
    vec![
        ("SO_REUSEADDR", told(socket, sockopt::ReuseAddr)),
        ("SO_REUSEPORT", told(socket, sockopt::ReusePort)),
        ("SO_LINGER", told(socket, sockopt::Linger)),
        ("SO_BINDTODEVICE", told(socket, sockopt::BindToDevice)),
        ("IP_TRANSPARENT", told(socket, sockopt::IpTransparent)),
        ("IP_FREEBIND", told(socket, sockopt::IpFreebind)),
        ("IPV6_V6ONLY", told(socket, sockopt::Ipv6V6Only)),
        ("TCP_MAXSEG", told(socket, options::MaxSegment)),
        ("TCP_USER_TIMEOUT", told(socket, sockopt::TcpUserTimeout)),
        ("TCP_DEFER_ACCEPT", told(socket, options::DeferAccept)),
        ("TCP_FASTOPEN", told(socket, options::FastOpen)),
        ("TCP_QUICKACK", told(socket, options::QuickAck)),
    ]
}

#[test]
fn what_a_bind_line_says_is_set_on_its_socket_as_haproxy_sets_it() {
    let lines: [(&str, &str); 12] = [
        ("", ""),
        ("backlog 7 tfo", ""),
        ("maxconn 9 tfo", ""),
        ("tfo", "backlog 11"),
        ("mss 1000", ""),
        ("tcp-ut 5s", ""),
        ("interface lo", ""),
        ("defer-accept", ""),
        ("transparent", ""),
        ("", "option nolinger"),
        ("", "option tcp-smart-accept"),
        ("mss 900 tcp-ut 1500 defer-accept tfo", "option nolinger"),
    ];
    let [theirs, ours] = BOTH.map(|program| {
        let at = own_ip();
        let section = |(number, (setting, line)): (usize, &(&str, &str))| {
            format!("listen p{number}\n bind {at}:{} {setting}\n {line}\n server s1 127.0.0.1:1\n", 7000 + number)
        };
        let sections: String = lines.iter().enumerate().map(section).collect();
        let proxy = Operated::start(program, &sections);
        listening(&proxy).iter().map(set).collect::<Vec<_>>()
    });
    for ((line, ours), theirs) in lines.iter().zip(ours).zip(theirs) {
        assert_eq!(ours, theirs, "relay and HAProxy with {line:?}");
    }
}

#[test]
fn whether_an_ipv6_wildcard_takes_ipv4_clients_follows_the_bind_line_as_with_haproxy() {
    for (setting, takes) in [("", true), ("v4v6", true), ("v6only", false), ("v6only v4v6", false)] {
        for program in BOTH {
            let port = free_port();
            let section = format!("listen p\n bind :::{port} {setting}\n server s1 127.0.0.1:1\n");
            let _proxy = Operated::start(program, &section);
            let taken = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
            assert_eq!(taken, takes, "{program:?} with `{setting}`");
        }
    }
}

#[test]
fn clients_and_servers_may_have_ipv6_addresses() {
    let server = TcpListener::bind("[::1]:0").unwrap();
    let port = free_port();
    let at = server.local_addr().unwrap();
    let _proxy =
        Operated::start(Program::Relay, &format!("listen p\n bind [::1]:{port}\n server s1 {at} source [::1]\n"));
    let mut client = TcpStream::connect(("::1", port)).unwrap();
    let (mut upstream, from) = server.accept().unwrap();
    client.write_all(b"hello").unwrap();
    let mut bytes = [0; 5];
    upstream.read_exact(&mut bytes).unwrap();
    assert_eq!((&bytes, from.ip().to_string().as_str()), (b"hello", "::1"));
}

/// Where the connections of some sessions come from, and what is set on them.
fn outgoing(program: Program, line: &str, setting: &str, sessions: usize) -> Vec<(SocketAddr, String)> {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = own_address();
    let upstream = server.local_addr().unwrap();
    let proxy = Operated::start(program, &format!("listen p\n bind {at}\n {line}\n server s1 {upstream} {setting}\n"));
    let sessions: Vec<_> = (0..sessions).map(|_| (TcpStream::connect(at).unwrap(), server.accept().unwrap())).collect();
    let sockets = sockets(&proxy);
    let limit = |from: SocketAddr| {
        let socket = sockets.iter().find(|socket| address(socket) == from).unwrap();
        told(socket, sockopt::TcpUserTimeout)
    };
    sessions.iter().map(|(_, (_, from))| (*from, limit(*from))).collect()
}

#[test]
fn connections_to_a_server_come_from_the_ports_of_its_source_as_haproxys() {
    for program in BOTH {
        let ports = 41_000 + u16::from(own_ip().octets()[3]) * 8;
        let setting = format!("source 127.0.0.9:{ports}-{} interface lo", ports + 2);
        let from = outgoing(program, "source 127.0.0.8", &setting, 3);
        let wanted: Vec<SocketAddr> = (ports..=ports + 2).map(|port| ([127, 0, 0, 9], port).into()).collect();
        assert_eq!(from.iter().map(|(from, _)| *from).collect::<Vec<_>>(), wanted, "{program:?}");
    }
}

#[test]
fn a_server_without_a_source_has_its_backends() {
    for program in BOTH {
        let from = outgoing(program, "source 127.0.0.8", "", 1);
        assert_eq!(from[0].0.ip(), Ipv4Addr::new(127, 0, 0, 8), "{program:?}");
    }
}

#[test]
fn tcp_ut_of_a_server_is_set_on_the_connections_to_it_as_by_haproxy() {
    let [theirs, ours] = BOTH.map(|program| outgoing(program, "", "tcp-ut 7s", 1)[0].1.clone());
    assert_eq!((ours.as_str(), theirs.as_str()), ("Ok(7000)", "Ok(7000)"));
    let [theirs, ours] = BOTH.map(|program| outgoing(program, "default-server tcp-ut 7s", "", 1)[0].1.clone());
    assert_eq!((ours.as_str(), theirs.as_str()), ("Ok(0)", "Ok(0)"), "on default-server");
}

#[test]
fn a_full_listener_makes_its_clients_wait_and_no_others() {
    for program in BOTH {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = own_ip();
        let upstream = server.local_addr().unwrap();
        let section = format!("listen p\n bind {at}:7000 maxconn 1\n bind {at}:7001\n server s1 {upstream}\n");
        let _proxy = Operated::start(program, &section);
        let connect = |port: u16| TcpStream::connect((at, port)).unwrap();
        let first = connect(7000);
        let (first_upstream, _) = server.accept().unwrap();
        let mut waiting = connect(7000);
        waiting.write_all(b"1").unwrap();
        let mut other = connect(7001);
        other.write_all(b"2").unwrap();
        let asked = |(mut upstream, _): (TcpStream, SocketAddr)| {
            let mut byte = [0];
            upstream.set_read_timeout(Some(LIMIT)).unwrap();
            upstream.read_exact(&mut byte).unwrap();
            (byte, upstream)
        };
        let (byte, _upstream) = asked(server.accept().unwrap());
        assert_eq!(&byte, b"2", "{program:?}");
        drop((first, first_upstream));
        let (byte, _upstream) = asked(server.accept().unwrap());
        assert_eq!(&byte, b"1", "{program:?}");
    }
}

#[test]
fn haproxy_too_sends_no_bytes_with_a_syn_to_a_server_with_tfo() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = own_address();
    let upstream = server.local_addr().unwrap();
    let section = format!("listen p\n bind {at}\n retries 0\n server s1 {upstream} maxconn 1 tfo\n");
    let proxy = Operated::start(Program::Haproxy, &section);
    let first = TcpStream::connect(at).unwrap();
    let first_upstream = server.accept().unwrap();
    let mut second = TcpStream::connect(at).unwrap();
    second.write_all(b"these bytes wait until there is a place").unwrap();
    beside::wait_until("the second session waits", || proxy.ask("show stat p 2 -1").contains("BACKEND,1,"));
    drop((first, first_upstream));
    let (_upstream, from) = server.accept().unwrap();
    let sockets = sockets(&proxy);
    let socket = sockets.iter().find(|socket| address(socket) == from).unwrap();
    assert_eq!(getsockopt(socket, sockopt::TcpFastOpenConnect), Ok(false));
}
