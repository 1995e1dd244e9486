//! relay sends sessions to the same servers as HAProxy does: both get the same clients in the same order, and the test is all servers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod beside;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use beside::{BOTH, Operated, Program, own_address, wait_until};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

/// A session: its client, its server's end once it has one.
struct Session {
    client: TcpStream,
    upstream: Option<TcpStream>,
}

/// A proxy and its servers.
struct Field {
    program: Operated,
    at: SocketAddr,
    servers: Vec<TcpListener>,
    sessions: Vec<Session>,
    /// What happened, in words.
    story: Vec<String>,
}

impl Field {
    /// With these lines of the proxy, and these settings of its servers, one each.
    fn new(program: Program, lines: &str, servers: &[&str]) -> Field {
        let listeners: Vec<TcpListener> = servers.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let at = own_address();
        let mut section = format!("listen lb\n bind {at}\n timeout queue 1m\n {lines}\n");
        for (number, (listener, setting)) in listeners.iter().zip(servers).enumerate() {
            listener.set_nonblocking(true).unwrap();
            section += &format!(" server s{number} {} {setting}\n", listener.local_addr().unwrap());
        }
        Field {
            program: Operated::start(program, &section),
            at,
            servers: listeners,
            sessions: Vec::new(),
            story: Vec::new(),
        }
    }

    /// A column of a row of `show stat`.
    fn stat(&self, row: &str, column: usize) -> String {
        let text = self.program.ask("show stat lb -1 -1");
        let line = text.lines().find(|line| line.starts_with(&format!("lb,{row},"))).unwrap();
        line.split(',').nth(column).unwrap().to_owned()
    }

    /// Waits until so many sessions are there, and all of them are at a server or in a queue.
    fn settle(&mut self) {
        wait_until("the proxy has these sessions", || {
            self.turn_away();
            self.stat("BACKEND", 4) == self.sessions.len().to_string()
        });
        let queued = |field: &Field| -> usize {
            let rows = (0..field.servers.len()).map(|number| format!("s{number}")).chain(["BACKEND".to_owned()]);
            rows.map(|row| field.stat(&row, 2).parse::<usize>().unwrap_or(0)).sum()
        };
        wait_until("everybody has a place or waits", || {
            self.accept();
            let placed = self.sessions.iter().filter(|session| session.upstream.is_some()).count();
            placed + queued(self) == self.sessions.len()
        });
    }

    /// Those for whom not even a queue had room.
    fn turn_away(&mut self) {
        let story = &mut self.story;
        self.sessions.retain(|session| {
            session.client.set_nonblocking(true).unwrap();
            let refused = session.upstream.is_none() && matches!(session.client.peek(&mut [0]), Ok(0));
            if refused {
                story.push(format!("{} is turned away", session.client.ttl().unwrap() - 1));
            }
            !refused
        });
    }

    /// Takes the connections that came to the servers; the session is known by the byte that its client sent.
    fn accept(&mut self) {
        for (number, listener) in self.servers.iter().enumerate() {
            while let Ok((mut upstream, _)) = listener.accept() {
                upstream.set_nonblocking(false).unwrap();
                upstream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                let mut name = [0; 4];
                std::io::Read::read_exact(&mut upstream, &mut name).unwrap();
                let name = u32::from_be_bytes(name) as usize;
                let session =
                    self.sessions.iter_mut().find(|session| session.client.ttl().unwrap() as usize == name + 1);
                if let Some(session) = session {
                    session.upstream = Some(upstream);
                    self.story.push(format!("{name} is at s{number}"));
                }
            }
        }
    }

    fn open(&mut self, name: u8, from: Ipv4Addr) {
        let fd = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&fd, &SocketAddr::from((from, 0))).unwrap();
        connect(&fd, &self.at).unwrap();
        let mut client = TcpStream::from(fd);
        // Its name, for this test alone.
        client.set_ttl(u32::from(name) + 1).unwrap();
        std::io::Write::write_all(&mut client, &u32::from(name).to_be_bytes()).unwrap();
        self.sessions.push(Session { client, upstream: None });
        self.settle();
    }

    fn close(&mut self, place: usize) {
        self.sessions.remove(place);
        self.settle();
    }
}

