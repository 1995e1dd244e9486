//! relay and HAProxy, run by a test with the same configuration.

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take before a test fails.
pub const LIMIT: Duration = Duration::from_secs(20);

/// The programs.
pub const BOTH: [&str; 2] = [env!("CARGO_BIN_EXE_relay"), "haproxy"];

/// A program that reads HAProxy's configuration.
pub struct Program {
    pub process: Child,
    folder: tempfile::TempDir,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An address of the loopback network that no other test listens on: one of this process and of this call.
pub fn own_address() -> Ipv4Addr {
    static CALLS: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high | 1, low, CALLS.fetch_add(1, Ordering::Relaxed))
}

/// Asks until something is so.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < until, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Program {
    /// Starts one with these sections, an operator's socket, and timeouts that nothing here waits for; it answers already.
    pub fn start(program: &str, sections: &str) -> Program {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("haproxy.cfg");
        let socket = folder.path().join("stats");
        let head = format!(
            "global\n maxconn 200\n nbthread 1\n stats socket {} level admin\n\
             defaults\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n",
            socket.display()
        );
        std::fs::write(&file, head + sections).unwrap();
        let mut command = Command::new(program);
        command.args(["-db", "-f"]).arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        let running = Program { process: command.spawn().unwrap(), folder };
        wait_until(&format!("{program} answers"), || UnixStream::connect(&socket).is_ok());
        running.ask("show info");
        running
    }

    /// A connection to the operator's socket.
    pub fn operator(&self) -> UnixStream {
        let stream = UnixStream::connect(self.folder.path().join("stats")).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }

    /// The answer to a line on the operator's socket.
    pub fn ask(&self, line: &str) -> String {
        let mut stream = self.operator();
        stream.write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}
