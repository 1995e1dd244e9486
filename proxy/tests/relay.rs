//! The program `relay` between real sockets on this host's loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use proxy::log::SessionLog;
use proxy::sessions;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// How long anything here may take before the test fails.
const LIMIT: Duration = Duration::from_secs(20);

/// What a test of relay takes for granted.
const WORKS: &str = "this host's own sockets, files and processes work";

/// A running relay in front of a server that the test itself is.
struct Relay {
    process: Child,
    log: BufReader<ChildStdout>,
    address: SocketAddr,
    server: TcpListener,
    folder: tempfile::TempDir,
}

/// An address of the loopback network that no other test listens on: one of this process and of this call.
fn own_address() -> SocketAddr {
    static CALLS: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    (Ipv4Addr::new(127, high | 1, low, CALLS.fetch_add(1, Ordering::Relaxed)), 5672).into()
}

impl Relay {
    /// Starts one; `more` are further lines of its only proxy.
    fn start(more: &str) -> Relay {
        Relay::start_with("log stdout format raw local0", more)
    }

    fn start_with(global: &str, more: &str) -> Relay {
        let server = TcpListener::bind("127.0.0.1:0").expect(WORKS);
        let folder = tempfile::tempdir().expect(WORKS);
        let at = folder.path().display();
        let at_proxy = own_address();
        let text = format!(
            "global\n {}\n stats socket {at}/stats level admin\nlisten lb\n bind {at_proxy}\n mode tcp\n log global\n \
             option tcplog\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n server s1 {}\n {more}\n",
            global.replace("{folder}", &at.to_string()),
            server.local_addr().expect(WORKS)
        );
        let file = folder.path().join("relay.cfg");
        std::fs::write(&file, text).expect(WORKS);
        let mut process = Command::new(env!("CARGO_BIN_EXE_relay"))
            .args(["-db", "-f"])
            .arg(&file)
            .stdout(Stdio::piped())
            .spawn()
            .expect(WORKS);
        let log = BufReader::new(process.stdout.take().expect(WORKS));
        let relay = Relay { process, log, address: at_proxy, server, folder };
        relay.wait_until_it_listens();
        relay
    }

