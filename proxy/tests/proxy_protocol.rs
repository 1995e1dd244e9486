//! The PROXY protocol: relay takes and refuses the headers that HAProxy takes and refuses, and writes the same.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod beside;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use beside::{BOTH, End, Proxy, connect_from, end_of, listen, patient};

const A_WHILE: Duration = Duration::from_millis(300);

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// First bytes of clients, and what they are.
fn greetings() -> Vec<(&'static str, Vec<u8>)> {
    let two = |rest: &[u8]| [SIGNATURE, rest].concat();
    let v4 = [192, 0, 2, 1, 198, 51, 100, 1, 0x30, 0x39, 0x16, 0x28];
    let mut v6 = [[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]; 2].concat();
    v6.extend([0x30, 0x39, 0x16, 0x28]);
    let extended = |extension: &[u8]| {
        let length = (12 + extension.len()) as u16;
        two(&[&[0x21, 0x11][..], &length.to_be_bytes(), &v4, extension].concat())
    };
    vec![
        ("a line of IPv4", b"PROXY TCP4 192.0.2.1 198.51.100.1 12345 5672\r\n".to_vec()),
        ("a line of IPv6", b"PROXY TCP6 2001:db8::1 2001:db8::2 12345 5672\r\n".to_vec()),
        ("a line of nobody", b"PROXY UNKNOWN\r\n".to_vec()),
        ("a binary header of IPv4", two(&[&[0x21, 0x11, 0, 12][..], &v4].concat())),
        ("a binary header of IPv6", two(&[&[0x21, 0x21, 0, 36][..], &v6].concat())),
        ("a binary header of nobody", two(&[0x20, 0, 0, 0])),
        ("a binary header of nobody with addresses", two(&[&[0x20, 0x11, 0, 12][..], &v4].concat())),
        ("a binary header of no family", two(&[0x21, 0, 0, 0])),
        ("a binary header of UDP", two(&[&[0x21, 0x12, 0, 12][..], &v4].concat())),
        ("an extension that nobody knows", extended(&[0xe0, 0, 2, 1, 2])),
        ("an extension that is cut", extended(&[0xe0, 0, 2, 1])),
        ("an extension without its length", extended(&[0xe0, 0])),
        ("a checksum that is wrong", extended(&[3, 0, 4, 1, 2, 3, 4])),
        ("a checksum of two bytes", extended(&[3, 0, 2, 1, 2])),
        ("half a line", b"PROXY TCP4 192.0.2.1 198.51".to_vec()),
        ("a line without its end", b"PROXY TCP4 192.0.2.1 198.51.100.1 12345 5672\r".to_vec()),
        ("a line with a word for a port", b"PROXY TCP4 192.0.2.1 198.51.100.1 12345 amqp\r\n".to_vec()),
        ("a line with a name for an address", b"PROXY TCP4 192.0.2.1 broker 12345 5672\r\n".to_vec()),
        ("a line of the wrong family", b"PROXY TCP6 192.0.2.1 198.51.100.1 12345 5672\r\n".to_vec()),
        ("a line of UDP", b"PROXY UDP4 192.0.2.1 198.51.100.1 12345 5672\r\n".to_vec()),
        ("three bytes", b"PRO".to_vec()),
        ("ten bytes of something else", b"GET / HTTP".to_vec()),
        ("something else", b"GET / HTTP/1.0\r\n\r\n".to_vec()),
        ("another version", two(&[&[0x31, 0x11, 0, 12][..], &v4].concat())),
        ("another command", two(&[&[0x22, 0x11, 0, 12][..], &v4].concat())),
        ("addresses that are cut", two(&[0x21, 0x11, 0, 4, 192, 0, 2, 1])),
        ("half a binary header", two(&[0x21, 0x11, 0, 12, 192, 0])),
        ("nothing", Vec::new()),
    ]
}

