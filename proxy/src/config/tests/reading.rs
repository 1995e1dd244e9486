//! What is in force for each proxy.

use super::*;

#[test]
fn the_published_configuration_gives_its_timers_options_and_servers() {
    let read = read(include_str!("../../../../scenarios/seed/haproxy-1.5.cfg"));
    let proxy = read.frontend("messagebroker_balancer").unwrap();
    assert_eq!(
        (proxy.timeouts.connect, proxy.timeouts.client, proxy.timeouts.server),
        (seconds(5), seconds(200), seconds(200))
    );
    assert_eq!((proxy.timeouts.tunnel, proxy.timeouts.client_fin), (None, None));
    assert_eq!(proxy.client_keepalive, Keepalive { on: true, ..Keepalive::default() });
    assert!(!proxy.server_keepalive.on);
    assert_eq!((proxy.mode, proxy.balance, proxy.retries), (Mode::Tcp, Balance::LeastConn, 3));
    assert!(proxy.redispatch && proxy.log_format.is_some() && proxy.log_global);
    assert_eq!(proxy.servers[1].name, "s2");
    assert_eq!(proxy.servers[1].address, ServerAddress { host: "172.19.19.80".to_owned(), port: Some(5672) });
    assert_eq!(proxy.servers[0].check, Some(Check { interval: Duration::from_secs(5), ..Check::default() }));
    assert_eq!(read.global.maxconn, Some(4096));
}

#[test]
fn the_published_configuration_gives_two_warnings() {
    let read = read(include_str!("../../../../scenarios/seed/haproxy-1.5.cfg"));
    let notes: Vec<(String, NoteKind)> = read.notes.iter().map(|note| (note.position.to_string(), note.kind)).collect();
    assert_eq!(
        notes,
        [("haproxy.cfg:7:5".to_owned(), NoteKind::Warning), ("haproxy.cfg:9:31".to_owned(), NoteKind::Warning)]
    );
    let address = BindAddress::Tcp { address: "172.19.19.91".parse().unwrap(), ports: 5672..=5672 };
    assert_eq!(read.proxies[0].binds[0].address, address);
}

#[test]
fn a_wrong_time_is_noted_where_it_stands() {
    let (proxy, notes) = listened(" timeout check 5min\n timeout queue\n timeout tunnel 5 min");
    assert_eq!(
        notes,
        [
            "haproxy.cfg:8:16: `5min`: the units of time are us, ms, s, m, h and d",
            "haproxy.cfg:9:2: `timeout queue` lacks its value: expected a time",
            "haproxy.cfg:10:19: `timeout tunnel` takes nothing behind this: `min` is too much",
        ]
    );
    assert_eq!(proxy.timeouts.tunnel, Some(Duration::from_millis(5)));
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
    let missing = "haproxy.cfg:9:15: no `defaults nowhere` stands before this section".to_owned();
    assert!(read.notes.iter().any(|note| note.to_string() == missing), "{:?}", read.notes);
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
    assert_eq!(read.notes.last().unwrap().to_string(), "user.cfg:1:1: `timeout` stands before any section");
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
    let holds = |source: &str| {
        let ends = Ends { source: source.parse().unwrap(), destination: None };
        frontend.use_backends[0].condition.as_ref().unwrap().holds(&frontend.acls, ends)
    };
    assert_eq!([holds("10.0.0.1:5"), holds("10.0.0.2:5")], [true, false]);
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
            &BindAddress::Unix("/run/lb.sock".into())
        ]
    );
    assert!(read.proxies[0].binds[1].transparent);
    assert!(read.notes.iter().any(|note| note.to_string().starts_with("haproxy.cfg:5:7: `nothing` is no address")));
}

#[test]
fn servers_start_from_the_default_server() {
    let read = read(
        "backend b\n default-server check inter 1s on-marked-down shutdown-sessions\n server s1 broker.example:5672 fall 5\n server s2 10.0.0.2 no-check backup\n",
    );
    let servers = &read.proxies[0].servers;
    let check = Check { interval: Duration::from_secs(1), fall: 5, ..Check::default() };
    assert_eq!((servers[0].check.clone(), servers[0].shutdown_sessions_when_down), (Some(check), true));
    assert_eq!((servers[0].address.ip(), servers[1].address.port), (None, None));
    assert_eq!((servers[1].check.clone(), servers[1].backup), (None, true));
}
