//! `log-format` and the options about what is logged when: relay's lines are HAProxy's.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod beside;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use beside::{BOTH, Program, Proxy, finish, listen, patient};

/// A variable, and in what its values are alike.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alike {
    /// They are the same.
    Same,
    /// Both are numbers, or both are -1.
    Number,
    /// Both have digits in the same places.
    Digits,
}

use Alike::{Digits, Number, Same};

const VARIABLES: &[(&str, Alike)] = &[
    ("%ci", Same),
    ("%cp", Same),
    ("%fi", Same),
    ("%fp", Same),
    ("%bi", Same),
    ("%bp", Same),
    ("%si", Same),
    ("%sp", Same),
    ("%f", Same),
    ("%ft", Same),
    ("%b", Same),
    ("%s", Same),
    ("%H", Same),
    ("%ID", Same),
    ("%ST", Same),
    ("%B", Same),
    ("%U", Same),
    ("%ts", Same),
    ("%tsc", Same),
    ("%ac/%fc/%bc/%sc/%rc", Same),
    ("%sq/%bq", Same),
    ("%rt", Same),
    ("%lc", Same),
    ("%sslc/%sslv", Same),
    ("a  %hr  b%hs %hrl%hsl", Same),
    ("100%%", Same),
    ("%t", Digits),
    ("%T", Digits),
    ("%Tl", Digits),
    ("%ms", Digits),
    ("%Ts", Number),
    ("%pid", Number),
    ("%Tc", Number),
    ("%Td", Number),
    ("%Th", Number),
    ("%Tt", Number),
    ("%Tu", Number),
    ("%Tw", Number),
    ("%{+X}ci:%{+X}cp", Number),
    ("%{+X}Ts", Digits),
    ("%{+Q}ci", Same),
    ("%{+Q}f", Same),
    ("%{+Q}ft", Same),
    ("%{+Q}cp", Same),
    ("%{+Q}sslv", Same),
    ("%{-M}sslv", Same),
    ("%{+E}b", Same),
    ("%{+Q,+E}s", Same),
    ("%{+Q}o%b%{-Q}f%s%{-Q}o", Same),
];

/// All variables in one line, which begins and ends with spaces.
fn format() -> String {
    let all: Vec<&str> = VARIABLES.iter().map(|(variable, _)| *variable).collect();
    format!("  |{}|  ", all.join("|"))
}

/// A line in which what may differ is written in the same way.
fn plain(line: &str, ports: &[(u16, &str)]) -> Vec<String> {
    assert!(line.starts_with('|'), "{line}");
    let parts: Vec<&str> = line.trim_start_matches('|').split('|').collect();
    assert_eq!(parts.len(), VARIABLES.len() + 1, "{line}");
    let each = parts.iter().zip(VARIABLES.iter().copied().chain([("the end", Same)]));
    each.map(|(value, (variable, alike))| {
        let value = match alike {
            // The addresses that the proxies listen on are their own.
            Same if variable == "%fi" && value.starts_with("127.") => "the proxy's".to_owned(),
            Same => ports.iter().fold((*value).to_owned(), |value, (port, name)| {
                if value == port.to_string() { (*name).to_owned() } else { value }
            }),
            Digits => value.replace(|c: char| c.is_ascii_digit() || ('A'..='F').contains(&c), "9"),
            Number if *value == "-1" => (*value).to_owned(),
            Number => value.split_inclusive(|c: char| !c.is_ascii_hexdigit()).map(number).collect(),
        };
        format!("{variable} {value}")
    })
    .collect()
}

/// Digits become one letter, whatever they are.
fn number(text: &str) -> String {
    let end = text.trim_start_matches(|c: char| c.is_ascii_hexdigit());
    if end.len() == text.len() { text.to_owned() } else { format!("N{end}") }
}

/// What each of the two logs about what is done to it.
fn logged(configuration: &str, play: impl Fn(&Proxy) -> Vec<String>) -> [Vec<String>; 2] {
    BOTH.map(|program| play(&Proxy::start(program, configuration)))
}

fn asserted_alike(configuration: &str, play: impl Fn(&Proxy) -> Vec<String>) -> Vec<String> {
    let [haproxy, relay] = logged(configuration, play);
    assert_eq!(relay, haproxy, "relay's are on the left");
    haproxy
}

/// A client that says something, an answer, and an end in order.
fn converse(proxy: &Proxy) -> Vec<(u16, &'static str)> {
    let (mut client, mut server) = proxy.session();
    client.write_all(b"hello").unwrap();
    server.read_exact(&mut [0; 5]).unwrap();
    server.write_all(b"goodbye").unwrap();
    client.read_exact(&mut [0; 7]).unwrap();
    let ports = vec![
        (client.local_addr().unwrap().port(), "the client's"),
        (server.peer_addr().unwrap().port(), "the proxy's"),
        (server.local_addr().unwrap().port(), "the server's"),
    ];
    finish(&client);
    assert_eq!(server.read(&mut [0]).unwrap(), 0);
    drop(server);
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    ports
}

#[test]
fn every_variable_of_a_session_that_ended_in_order_is_haproxys() {
    let configuration = listen("", &format!(" log-format '{}'", format()));
    asserted_alike(&configuration, |proxy| {
        let mut lines = Vec::new();
        for _ in 0..2 {
            let ports = converse(proxy);
            lines.extend(plain(&proxy.line(), &ports));
        }
        lines
    });
}