/// What is logged about a client that says this first and something behind it, and how its connection ends.
fn treated(proxy: &Proxy, greeting: &[u8]) -> (String, End) {
    let mut client = patient(TcpStream::connect(proxy.address).unwrap());
    let port = client.local_addr().unwrap().port();
    if !greeting.is_empty() {
        client.write_all(greeting).unwrap();
    }
    let end = match end_of(&mut client, A_WHILE) {
        // More is waited for: that none comes is told only now, as a FIN could also meet a server's connection in the making.
        End::Open => {
            let _ = client.shutdown(std::net::Shutdown::Write);
            end_of(&mut client, A_WHILE)
        }
        ended => ended,
    };
    drop(client);
    (without_dates(&proxy.line().replace(&format!(":{port}"), ":CLIENT")), end)
}

/// `[26/Nov/2026:10:00:00.000]`, by anything.
fn without_dates(line: &str) -> String {
    match (line.find('['), line.find(']')) {
        (Some(from), Some(to)) => format!("{}[…]{}", &line[..from], &line[to + 1..]),
        _ => line.to_owned(),
    }
}

fn asserted_alike(more: &str) {
    let configuration = listen("", &format!(" log-format '%ci:%cp %b/%s %B %ts %ac/%fc/%bc/%sc'\n{more}"))
        .replace("bind {bind}", "bind {bind} accept-proxy");
    let proxies = BOTH.map(|program| Proxy::start(program, &configuration));
    for proxy in &proxies {
        // Whoever gets as far is ended at once.
        let server = proxy.server.try_clone().unwrap();
        std::thread::spawn(move || server.incoming().for_each(drop));
    }
    for (what, greeting) in greetings() {
        let [haproxy, relay] = proxies.each_ref().map(|proxy| treated(proxy, &greeting));
        assert_eq!(relay, haproxy, "{what} ({}): relay's is on the left", greeting.escape_ascii());
    }
}

#[test]
fn headers_are_taken_and_refused_and_logged_as_by_haproxy() {
    asserted_alike("");
}

#[test]
fn refused_headers_are_logged_by_their_own_format_as_by_haproxy() {
    asserted_alike(" error-log-format '%ci:%cp %f %b/%s %Tw/%Tc %B %U %ts %ac/%fc/%bc/%sc/%rc %rt %lc'");
}

#[test]
fn a_client_that_says_nothing_is_ended_by_its_timer_as_by_haproxy() {
    for options in ["", " option dontlognull", " option log-separate-errors", " error-log-format '%ts %Th/%Tw/%Tc'"] {
        let configuration = listen("", &format!(" option tcplog\n timeout client 300ms\n{options}"))
            .replace("bind {bind}", "bind {bind} accept-proxy name in")
            .replace("format raw", "format priority");
        let [haproxy, relay] = BOTH.map(|program| {
            let proxy = Proxy::start(program, &configuration);
            let began = std::time::Instant::now();
            let mut client = patient(TcpStream::connect(proxy.address).unwrap());
            let port = client.local_addr().unwrap().port();
            let end = end_of(&mut client, Duration::from_secs(5));
            let after = began.elapsed();
            assert!((250..800).contains(&after.as_millis()), "{program:?}: {after:?}");
            proxy.log.set_read_timeout(Some(A_WHILE)).unwrap();
            let mut buffer = [0; 4096];
            let line = proxy.log.recv(&mut buffer).map(|count| String::from_utf8_lossy(&buffer[..count]).into_owned());
            (end, line.ok().map(|line| without_dates(line.trim_end()).replace(&port.to_string(), "CLIENT")))
        });
        assert_eq!(relay, haproxy, "{options}: relay's is on the left");
    }
}

#[test]
fn only_those_whom_a_rule_names_must_say_for_whom_they_speak() {
    let more = " log-format '%ci %fi:%fp'\n tcp-request connection expect-proxy layer4 if { src 127.9.0.1 }\n \
                tcp-request session reject if { src 192.0.2.66 }";
    for program in BOTH {
        let proxy = Proxy::start(program, &listen("", more));
        let mut speaks = connect_from([127, 9, 0, 1].into(), proxy.address).unwrap();
        speaks.write_all(b"PROXY TCP4 192.0.2.1 198.51.100.1 12345 5672\r\nhello").unwrap();
        let (mut server, _) = proxy.server.accept().unwrap();
        let mut hello = [0; 5];
        server.read_exact(&mut hello).unwrap();
        assert_eq!((&hello, proxy.line().as_str()), (b"hello", "192.0.2.1 198.51.100.1:5672"), "{program:?}");
        let _plain = connect_from([127, 9, 0, 2].into(), proxy.address).unwrap();
        assert_eq!(proxy.line(), format!("127.9.0.2 {}", proxy.address), "{program:?}");
        let mut unwanted = connect_from([127, 9, 0, 1].into(), proxy.address).unwrap();
        unwanted.write_all(b"PROXY TCP4 192.0.2.66 198.51.100.1 12345 5672\r\n").unwrap();
        assert_eq!(end_of(&mut unwanted, A_WHILE), End::Fin(0), "{program:?}");
    }
}

