//! One of both programs, with the sections that a test is about, and asked through its operator's socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::time::{Duration, Instant};

use super::{LIMIT, Program};

/// One of both that is asked and ordered by its operator.
pub struct Operated {
    /// Its process.
    pub process: Child,
    folder: tempfile::TempDir,
}

impl Drop for Operated {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Asks until something is so.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < until, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Operated {
    /// Starts one with these sections, an operator's socket, and timeouts that nothing here waits for; it answers already.
    pub fn start(program: Program, sections: &str) -> Operated {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("haproxy.cfg");
        let socket = folder.path().join("stats");
        let head = format!(
            "global\n maxconn 200\n nbthread 1\n stats socket {} level admin\n\
             defaults\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n",
            socket.display()
        );
        std::fs::write(&file, head + sections).unwrap();
        let running = Operated { process: super::start(program, &file, &[]), folder };
        wait_until(&format!("{program:?} answers"), || UnixStream::connect(&socket).is_ok());
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
