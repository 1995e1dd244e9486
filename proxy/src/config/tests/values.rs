//! What comes of the values of lines.

use super::*;

/// The target of one `log` line of `global`, or what is said about it.
fn log(line: &str) -> Result<LogTarget, Vec<String>> {
    let (mut global, notes) = global(&format!(" log {line}"));
    if notes.is_empty() { Ok(global.logs.remove(0)) } else { Err(notes) }
}

fn udp(host: &str, port: u16) -> LogAddress {
    LogAddress::Udp { host: host.to_owned(), port }
}

#[test]
fn a_log_goes_to_a_port_a_socket_or_a_descriptor() {
    let addresses = [
        ("127.0.0.1", udp("127.0.0.1", 514)),
        ("127.0.0.1:5140", udp("127.0.0.1", 5140)),
        ("syslog.example:5140", udp("syslog.example", 5140)),
        ("udp@10.0.0.1", udp("10.0.0.1", 514)),
        ("[::1]", udp("::1", 514)),
        ("[::1]:5140", udp("::1", 5140)),
        ("::1:", udp("::1", 514)),
        ("/dev/log", LogAddress::Unix("/dev/log".into())),
        ("unix@/dev/log", LogAddress::Unix("/dev/log".into())),
        ("stdout", LogAddress::Descriptor(1)),
        ("stderr", LogAddress::Descriptor(2)),
        ("fd@7", LogAddress::Descriptor(7)),
    ];
    for (text, address) in addresses {
        assert_eq!(log(&format!("{text} local0")).map(|target| target.address), Ok(address), "{text}");
    }
}

#[test]
fn a_log_that_cannot_be_sent_is_refused_at_its_address() {
    for text in ["tcp@10.0.0.1", "ring@events", "fd@x", "fd@-1", "10.0.0.1:x", ":514"] {
        let notes = log(&format!("{text} local0")).unwrap_err();
        assert!(notes[0].starts_with(&format!("haproxy.cfg:2:6: `{text}`")), "{notes:?}");
    }
}

#[test]
fn a_log_has_its_documented_settings_or_those_it_is_given() {
    let plain = log("stdout local3").unwrap();
    assert_eq!((plain.length, plain.format, plain.facility.number()), (1024, LogFormat::Local, 19));
    assert_eq!((plain.level, plain.min_level), (Severity::Debug, Severity::Emergency));
    let full = log("stdout len 8192 format rfc3164 daemon notice err").unwrap();
    assert_eq!((full.length, full.format, full.facility.number()), (8192, LogFormat::Rfc3164, 3));
    assert_eq!((full.level, full.min_level), (Severity::Notice, Severity::Error));
}

#[test]
fn the_process_is_described_with_the_places_of_its_user_and_group() {
    let (global, notes) = global(
        " user haproxy\n gid 7\n chroot /var/empty\n pidfile /run/lb.pid\n daemon\n ulimit-n 99\n description a \"load balancer\"\n node lb1\n hard-stop-after 30s",
    );
    assert_eq!(notes, [""; 0]);
    let user = global.user.unwrap();
    assert_eq!((user.who, user.position.to_string()), (Who::Name("haproxy".to_owned()), "haproxy.cfg:2:7".to_owned()));
    assert_eq!(global.group.map(|group| group.who), Some(Who::Number(7)));
    assert_eq!((global.chroot, global.pidfile), (Some("/var/empty".into()), Some("/run/lb.pid".into())));
    assert_eq!((global.daemon, global.ulimit_n, global.hard_stop_after), (true, Some(99), seconds(30)));
    assert_eq!((global.description.as_deref(), global.node.as_deref()), (Some("a load balancer"), Some("lb1")));
}

#[test]
fn a_socket_for_operators_has_its_path_its_rights_and_its_level() {
    let (global, notes) =
        global(" stats socket /run/lb.sock mode 660 level admin group adm\n stats timeout 5m\n stats maxconn 3");
    assert_eq!(notes, [""; 0]);
    let socket = &global.stats.sockets[0];
    assert_eq!(socket.address, BindAddress::Unix("/run/lb.sock".into()));
    assert_eq!((socket.mode, socket.level), (Some(0o660), StatsLevel::Admin));
    assert_eq!(socket.group.as_ref().map(|group| &group.who), Some(&Who::Name("adm".to_owned())));
    assert_eq!((global.stats.timeout, global.stats.maxconn), (seconds(300), Some(3)));
}

#[test]
fn a_socket_for_operators_is_in_the_file_system() {
    let (_, notes) = global(" stats socket 127.0.0.1:9999");
    assert_eq!(notes, ["haproxy.cfg:2:15: `127.0.0.1:9999` is not implemented: operators come by the file system"]);
}