/// What a server gets first, of a session and of a check.
fn first_bytes(settings: &str, proxied: bool) -> [(Vec<u8>, Vec<u8>); 2] {
    let configuration = listen("", "").replace("server s1 {server}", &format!("server s1 {{server}} {settings}"));
    let configuration =
        if proxied { configuration.replace("bind {bind}", "bind {bind} accept-proxy") } else { configuration };
    BOTH.map(|program| {
        let proxy = Proxy::start(program, &configuration);
        // A check that says nothing never gets as far as this.
        let checked = if settings.contains("check") { said_to(&proxy) } else { Vec::new() };
        let mut client = patient(TcpStream::connect(proxy.address).unwrap());
        if proxied {
            client.write_all(b"PROXY TCP6 2001:db8::1 2001:db8::2 12345 5672\r\n").unwrap();
        }
        client.write_all(b"hello").unwrap();
        beside::finish(&client);
        let session = loop {
            let said = said_to(&proxy);
            if said.ends_with(b"hello") {
                break said;
            }
        };
        let ports = [client.local_addr().unwrap().port()];
        (plain(&session, &proxy, &ports), plain(&checked, &proxy, &ports))
    })
}

fn said_to(proxy: &Proxy) -> Vec<u8> {
    let (mut stream, _) = proxy.server.accept().unwrap();
    stream.set_read_timeout(Some(beside::LIMIT)).unwrap();
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    said
}

/// Addresses and ports of one run, by their names.
fn plain(bytes: &[u8], proxy: &Proxy, ports: &[u16]) -> Vec<u8> {
    let mut text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let std::net::IpAddr::V4(ip) = proxy.address.ip() else { panic!("an IPv4 address") };
    let mut replace = |what: &[u8], name: &str| text = text.replace(&hex(what), &format!("[{name}]"));
    replace(&ip.octets(), "proxy");
    replace(ip.to_string().as_bytes(), "proxy");
    for port in ports {
        replace(format!(" {port} ").as_bytes(), "port");
        replace(&port.to_be_bytes(), "port");
    }
    replace(format!(" {}\r\n", proxy.server.local_addr().unwrap().port()).as_bytes(), "server");
    text.into_bytes()
}

#[test]
fn a_server_is_told_for_whom_a_session_speaks_as_by_haproxy() {
    for proxied in [false, true] {
        for settings in ["send-proxy", "send-proxy-v2", ""] {
            let [haproxy, relay] = first_bytes(settings, proxied);
            assert_eq!(relay, haproxy, "{settings} {proxied}: relay's is on the left");
            assert_eq!(settings.is_empty(), relay.0 == b"68656c6c6f", "{settings}");
        }
    }
}

#[test]
fn a_check_says_for_whom_it_speaks_as_haproxys() {
    for settings in
        ["send-proxy check inter 100ms", "send-proxy-v2 check inter 100ms", "check-send-proxy check inter 100ms"]
    {
        let [haproxy, relay] = first_bytes(settings, false).map(|(session, checked)| {
            // The check's own port is the kernel's choice.
            let checked = String::from_utf8(checked).unwrap();
            (
                session,
                checked
                    .split("20")
                    .map(|part| if part.starts_with('3') { "port" } else { part })
                    .collect::<Vec<_>>()
                    .join(" "),
            )
        });
        assert_eq!(relay, haproxy, "{settings}: relay's is on the left");
        assert!(!relay.1.is_empty());
    }
}