    /// The stats socket is there before the process has begun to work, and its answer comes behind that.
    fn wait_until_it_listens(&self) {
        let deadline = std::time::Instant::now() + LIMIT;
        while self.ask("show sess all").is_err() {
            assert!(std::time::Instant::now() < deadline, "relay does not answer");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// A session: its client, its server.
    fn session(&self) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(self.address).expect(WORKS);
        let (server, _) = self.server.accept().expect(WORKS);
        for stream in [&client, &server] {
            stream.set_read_timeout(Some(LIMIT)).expect(WORKS);
            stream.set_write_timeout(Some(LIMIT)).expect(WORKS);
        }
        (client, server)
    }

    fn ask(&self, command: &str) -> std::io::Result<String> {
        self.ask_at("stats", command)
    }

    fn ask_at(&self, socket: &str, command: &str) -> std::io::Result<String> {
        let mut stream = UnixStream::connect(self.folder.path().join(socket))?;
        stream.set_read_timeout(Some(LIMIT))?;
        // In two pieces, as a terminal may send it.
        let (one, other) = command.split_at(command.len() / 2);
        stream.write_all(one.as_bytes())?;
        stream.write_all(format!("{other}\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn logged(&mut self) -> SessionLog {
        let mut line = String::new();
        self.log.read_line(&mut line).expect(WORKS);
        SessionLog::parse(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Writes bytes that a seed determines in pieces of every size, and then FIN.
fn write_all(mut stream: TcpStream, seed: u64, total: usize) {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut left = total;
    while left > 0 {
        let mut piece = vec![0; chance.random_range(1..=200_000).min(left)];
        chance.fill(&mut piece[..]);
        stream.write_all(&piece).expect(WORKS);
        left -= piece.len();
    }
    stream.shutdown(Shutdown::Write).expect(WORKS);
}

/// What [`write_all`] writes with this seed.
fn written(seed: u64, total: usize) -> Vec<u8> {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut all = Vec::with_capacity(total);
    while all.len() < total {
        let mut piece = vec![0; chance.random_range(1..=200_000).min(total - all.len())];
        chance.fill(&mut piece[..]);
        all.extend_from_slice(&piece);
    }
    all
}

#[test]
fn every_byte_passes_in_order_in_both_directions_at_once() {
    const TOTAL: usize = 8_000_000;
    let mut relay = Relay::start("");
    let (client, server) = relay.session();
    let writers = [(client.try_clone().unwrap(), 1), (server.try_clone().unwrap(), 2)];
    let writers = writers.map(|(stream, seed)| std::thread::spawn(move || write_all(stream, seed, TOTAL)));
    let readers = [(server, 1), (client, 2)].map(|(mut stream, seed)| {
        std::thread::spawn(move || {
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            assert!(all == written(seed, TOTAL), "other bytes than were written, {} of them", all.len());
        })
    });
    for thread in writers.into_iter().chain(readers) {
        thread.join().unwrap();
    }
    let log = relay.logged();
    assert_eq!((log.termination.to_string().as_str(), log.bytes), ("--", TOTAL as u64));
}

#[test]
fn a_session_whose_client_has_sent_fin_goes_on_from_the_server() {
    let relay = Relay::start("");
    let (mut client, mut server) = relay.session();
    client.write_all(b"question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut question = String::new();
    server.read_to_string(&mut question).unwrap();
    server.write_all(b"answer").unwrap();
    drop(server);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!((question.as_str(), answer.as_str()), ("question", "answer"));
}

#[test]
fn a_receiver_that_does_not_read_stops_the_sender_and_not_the_proxy() {
    let relay = Relay::start("");
    let (mut stuck, _server) = relay.session();
    stuck.set_nonblocking(true).unwrap();
    let mut sent = 0;
    // Until all buffers on the way are full; then the proxy must not take more.
    let mut idle = 0;
    while idle < 20 {
        match stuck.write(&[0; 65536]) {
            Ok(count) => (sent, idle) = (sent + count, 0),
            Err(_) => {
                idle += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        assert!(sent < 100_000_000, "{sent} bytes are held somewhere");
    }
    let (mut client, mut server) = relay.session();
    client.write_all(b"still there?").unwrap();
    let mut asked = [0; 12];
    server.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"still there?");
}

#[test]
fn the_operator_sees_both_connections_of_a_session() {
    let relay = Relay::start("");
    let (client, server) = relay.session();
    let sessions = sessions::parse(&relay.ask("show sess all").unwrap()).unwrap();
    let session = &sessions[0];
    assert_eq!(session.client, Some(client.local_addr().unwrap()));
    assert_eq!(session.listener, Some(client.peer_addr().unwrap()));
    assert_eq!(session.source, Some(server.peer_addr().unwrap()));
    assert_eq!(session.server_address, Some(server.local_addr().unwrap()));
    let left = session.request.read_expires.map(|left| left.as_secs());
    assert!(left.is_some_and(|left| (50..=60).contains(&left)), "{left:?} s of a minute are left");
}

#[test]
fn the_operator_ends_the_sessions_of_a_server() {
    let mut relay = Relay::start("");
    let (mut client, _server) = relay.session();
    relay.ask("shutdown sessions server lb/s1").unwrap();
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    drop(client);
    assert_eq!(relay.logged().termination.to_string(), "K-");
}

#[test]
fn an_operator_may_do_no_more_than_his_socket_allows() {
    let relay = Relay::start_with("log stdout format raw local0\n stats socket {folder}/user level user", "");
    let (_client, _server) = relay.session();
    for command in
        ["show sess", "shutdown sessions server lb/s1", "set server lb/s1 state maint", "set maxconn global 1"]
    {
        assert_eq!(relay.ask_at("user", command).unwrap(), "Permission denied\n\n", "{command}");
    }
    assert!(relay.ask_at("user", "show stat").unwrap().contains("lb,s1,"));
}

#[test]
fn commands_that_wait_behind_a_long_answer_are_answered_too() {
    let relay = Relay::start("");
    let _sessions: Vec<_> = (0..200).map(|_| relay.session()).collect();
    let mut stream = UnixStream::connect(relay.folder.path().join("stats")).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(b"show sess all;show sess all;show sess all;get weight lb/s1\n").unwrap();
    // Longer than the socket's buffers, so that the answers are told piece by piece.
    std::thread::sleep(Duration::from_millis(100));
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer.matches("frontend=lb").count(), 600);
    assert!(answer.ends_with("1 (initial 1)\n\n"), "{}", &answer[answer.len() - 200..]);
}

#[test]
fn the_line_of_a_session_tells_what_began_its_end() {
    let mut relay = Relay::start("");
    let (mut client, server) = relay.session();
    drop(server);
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    drop(client);
    let mut line = String::new();
    relay.log.read_line(&mut line).unwrap();
    assert!(line.trim_end().ends_with("cause=server:fin"), "{line}");
}

#[test]
fn a_log_that_nobody_reads_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    // Its queue is full after some lines (net.unix.max_dgram_qlen).
    let _reader = UnixDatagram::bind(&path).unwrap();
    let relay = Relay::start_with(&format!("log {} local0", path.display()), "");
    for _ in 0..600 {
        let (client, server) = relay.session();
        drop((client, server));
    }
    let (mut client, mut server) = relay.session();
    client.write_all(b"x").unwrap();
    server.read_exact(&mut [0]).unwrap();
}

#[test]
fn a_client_that_connects_to_a_full_proxy_waits_and_is_served_when_another_leaves() {
    let relay = Relay::start("maxconn 1");
    let (first, first_server) = relay.session();
    let mut second = TcpStream::connect(relay.address).unwrap();
    second.write_all(b"2").unwrap();
    drop((first, first_server));
    let (mut server, _) = relay.server.accept().unwrap();
    server.set_read_timeout(Some(LIMIT)).unwrap();
    let mut byte = [0];
    server.read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"2");
}

#[test]
fn a_configuration_with_a_mistake_is_refused_with_its_place_and_nothing_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.cfg");
    std::fs::write(&file, "listen lb\n    bind 127.0.0.1:5672\n    timeout clint 1s\n    server s1 127.0.0.1:1\n")
        .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_relay")).arg("-f").arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("relay.cfg:3:5") && said.contains("did you mean `timeout client`"), "{said}");
}
