//! relay's stats socket answers as HAProxy's does: both run the same configuration and are asked the same.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod beside;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use beside::{LIMIT, Operated, Program, own_address, wait_until};

/// A program in front of a server that the test itself is.
struct Proxy {
    program: Operated,
    at: SocketAddr,
    server: TcpListener,
}

/// The proxy's sections: `lb`, with servers `s1` (the test), `s2` (in maintenance), `s3` (a backup); and `f` with `b`.
fn sections(at: SocketAddr, server: SocketAddr) -> String {
    format!(
        "listen lb\n bind {at}\n maxconn 100\n balance leastconn\n \
         server s1 {server} weight 10 maxconn 50\n server s2 127.0.0.1:2 disabled weight 20\n server s3 127.0.0.1:3 backup\n\
         frontend f\n bind {}:7001\n default_backend b\n\
         backend b\n id 30\n balance static-rr\n fullconn 7\n server x1 127.0.0.1:4\n server x2 127.0.0.1:5 id 9 maxqueue 3 minconn 2 maxconn 4 observe layer4\n",
        at.ip()
    )
}

impl Proxy {
    fn start(program: Program) -> Proxy {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = own_address();
        let program = Operated::start(program, &sections(at, server.local_addr().unwrap()));
        Proxy { program, at, server }
    }

    fn both() -> [Proxy; 2] {
        [Program::Relay, Program::Haproxy].map(Proxy::start)
    }

    fn ask(&self, line: &str) -> String {
        self.program.ask(line)
    }

    /// A session: its client, its server.
    fn session(&self) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(self.at).unwrap();
        let (server, _) = self.server.accept().unwrap();
        for stream in [&client, &server] {
            stream.set_read_timeout(Some(LIMIT)).unwrap();
        }
        (client, server)
    }

    /// `show stat`, by proxy and name, each field by its column.
    fn stat(&self) -> BTreeMap<(String, String), BTreeMap<String, String>> {
        let text = self.ask("show stat");
        let mut lines = text.lines().filter(|line| !line.is_empty());
        let columns: Vec<&str> = lines.next().unwrap().trim_start_matches("# ").split(',').collect();
        let row = |line: &str| -> BTreeMap<String, String> {
            columns
                .iter()
                .zip(line.split(','))
                .map(|(column, field)| ((*column).to_owned(), field.to_owned()))
                .collect()
        };
        lines.map(row).map(|row| ((row["pxname"].clone(), row["svname"].clone()), row)).collect()
    }
}

#[test]
fn orders_and_questions_about_servers_are_answered_as_by_haproxy() {
    let both = Proxy::both();
    for line in [
        "get weight lb/s1",
        "get weight lb",
        "get weight nowhere/s1",
        "get weight lb/s9",
        "set weight lb/s1 50%; get weight lb/s1",
        "set weight lb/s1 300%; get weight lb/s1",
        "set server lb/s1 weight 77; get weight lb/s1",
        "set weight lb/s1 257",
        "set weight lb/s1 -1",
        "set weight lb/s1 -1%",
        "set weight lb/s1 5x",
        "set weight lb/s1 x",
        "set weight lb/s1",
        "set weight b/x1 2",
        "set weight b/x1 0; get weight b/x1",
        "set weight b/x1 100%; get weight b/x1",
        "set server lb/s1 state",
        "set server lb/s1 state asleep",
        "set server lb/s1 state drain; show servers state lb",
        "set server lb/s1 state maint; show servers state lb",
        "set server lb/s1 state drain; show servers state lb",
        "set server lb/s1 state ready; show servers state lb",
        "disable server lb/s3; show servers state",
        "enable server lb/s3; show servers state b",
        "show servers state nowhere",
        "set maxconn server lb/s1",
        "set maxconn server lb/s1 x",
        "set maxconn server lb/s1 5x",
        "set maxconn server lb/s1 5",
        "set maxconn frontend",
        "set maxconn frontend nobody 5",
        "set maxconn frontend f",
        "set maxconn frontend f -1",
        "set maxconn frontend f 5",
        "set maxconn global",
        "set maxconn global 9999999999",
        "set maxconn global 50",
        "shutdown session",
        "shutdown session 0x1",
        "shutdown sessions server lb/s9",
        "show sess 0x1",
    ] {
        let [ours, theirs] = [&both[0], &both[1]].map(|proxy| {
            let port = proxy.server.local_addr().unwrap().port().to_string();
            proxy.ask(line).lines().map(|line| comparable(&line.replace(&port, "PORT"))).collect::<Vec<_>>()
        });
        assert_eq!(ours, theirs, "{line}");
    }
}

