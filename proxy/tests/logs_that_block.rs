//! A log that nobody reads, or that is gone, holds no session up.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod beside;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};

use beside::{own_address, patient, wait_until_it_listens};

/// A relay that logs there, with what its standard output is.
struct Logging {
    process: Child,
    address: std::net::SocketAddr,
    server: TcpListener,
    _folder: tempfile::TempDir,
}

impl Logging {
    fn start(log: &str, stdout: Stdio) -> Logging {
        let (folder, server) = (tempfile::tempdir().unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let address = own_address();
        let at = server.local_addr().unwrap();
        let file = folder.path().join("relay.cfg");
        let text = format!(
            "global\n log {log} len 1024 format raw local0\nlisten lb\n bind {address}\n log global\n option tcplog\n \
             timeout connect 5s\n timeout client 1m\n timeout server 1m\n server s1 {at}\n"
        );
        std::fs::write(&file, text).unwrap();
        let process =
            Command::new(env!("CARGO_BIN_EXE_relay")).args(["-db", "-f"]).arg(&file).stdout(stdout).spawn().unwrap();
        wait_until_it_listens(address);
        Logging { process, address, server, _folder: folder }
    }

    /// So many sessions in a row, each of which passes a byte and leaves a line.
    fn serves(&self, sessions: usize) {
        for _ in 0..sessions {
            let mut client = patient(TcpStream::connect(self.address).unwrap());
            let (mut server, _) = self.server.accept().unwrap();
            client.write_all(b"x").unwrap();
            server.read_exact(&mut [0]).unwrap();
        }
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn pipe() -> (std::fs::File, OwnedFd) {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    (reader.into(), writer)
}

/// More lines than a pipe of 64 KiB has room for.
const MORE_THAN_A_PIPE_HOLDS: usize = 1000;

#[test]
fn a_pipe_that_is_full_holds_nobody_up_and_its_lines_are_whole() {
    let (mut reader, writer) = pipe();
    let relay = Logging::start("stdout", Stdio::from(writer));
    relay.serves(MORE_THAN_A_PIPE_HOLDS);
    drop(relay);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    let torn: Vec<&str> = text.lines().filter(|line| proxy::log::SessionLog::parse(line).is_err()).collect();
    assert_eq!(torn, [""; 0]);
    assert!((100..MORE_THAN_A_PIPE_HOLDS).contains(&text.lines().count()), "{} lines", text.lines().count());
}

#[test]
fn a_pipe_whose_reader_has_gone_holds_nobody_up() {
    let (reader, writer) = pipe();
    let relay = Logging::start("stdout", Stdio::from(writer));
    drop(reader);
    relay.serves(10);
}

#[test]
fn a_fifo_that_nobody_reads_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // Opened for both, so that opening does not wait; nobody reads.
    let fifo = std::fs::File::options().read(true).write(true).open(&path).unwrap();
    let relay = Logging::start("stdout", Stdio::from(fifo));
    relay.serves(MORE_THAN_A_PIPE_HOLDS);
}

#[test]
fn a_unix_socket_whose_reader_stops_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let _reader = UnixDatagram::bind(&path).unwrap();
    let relay = Logging::start(&path.display().to_string(), Stdio::null());
    relay.serves(MORE_THAN_A_PIPE_HOLDS);
}

#[test]
fn a_unix_socket_that_is_gone_and_comes_back_gets_lines_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let relay = Logging::start(&path.display().to_string(), Stdio::null());
    relay.serves(3);
    let reader = UnixDatagram::bind(&path).unwrap();
    reader.set_read_timeout(Some(beside::LIMIT)).unwrap();
    relay.serves(1);
    let mut buffer = [0; 1024];
    assert!(reader.recv(&mut buffer).unwrap() > 0);
}

#[test]
fn no_line_is_lost_to_a_syslog_server_that_has_come_back() {
    let reader = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = reader.local_addr().unwrap();
    let relay = Logging::start(&at.to_string(), Stdio::null());
    drop(reader);
    relay.serves(1);
    // The line of that session has been sent, and refused, before the next one's.
    std::thread::sleep(std::time::Duration::from_millis(100));
    let reader = UdpSocket::bind(at).unwrap();
    reader.set_read_timeout(Some(beside::LIMIT)).unwrap();
    relay.serves(1);
    let mut buffer = [0; 1024];
    assert!(reader.recv(&mut buffer).unwrap() > 0);
}
