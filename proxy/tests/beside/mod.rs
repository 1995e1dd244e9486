//! HAProxy and relay on this host's loopback, each started with the same configuration, so that a test can do the same to both.

#![allow(dead_code, unused_imports, reason = "each test program uses a part of it")]

mod operated;

use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use rustix::net::sockopt::{set_socket_linger, set_socket_reuseaddr};
use rustix::net::{AddressFamily, SocketType};

pub use operated::{Operated, wait_until};

/// How long anything may take before a test fails.
pub const LIMIT: Duration = Duration::from_secs(20);

/// What a test takes for granted.
pub const WORKS: &str = "this host's own sockets, files and processes work, and haproxy is installed";

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The real one.
    Haproxy,
    /// Ours.
    Relay,
}

/// Both.
pub const BOTH: [Program; 2] = [Program::Haproxy, Program::Relay];

/// A running proxy, and what is around it.
pub struct Proxy {
    /// Which program it is.
    pub program: Program,
    /// Its process.
    pub process: Child,
    /// What it listens on.
    pub address: SocketAddr,
    /// Where its `server s1` is.
    pub server: TcpListener,
    /// Where its log goes.
    pub log: UnixDatagram,
    /// Its files.
    pub folder: tempfile::TempDir,
}

/// An address of the loopback network that no other test listens on: one of this process and of this call.
pub fn own_ip() -> Ipv4Addr {
    static CALLS: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high | 1, low, CALLS.fetch_add(1, Ordering::Relaxed))
}

/// The same with a port.
pub fn own_address() -> SocketAddr {
    (own_ip(), 5672).into()
}

/// A configuration with one `listen lb`, which has these lines too, and these in `global`.
pub fn listen(global: &str, more: &str) -> String {
    format!(
        "global\n nbthread 1\n log {{folder}}/log len 4096 format raw local0\n{global}\n\
         listen lb\n bind {{bind}}\n log global\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n server s1 {{server}}\n{more}\n"
    )
}

impl Proxy {
    /// Starts a program with a configuration, in which `{bind}`, `{ip}`, `{server}` and `{folder}` stand for what is its own.
    pub fn start(program: Program, configuration: &str) -> Proxy {
        let (folder, server) = (tempfile::tempdir().expect(WORKS), TcpListener::bind("127.0.0.1:0").expect(WORKS));
        let log = UnixDatagram::bind(folder.path().join("log")).expect(WORKS);
        log.set_read_timeout(Some(LIMIT)).expect(WORKS);
        let address = own_address();
        let text = configuration
            .replace("{bind}", &address.to_string())
            .replace("{ip}", &address.ip().to_string())
            .replace("{server}", &server.local_addr().expect(WORKS).to_string())
            .replace("{folder}", &folder.path().display().to_string());
        let file = folder.path().join("proxy.cfg");
        std::fs::write(&file, text).expect(WORKS);
        let process = start(program, &file, &[]);
        wait_until_it_listens(address);
        Proxy { program, process, address, server, log, folder }
    }

    /// A session: its client, its server.
    pub fn session(&self) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(self.address).expect(WORKS);
        let (server, _) = self.server.accept().expect(WORKS);
        (patient(client), patient(server))
    }

    /// The next line of its log.
    pub fn line(&self) -> String {
        let mut buffer = [0; 8192];
        let count = self.log.recv(&mut buffer).expect("there is a line in time");
        String::from_utf8_lossy(&buffer[..count]).trim_end_matches(['\n', '\0']).to_owned()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts a program in the foreground with a configuration's file and further arguments.
pub fn start(program: Program, file: &Path, more: &[&str]) -> Child {
    let name = match program {
        Program::Haproxy => "haproxy",
        Program::Relay => env!("CARGO_BIN_EXE_relay"),
    };
    let mut command = Command::new(name);
    command.args(["-db", "-f"]).arg(file).args(more).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect(WORKS)
}

/// Waits until somebody listens at an address, without connecting to it: that would be a session.
pub fn wait_until_it_listens(address: SocketAddr) {
    let SocketAddr::V4(address) = address else { panic!("{address} is no IPv4 address") };
    let wanted = format!("{:08X}:{:04X} ", u32::from_le_bytes(address.ip().octets()), address.port());
    let deadline = Instant::now() + LIMIT;
    loop {
        let table = std::fs::read_to_string("/proc/net/tcp").expect(WORKS);
        // `sl local_address rem_address st …`: 0A is LISTEN.
        if table.lines().any(|line| line.contains(&wanted) && line.split_whitespace().nth(3) == Some("0A")) {
            return;
        }
        assert!(Instant::now() < deadline, "nobody listens at {address}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A stream that does not wait for ever.
pub fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(LIMIT)).expect(WORKS);
    stream.set_write_timeout(Some(LIMIT)).expect(WORKS);
    stream
}

/// A connection from an address of one's own.
pub fn connect_from(source: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &SocketAddr::from((source, 0)))?;
    rustix::net::connect(&socket, &to)?;
    Ok(patient(socket.into()))
}

/// How a connection ended that is read from until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With FIN, behind so many bytes.
    Fin(usize),
    /// With RST.
    Reset,
    /// It has not, after a while.
    Open,
}

/// Reads until a connection ends.
pub fn end_of(stream: &mut TcpStream, within: Duration) -> End {
    use std::io::{ErrorKind, Read};
    stream.set_read_timeout(Some(within)).expect(WORKS);
    let mut bytes = 0;
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return End::Fin(bytes),
            Ok(count) => bytes += count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return End::Open,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return End::Reset,
        }
    }
}

/// Sends FIN.
pub fn finish(stream: &TcpStream) {
    stream.shutdown(Shutdown::Write).expect(WORKS);
}

/// Ends a connection with RST.
pub fn reset(stream: TcpStream) {
    set_socket_linger(&stream, Some(Duration::ZERO)).expect(WORKS);
    drop(stream);
}