/// A line of `show servers state` without how many seconds ago something changed, and without the count of health checks: of a server
/// without any, HAProxy keeps 0 there behind the first maintenance, which means nothing.
fn comparable(line: &str) -> String {
    let fields: Vec<&str> = line.split(' ').collect();
    let fields = fields.iter().enumerate().filter(|(place, _)| fields.len() != 25 || ![9, 12].contains(place));
    fields.map(|(_, field)| *field).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_field_of_show_stat_that_is_told_is_haproxys() {
    let both = Proxy::both();
    let [ours, theirs] = [&both[0], &both[1]].map(|proxy| {
        let open = proxy.session();
        let (mut client, mut server) = proxy.session();
        client.write_all(&[0; 100]).unwrap();
        server.read_exact(&mut [0; 100]).unwrap();
        server.write_all(&[0; 200]).unwrap();
        client.read_exact(&mut [0; 200]).unwrap();
        drop((client, server));
        proxy.ask("set maxconn server lb/s1 49; set server lb/s1 weight 5; set server b/x1 state drain");
        wait_until("one session is over", || proxy.stat()[&("lb".into(), "FRONTEND".into())]["scur"] == "1");
        let stat = proxy.stat();
        drop(open);
        stat
    });
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    // When something was, and the server's port.
    let left_out = ["lastchg", "downtime", "addr"];
    let mut told = 0;
    for (row, fields) in &ours {
        for (column, field) in fields.iter().filter(|(column, _)| !left_out.contains(&column.as_str())) {
            if !field.is_empty() && !column.is_empty() {
                assert_eq!(*field, theirs[row][column], "{row:?} {column}");
                told += 1;
            }
        }
    }
    assert!(told > 100, "{told} fields are told");
}

#[test]
fn show_info_has_haproxys_names() {
    let both = Proxy::both();
    let names = |proxy: &Proxy| -> Vec<String> {
        let text = proxy.ask("show info");
        text.lines().filter_map(|line| Some(line.split_once(": ")?.0.to_owned())).collect()
    };
    let theirs = names(&both[1]);
    let strange: Vec<String> = names(&both[0]).into_iter().filter(|name| !theirs.contains(name)).collect();
    assert_eq!(strange, [""; 0]);
    let field = |name: &str| {
        let text = both[0].ask("show info");
        text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim_start_matches(": ").to_owned())).unwrap()
    };
    assert_eq!(field("Pid"), both[0].program.process.id().to_string());
    both[0].ask("set maxconn global 12");
    assert_eq!(field("Maxconn"), "12");
}

#[test]
fn sessions_are_listed_in_haproxys_form_and_one_of_them_can_be_ended() {
    for proxy in Proxy::both() {
        let (mut client, _server) = proxy.session();
        let (mut other, _other_server) = proxy.session();
        let list = proxy.ask("show sess");
        let source = format!(" src={} fe=lb be=lb srv=s1 ", client.local_addr().unwrap());
        let line = list.lines().find(|line| line.contains(&source)).unwrap_or_else(|| panic!("{source}: {list}"));
        let keys = |line: &str| -> Vec<String> {
            line.split([' ', ',']).filter_map(|part| Some(part.split_once('=')?.0.to_owned())).collect()
        };
        let wanted = "proto src fe be srv ts epoch age calls rate cpu lat rq[f i an rx wx ax rp[f i an rx wx ax scf fd scb fd exp rc c_exp";
        assert_eq!(keys(line).join(" "), wanted);
        let id = line.split_once(':').unwrap().0;
        assert!(proxy.ask(&format!("show sess {id}")).contains(&client.local_addr().unwrap().to_string()));
        proxy.ask(&format!("shutdown session {id}"));
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        other.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(other.read(&mut [0]).is_err(), "the other session ended too");
    }
}

#[test]
fn an_operator_who_asks_for_a_prompt_is_not_sent_away_until_he_quits() {
    for proxy in Proxy::both() {
        let mut stream = proxy.program.operator();
        let mut say = |line: &str, until: &str| {
            stream.write_all(line.as_bytes()).unwrap();
            let mut heard = String::new();
            while !heard.ends_with(until) || until.is_empty() {
                let mut bytes = [0; 1000];
                let count = stream.read(&mut bytes).unwrap();
                heard.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
                if count == 0 {
                    break;
                }
            }
            heard
        };
        assert_eq!(say("prompt\n", "\n> "), "\n> ");
        assert_eq!(say("get weight lb/s2\n", "\n> "), "20 (initial 20)\n\n> ");
        assert_eq!(say("quit\n", ""), "");
    }
}