#[test]
fn each_way_to_balance_is_one_of_these() {
    let ways = [
        ("balance", Balance::RoundRobin),
        ("balance roundrobin", Balance::RoundRobin),
        ("balance static-rr", Balance::StaticRoundRobin),
        ("balance leastconn", Balance::LeastConn),
        ("balance first", Balance::First),
        ("balance source", Balance::Source),
        ("balance random", Balance::Random { draws: 2 }),
        ("balance random()", Balance::Random { draws: 2 }),
        ("balance random(5)", Balance::Random { draws: 5 }),
    ];
    for (line, balance) in ways {
        let (proxy, notes) = listened(line);
        assert_eq!((proxy.balance, notes), (balance, vec![]), "{line}");
    }
    for line in ["balance random(0)", "balance random(x)", "balance random(2", "balance uri", "balance hash src"] {
        assert_eq!(listened(line).1.len(), 1, "{line}");
    }
}

#[test]
fn a_hash_on_a_ring_is_mixed_once_more_unless_its_function_is_named() {
    let hash = |line: &str| listened(line).0.hash_type;
    let consistent = HashType { method: HashMethod::Consistent, function: HashFunction::Sdbm, avalanche: true };
    assert_eq!(hash("hash-type consistent"), consistent);
    assert_eq!(hash("hash-type consistent sdbm"), HashType { avalanche: false, ..consistent });
    assert_eq!(hash("hash-type map-based"), HashType::default());
}

#[test]
fn an_option_can_be_turned_off_and_put_back() {
    let on = |line: &str| listened(&format!("option redispatch\noption clitcpka\n{line}")).0;
    assert!(on("").redispatch && on("").client_keepalive.on);
    assert!(!on("no option redispatch").redispatch && !on("default option clitcpka").client_keepalive.on);
}

#[test]
fn to_turn_off_what_is_not_implemented_is_fine() {
    assert_eq!(listened("no option nolinger\nno option http-keep-alive\nno option splice-auto").1, [""; 0]);
}

#[test]
fn what_cannot_be_turned_off_is_refused() {
    for line in ["no option tcpka", "no timeout client", "default maxconn", "no daemon"] {
        let notes = listened(line).1;
        assert_eq!(notes.len(), 1, "{line}: {notes:?}");
    }
}

#[test]
fn a_server_without_a_port_of_its_own_is_refused() {
    for address in ["10.0.0.2", "10.0.0.2:", "10.0.0.2:+1", "10.0.0.2:-1", "[::1]"] {
        let (proxy, notes) = listened(&format!(" server s2 {address}"));
        assert_eq!(notes, [format!("haproxy.cfg:8:12: `{address}` is not implemented: write the server's own port")]);
        assert_eq!(proxy.servers[1].address.port, None);
    }
}

#[test]
fn a_server_that_is_not_reached_by_tcp_is_refused() {
    for address in ["/run/broker.sock", "unix@/run/broker.sock", "abns@broker"] {
        let (_, notes) = listened(&format!(" server s2 {address}"));
        assert_eq!(notes, [format!("haproxy.cfg:8:12: `{address}` is not implemented: servers are reached by TCP")]);
    }
}

#[test]
fn a_check_can_go_to_another_address_and_port() {
    let (proxy, notes) = listened(" server s2 10.0.0.2:5672 check addr 10.0.0.3 port 80 rise 1 fall 9");
    let check = proxy.servers[1].check.clone().unwrap();
    assert_eq!(
        (check.address, check.port),
        (Some(ServerAddress { host: "10.0.0.3".to_owned(), port: None }), Some(80))
    );
    assert_eq!((check.rise, check.fall, notes.len()), (1, 9, 0));
}

#[test]
fn the_settings_of_a_bind_line_hold_for_all_of_its_addresses() {
    let (proxy, _) = listened(" bind 10.0.0.1:80,10.0.0.2:80 name in tcp-ut 30s v6only mss 1200");
    for bind in &proxy.binds[1..] {
        assert_eq!((bind.name.as_deref(), bind.user_timeout), (Some("in"), seconds(30)));
        assert_eq!((bind.ipv6_only, bind.mss), (Some(true), Some(1200)));
    }
    assert_eq!(proxy.binds.len(), 3);
}

#[test]
fn where_connections_come_from_is_read_with_ports_and_interface() {
    let (proxy, notes) = listened(" server s2 10.0.0.2:80 source 10.0.0.9:1024-2048 interface eth0");
    let source = proxy.servers[1].source.clone().unwrap();
    assert_eq!((source.address.to_string(), source.ports), ("10.0.0.9".to_owned(), Some(1024..=2048)));
    assert_eq!((source.interface.as_deref(), notes.len()), (Some("eth0"), 0));
}

#[test]
fn tcp_ut_is_forgotten_for_a_server_that_is_written_with_its_name_and_said_to_be() {
    let (proxy, notes) = listened(" server s2 10.0.0.2:80 tcp-ut 5s\n server s3 there:80 tcp-ut 5s");
    assert_eq!([proxy.servers[1].user_timeout, proxy.servers[2].user_timeout], [seconds(5), None]);
    assert!(notes[0].contains("HAProxy 2.6 forgets it"), "{notes:?}");
}

#[test]
fn httplog_in_tcp_mode_is_tcplog_as_haproxy_has_it() {
    let (proxy, notes) = listened(" option httplog clf");
    assert_eq!(proxy.log_format, Some(SessionFormat::tcplog()));
    assert_eq!(notes, ["haproxy.cfg:8:2: `option httplog` is for HTTP mode; it is taken for `option tcplog`"]);
}