#[test]
fn every_variable_of_a_session_that_no_server_took_is_haproxys() {
    let more = format!(" log-format '{}'\n retries 0\n server s2 127.0.0.1:9 backup", format());
    let configuration = listen("", &more).replace("{server}", "127.0.0.1:9");
    asserted_alike(&configuration, |proxy| {
        let mut client = patient(TcpStream::connect(proxy.address).unwrap());
        let ports = [(client.local_addr().unwrap().port(), "the client's")];
        let _ = client.read(&mut [0]);
        drop(client);
        // The port is the kernel's choice, and nobody else has seen it.
        let line = plain(&proxy.line(), &ports);
        line.into_iter().filter(|field| !field.starts_with("%bp ")).collect()
    });
}

#[test]
fn every_variable_of_a_session_in_a_backend_without_servers_is_haproxys() {
    let configuration = format!(
        "global\n log {{folder}}/log len 4096 format raw local0\ndefaults\n log global\n timeout connect 1s\n timeout client 1m\n timeout server 1m\n\
         frontend f\n bind {{bind}}\n log-format '{}'\n default_backend b\nbackend b\n",
        format()
    );
    asserted_alike(&configuration, |proxy| {
        let client = TcpStream::connect(proxy.address).unwrap();
        let ports = [(client.local_addr().unwrap().port(), "the client's")];
        drop(client);
        plain(&proxy.line(), &ports)
    });
}

#[test]
fn a_line_that_tells_nothing_of_the_end_is_written_when_the_server_is_connected() {
    let configuration = listen("", " log-format '%ci %f %b/%s'");
    let lines = asserted_alike(&configuration, |proxy| {
        let (_client, _server) = proxy.session();
        vec![proxy.line()]
    });
    assert_eq!(lines, ["127.0.0.1 lb lb/s1"]);
}

#[test]
fn a_line_as_soon_as_possible_has_plus_signs_and_no_second_one_follows() {
    let configuration = listen("", " option logasap\n log-format '%Tc %Tt %Td %B %U %ts %ac/%fc/%bc/%sc/%rc'");
    asserted_alike(&configuration, |proxy| {
        let (client, server) = proxy.session();
        let first = proxy.line();
        drop((client, server));
        std::thread::sleep(Duration::from_millis(100));
        let (client, server) = proxy.session();
        let second = proxy.line();
        drop((client, server));
        [first, second].map(|line| line.split(' ').map(number_or_sign).collect()).to_vec()
    });
}

fn number_or_sign(part: &str) -> String {
    if part.contains('/') || part == "--" || part == "-1" {
        format!("{part} ")
    } else {
        part.replace(char::is_numeric, "") + "N "
    }
}

/// Both in the form `<priority>text`.
fn with_priority(more: &str) -> String {
    listen("", more).replace("format raw", "format priority")
}

/// Three sessions: in order, in order without a byte from the client, and one whose client breaks off.
fn three(proxy: &Proxy) -> Vec<String> {
    converse(proxy);
    let (client, server) = proxy.session();
    // Both proxies have seen by now that the server is there.
    std::thread::sleep(Duration::from_millis(100));
    drop(client);
    drop(server);
    std::thread::sleep(Duration::from_millis(100));
    let (mut client, mut server) = proxy.session();
    client.write_all(b"x").unwrap();
    server.read_exact(&mut [0]).unwrap();
    beside::reset(client);
    let _ = server.read(&mut [0]);
    drop(server);
    std::thread::sleep(Duration::from_millis(100));
    proxy.log.set_nonblocking(true).unwrap();
    let mut lines = Vec::new();
    let mut buffer = [0; 8192];
    while let Ok(count) = proxy.log.recv(&mut buffer) {
        lines.push(String::from_utf8_lossy(&buffer[..count]).trim_end().to_owned());
    }
    lines
}

#[test]
fn which_sessions_are_logged_and_how_important_each_is_are_haproxys() {
    for options in ["", " option dontlognull", " option dontlog-normal", " option log-separate-errors"] {
        let configuration = with_priority(&format!(" log-format '%U %ts'\n{options}"));
        asserted_alike(&configuration, three);
    }
}

#[test]
fn without_a_format_only_the_beginning_of_a_session_is_logged() {
    let lines = asserted_alike(&listen("", ""), |proxy| {
        let (client, _server) = proxy.session();
        let ports = [(client.local_addr().unwrap().port(), ":CLIENT "), (proxy.address.port(), ":PROXY ")];
        let line = proxy.line().replace(&proxy.address.ip().to_string(), "PROXY");
        vec![ports.iter().fold(line, |line, (port, name)| line.replace(&format!(":{port} "), name))]
    });
    assert_eq!(lines, ["Connect from 127.0.0.1:CLIENT to PROXY:PROXY (lb/TCP)"]);
}

#[test]
fn tcplog_is_its_own_format_and_one_field_more() {
    const TCPLOG: &str = "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq";
    let [short, long] = [format!(" log-format '{TCPLOG}'"), " option tcplog".to_owned()].map(|format| {
        let proxy = Proxy::start(Program::Relay, &listen("", &format));
        let (client, server) = proxy.session();
        drop(server);
        drop(client);
        proxy.line()
    });
    let words = |line: &str| line.split(' ').count();
    assert_eq!(words(&long), words(&short) + 1, "{long}\n{short}");
    assert!(long.ends_with("cause=server:fin"), "{long}");
}
