//! What a guest's kernel says, and the one command that it is ever given.

use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// Lines of the console that an error shows.
const LAST_LINES: usize = 24;
/// User-Mode Linux tries at its start whether pseudo-terminals send signals (arch/um/os-Linux/sigio.c); containment denies it
/// theirs, and nothing uses them.
const PROBE: &str = "check_one_sigio failed";
/// The console is read to its end when its kernel has ended; this is how long that may take.
const DRAIN: Duration = Duration::from_secs(1);

/// The reader of a guest's console: it keeps the last lines.
#[derive(Debug)]
pub struct Console {
    lines: Arc<Mutex<VecDeque<String>>>,
    reader: tokio::task::JoinHandle<()>,
}

impl Console {
    /// Starts to read.
    pub fn read(console: impl AsyncRead + Unpin + Send + 'static) -> Console {
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let reader = tokio::spawn(keep(console, lines.clone()));
        Console { lines, reader }
    }

    /// The last lines of a kernel that has ended.
    pub async fn last(self) -> Vec<String> {
        let _ = tokio::time::timeout(DRAIN, self.reader).await;
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

async fn keep(console: impl AsyncRead + Unpin, lines: Arc<Mutex<VecDeque<String>>>) {
    let mut console = BufReader::new(console);
    let mut line = Vec::new();
    while console.read_until(b'\n', &mut line).await.is_ok_and(|length| length > 0) {
        let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
        line.clear();
        if is_trace(&text) || text.starts_with(PROBE) {
            continue;
        }
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LAST_LINES {
            lines.pop_front();
        }
        lines.push_back(text);
    }
}

/// Addresses of a kernel's stack: they say something only to those who have its symbols.
fn is_trace(line: &str) -> bool {
    let line = line.trim();
    let addresses = || line.split(' ').all(|word| word.len() >= 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit()));
    line.is_empty() || line == "Stack:" || line == "Call Trace:" || line.starts_with("[<") || addresses()
}

/// Makes a kernel crash (`sysrq c`), by its console for commands (Documentation/virt/uml, mconsole; arch/um/drivers/mconsole.h).
///
/// # Errors
/// When it has no such console.
pub fn crash(folder: &Path) -> std::io::Result<()> {
    const MAGIC: u32 = 0xcafe_babe;
    const VERSION: u32 = 2;
    const COMMAND: &[u8] = b"sysrq c";
    const LENGTH: usize = 512;
    let mut request = Vec::new();
    for number in [MAGIC, VERSION, COMMAND.len() as u32] {
        request.extend(number.to_ne_bytes());
    }
    request.extend(COMMAND);
    request.resize(3 * size_of::<u32>() + LENGTH, 0);
    // A socket's path must be shorter than results' paths may be (unix(7)).
    let folder = File::open(folder)?;
    let path = format!("/proc/self/fd/{}/mconsole", folder.as_raw_fd());
    UnixDatagram::unbound()?.send_to(&request, path)?;
    Ok(())
}

/// The program that a crashed kernel names as the one on its processor (lib/dump_stack.c).
pub fn program(lines: &[String]) -> Option<String> {
    let line = lines.iter().rev().find(|line| line.starts_with("CPU: "))?;
    let (_, rest) = line.split_once("PID: ")?;
    let (pid, rest) = rest.split_once(" Comm: ")?;
    let (name, _) = rest.split_once(" Not tainted").or_else(|| rest.split_once(" Tainted"))?;
    Some(format!("the program `{name}` (process {pid})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crashed_kernel_names_the_program_on_its_processor() {
        let said = ["Kernel panic - not syncing: sysrq", "CPU: 0 UID: 0 PID: 47 Comm: my prog Not tainted 6.12.117 #1"];
        assert_eq!(program(&said.map(String::from)), Some("the program `my prog` (process 47)".into()));
    }

    #[test]
    fn addresses_are_left_out_and_messages_are_kept() {
        assert!(is_trace(" 600f7af0 605d2504 8ad43840 8ac39240") && is_trace(" [<60024330>] ? show_stack+0x0/0xb0"));
        assert!(!is_trace("Kernel panic - not syncing: Attempted to kill init!"));
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_it_panic(line in ".*") {
            let _ = (is_trace(&line), program(&[line]));
        }
    }
}
