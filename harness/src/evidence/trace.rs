//! The kernel's own account: tracepoints, read from a tracefs instance of this run's own.
//!
//! One reader serves all cases of a run. A trace event carries addresses and ports but no namespace: cases that run at the same
//! time have different slices of the ephemeral ports, and that is how an event finds its case ([`Routes`]).
//!
//! Text (`trace_pipe`) is read rather than the raw ring, as the kernel's print formats are the same from 6.8 to 6.18 while the
//! record layouts are not.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::Notify;

use super::routes::{Owner, Routes};
use super::traceline::Line;
use super::{Context, Fact, Source};

/// The events that are read, in tracefs's `set_event` form.
const EVENTS: [&str; 6] = [
    "sock:inet_sock_set_state",
    "sock:inet_sk_error_report",
    "tcp:tcp_send_reset",
    "tcp:tcp_receive_reset",
    "tcp:tcp_retransmit_skb",
    "sched:sched_process_exit",
];

/// Kilobytes of ring buffer for each processor; an overrun makes every case that runs inconclusive.
const BUFFER_KB: &str = "4096";

/// What a mark in the trace begins with.
const MARK: &str = "whyclosed-mark-";
/// The reader is never further behind than this.
const MARK_LIMIT: Duration = Duration::from_secs(10);

/// The reader of the kernel's trace.
#[derive(Debug)]
pub struct Tracer {
    instance: PathBuf,
    stop: Option<OwnedFd>,
    reader: Option<std::thread::JoinHandle<()>>,
    routes: Arc<Routes>,
}

impl Tracer {
    /// Switches the events on in `instance` and reads them into the ledgers of `routes`.
    ///
    /// # Errors
    /// When the instance has not these files or events.
    pub fn start(instance: &Path, routes: Arc<Routes>) -> std::io::Result<Tracer> {
        let set = |file: &str, text: &str| {
            fs::write(instance.join(file), text)
                .map_err(|e| std::io::Error::new(e.kind(), format!("writing `{text}` to tracefs' {file}: {e}")))
        };
        set("trace_clock", "mono")?;
        set("buffer_size_kb", BUFFER_KB)?;
        // Readers wake at the first event, not when a share of the buffer is full.
        set("buffer_percent", "0")?;
        for event in EVENTS {
            append(&instance.join("set_event"), event)?;
        }
        let pipe =
            OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(instance.join("trace_pipe"))?;
        let (stopped, stop) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let reader = std::thread::Builder::new().name("trace".into()).spawn({
            let routes = routes.clone();
            move || read(pipe, &stopped, &routes)
        })?;
        Ok(Tracer { instance: instance.to_path_buf(), stop: Some(stop), reader: Some(reader), routes })
    }

    /// Waits until everything that the kernel has traced so far is in its ledger.
    ///
    /// # Errors
    /// When the reader does not come to the mark in time.
    pub async fn mark(&self, slice: u16) -> std::io::Result<()> {
        let reached = Arc::new(Notify::new());
        let number = self.routes.expect(&reached);
        fs::write(self.instance.join("trace_marker"), format!("{MARK}{number}"))?;
        let limit = tokio::time::timeout(MARK_LIMIT, reached.notified()).await;
        limit.map_err(|_| std::io::Error::other(format!("no mark within {} s (slice {slice})", MARK_LIMIT.as_secs())))
    }

    /// Events lost so far for want of buffer, over all processors.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let processors = fs::read_dir(self.instance.join("per_cpu")).into_iter().flatten().flatten();
        processors
            .filter_map(|entry| fs::read_to_string(entry.path().join("stats")).ok())
            .map(|stats| overrun(&stats))
            .sum()
    }

    /// The cases that this tracer serves.
    #[must_use]
    pub fn routes(&self) -> &Arc<Routes> {
        &self.routes
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn append(path: &Path, event: &str) -> std::io::Result<()> {
    use std::io::Write;
    let written = OpenOptions::new().append(true).open(path)?.write_all(format!("{event}\n").as_bytes());
    written.map_err(|e| std::io::Error::new(e.kind(), format!("switching on the kernel's event {event}: {e}")))
}

fn overrun(stats: &str) -> u64 {
    let value =
        |name: &str| stats.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok()).unwrap_or(0);
    value("overrun:") + value("dropped events:")
}

fn read(mut pipe: File, stopped: &OwnedFd, routes: &Routes) {
    let mut pending = String::new();
    let mut buffer = vec![0; 65536];
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) => {}
            Ok(length) => {
                pending.push_str(&String::from_utf8_lossy(&buffer[..length]));
                while let Some(end) = pending.find('\n') {
                    file(&pending[..end], routes);
                    pending.drain(..=end);
                }
                continue;
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) => {
                gap(routes, &format!("reading the kernel trace: {e}"));
                return;
            }
        }
        let mut waits = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN), PollFd::new(stopped.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut waits, PollTimeout::NONE);
        if waits[1].revents().is_some_and(|r| !r.is_empty()) {
            return;
        }
    }
}

fn gap(routes: &Routes, what: &str) {
    for ledger in routes.all() {
        ledger.put_now(Fact::Gap { from: Source::Kernel, what: what.into() });
    }
}

/// Puts one line of the trace into the ledger that it belongs to.
fn file(line: &str, routes: &Routes) {
    if line.contains("LOST") && line.starts_with("CPU:") {
        gap(routes, &format!("the kernel's trace buffer overran: {line}"));
        return;
    }
    let Some(event) = Line::parse(line) else { return };
    match event.name {
        "tracing_mark_write" => {
            if let Some(number) = event.rest.strip_prefix(MARK).and_then(|number| number.trim().parse().ok()) {
                routes.reached(number);
            }
        }
        "sched_process_exit" => {
            let Some((ledger, owner)) = routes.of_thread(event.pid) else { return };
            routes.ended(event.pid);
            let (process, node) = (owner.process.to_string(), owner.node.to_string());
            ledger.put(event.at_ns, Fact::ProcessExit { node, process, comm: event.comm.into(), pid: event.pid });
        }
        _ => {
            let Some(pair) = event.pair() else { return };
            let Some((ledger, node)) = routes.of_pair(pair) else { return };
            if let Some(fact) = event.fact(node.clone(), pair) {
                if matches!(fact, Fact::State { context: Context::Process { .. }, .. }) {
                    let owner = Owner { process: event.comm.into(), node: node.into() };
                    routes.acted(pair, event.pid, owner);
                }
                ledger.put(event.at_ns, fact);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_line_makes_the_reader_panic(line in ".*") {
            file(&line, &Routes::default());
        }
    }
}