/// Plays the same with both, some times with other chances: clients come and go, and now and then the operator says something.
fn play(lines: &str, servers: &[&str], orders: &[&str], first: u64) {
    for seed in first * 100..first * 100 + 3 {
        let [theirs, ours] = BOTH.map(|program| {
            let (mut field, mut chance) = (Field::new(program, lines, servers), StdRng::seed_from_u64(seed));
            for name in 0..30 {
                let from = Ipv4Addr::new(127, 0, chance.random_range(1..=3), chance.random_range(1..=250));
                field.open(name, from);
                while field.sessions.iter().any(|session| session.upstream.is_some()) && chance.random_range(0..10) < 4
                {
                    // One that waits in a queue goes on to a server even when its client has left, as it has sent something.
                    let placed = field.sessions.iter().enumerate().filter(|(_, session)| session.upstream.is_some());
                    let placed: Vec<usize> = placed.map(|(place, _)| place).collect();
                    field.close(placed[chance.random_range(0..placed.len())]);
                }
                if let Some(order) = orders.get(usize::from(name) / 6).filter(|_| name % 6 == 5) {
                    if !order.is_empty() {
                        assert_eq!(field.program.ask(order), "\n", "{order}");
                    }
                    field.settle();
                }
            }
            field.story
        });
        assert_eq!(ours, theirs, "relay and HAProxy with `{lines}`, {servers:?}, {orders:?}, seed {seed}");
    }
}

#[test]
fn with_roundrobin() {
    play("balance roundrobin", &["", "", ""], &["set server lb/s1 state drain", "", "set server lb/s1 state ready"], 1);
}

#[test]
fn with_static_rr_by_weight() {
    play("balance static-rr", &["weight 1", "weight 3", "weight 2"], &["set server lb/s1 state maint"], 2);
}

#[test]
fn with_leastconn_by_weight() {
    play("balance leastconn", &["weight 10", "weight 20", "weight 30"], &["set server lb/s0 weight 100"], 3);
}

#[test]
fn with_first_and_limits() {
    play("balance first", &["maxconn 2", "maxconn 3", "maxconn 1"], &["", "set maxconn server lb/s2 4"], 4);
}

#[test]
fn with_source_and_limits() {
    play("balance source", &["maxconn 3", "weight 2 maxconn 4", "maxconn 2"], &["set server lb/s1 state maint"], 5);
}

#[test]
fn with_limits_that_follow_the_load() {
    let servers = ["minconn 1 maxconn 5", "minconn 2 maxconn 4 maxqueue 1", "maxconn 2"];
    play("balance leastconn\n fullconn 9\n option redispatch", &servers, &["set server lb/s0 state drain"], 6);
}

#[test]
fn with_backup_servers() {
    for option in ["option allbackups", ""] {
        let servers = ["", "backup", "backup maxconn 2 maxqueue 9"];
        let orders = ["set server lb/s0 state drain", "set server lb/s1 state maint", "set server lb/s0 state ready"];
        play(&format!("balance roundrobin\n {option}"), &servers, &orders, 7);
    }
}

#[test]
fn with_roundrobin_by_weight() {
    play("balance roundrobin", &["weight 1", "weight 3", "weight 2"], &[], 9);
}

#[test]
fn with_roundrobin_by_weight_and_limits() {
    play(
        "balance roundrobin",
        &["weight 1 maxconn 2", "weight 3 maxconn 3", "weight 2"],
        &["set server lb/s0 weight 7"],
        10,
    );
}

#[test]
fn with_a_consistent_hash() {
    let orders = ["set server lb/s1 state maint", "set server lb/s2 weight 40"];
    play("balance source\n hash-type consistent", &["weight 10", "weight 30", "weight 20 id 77"], &orders, 11);
    play("balance source\n hash-type consistent sdbm avalanche", &["", "", "maxconn 1 maxqueue 2"], &orders, 12);
}

#[test]
fn with_an_avalanche_of_the_hash() {
    play("balance source\n hash-type map-based sdbm avalanche", &["", "", "weight 3"], &[], 13);
}
