//! Programs of the lab: started in their node, watched, signalled, ended.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader};
use tokio::net::UnixDatagram;
use tokio::net::unix::pipe;

use super::container::Container;
use super::enter::{self, Place};
use super::keeper::Keeper;
use super::{Error, doing};
use crate::clock;
use crate::evidence::Fact;
use crate::evidence::store::Ledger;

/// How long the end of a process is waited for when nobody else has waited for it.
const LAST_LIMIT: Duration = Duration::from_secs(2);

/// What is to be started, and where.
pub struct Launch<'a> {
    /// The service or client that it is.
    pub name: &'a str,
    /// The program and its place.
    pub place: Place,
    /// Its node's network namespace.
    pub network: &'a netns::Namespace,
    /// What its standard input is connected to; nothing if `None`.
    pub input: Option<OwnedFd>,
    /// What its standard output is connected to; the log if `None`.
    pub output: Option<OwnedFd>,
    /// What a line of its log tells beyond itself.
    pub reads: ReadLine,
}

/// How a kind of service reads its own log: from its name and a line to a fact. It may remember what earlier lines said.
pub type ReadLine = Arc<dyn Fn(&str, &str) -> Option<Fact> + Send + Sync>;

/// A started program: its main process and all that came of it.
#[derive(Debug)]
pub struct Process {
    /// The service or client that it is.
    pub name: Arc<str>,
    /// Its main process.
    pub pid: i32,
    /// Its mount namespace: all its processes, daemonised ones too, are known by it. Held open, as the kernel gives the number
    /// of an ended namespace to the next one.
    mounts: fs::File,
    pidfd: OwnedFd,
    /// The tasks that read its output and its log.
    logs: Vec<tokio::task::JoinHandle<()>>,
    /// The container that it runs in, until that is removed.
    container: Mutex<Option<Container>>,
    /// Every process of it has ended.
    has_gone: AtomicBool,
}

/// A process that somebody else started, held so that it can be told from others after its end, too.
#[derive(Debug)]
pub struct Held {
    pid: i32,
    pidfd: OwnedFd,
    mounts: fs::File,
}

impl Held {
    /// Holds a process; `None` when it has ended.
    #[must_use]
    pub fn hold(pid: i32) -> Option<Held> {
        let pidfd = pidfd(pid).ok()?;
        let mounts = fs::File::open(format!("/proc/{pid}/ns/mnt")).ok()?;
        Some(Held { pid, pidfd, mounts })
    }
}

impl Process {
    /// Starts a program of the lab; it has begun to run when this returns.
    ///
    /// # Errors
    /// When it cannot be started: no such program, no permission, …
    pub async fn start(program: &Path, keeper: &Keeper, launch: Launch<'_>, ledger: &Ledger) -> Result<Process, Error> {
        let what = format!("starting `{}`", launch.name);
        let failed = |e: std::io::Error| doing(&what, e);
        let (out_reader, out_writer) = pipe_pair().map_err(failed)?;
        let (err_reader, err_writer) = pipe_pair().map_err(failed)?;
        // The length of a socket's queue is its namespace's at the moment it is made.
        let (syslog, syslog_theirs) = launch.network.run(syslog_socket)?.map_err(failed)?;
        let syslog = UnixDatagram::from_std(syslog).map_err(failed)?;
        let null: OwnedFd = fs::File::open("/dev/null").map_err(failed)?.into();
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
            .map_err(|e| failed(e.into()))?;
        let child = Unclaimed(Some(spawn_in(keeper, program, theirs).map_err(failed)?));
        let pid = child.pid();
        let input = launch.input.as_ref().unwrap_or(&null).as_raw_fd();
        let output = launch.output.as_ref().unwrap_or(&out_writer).as_raw_fd();
        let descriptors =
            [launch.network.as_fd().as_raw_fd(), syslog_theirs.as_raw_fd(), input, output, err_writer.as_raw_fd()];
        enter::send(ours.as_raw_fd(), &launch.place, &descriptors).map_err(failed)?;
        drop((out_writer, err_writer, syslog_theirs, launch.input, launch.output));
        let entered = tokio::task::spawn_blocking(move || enter::entered(&ours)).await;
        let entered = entered.map_err(|e| failed(std::io::Error::other(e)))?.map_err(failed)?;
        let mounts = entered.map_err(|reason| failed(std::io::Error::other(reason)))?;
        let pidfd = pidfd(pid).map_err(failed)?;
        let name: Arc<str> = launch.name.into();
        let logs = vec![
            tokio::spawn(read_lines(
                BufReader::new(pipe::Receiver::from_owned_fd(out_reader).map_err(failed)?),
                ledger.clone(),
                name.clone(),
                "stdout",
                launch.reads.clone(),
            )),
            tokio::spawn(read_lines(
                BufReader::new(pipe::Receiver::from_owned_fd(err_reader).map_err(failed)?),
                ledger.clone(),
                name.clone(),
                "stderr",
                launch.reads.clone(),
            )),
            tokio::spawn(read_syslog(syslog, ledger.clone(), name.clone(), launch.reads)),
        ];
        child.claim();
        Ok(Process { name, pid, mounts, pidfd, logs, container: Mutex::default(), has_gone: AtomicBool::new(false) })
    }

    /// Takes on the main process of a container.
    #[must_use]
    pub fn adopt(name: &str, held: Held, mut container: Container, ledger: &Ledger, reads: &ReadLine) -> Process {
        let Held { pid, pidfd, mounts } = held;
        let name: Arc<str> = name.into();
        read_container(&name, &mut container, ledger, reads);
        let container = Mutex::new(Some(container));
        Process { name, pid, mounts, pidfd, logs: Vec::new(), container, has_gone: AtomicBool::new(false) }
    }

    /// Reads the log of a container that has ended, and removes it.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub async fn read_to_the_end(
        name: &str,
        mut container: Container,
        ledger: &Ledger,
        reads: ReadLine,
    ) -> std::io::Result<()> {
        read_container(&name.into(), &mut container, ledger, &reads);
        container.remove().await
    }

    /// Whether the main process still runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        !ends_within(&self.pidfd, Duration::ZERO)
    }

    /// Whether it runs in a container, which is there as long as the process.
    #[must_use]
    pub fn is_contained(&self) -> bool {
        self.contained().is_some()
    }

    fn contained(&self) -> MutexGuard<'_, Option<Container>> {
        self.container.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the main process is stopped (proc(5), `stat`): it answers nobody.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        // The command name may hold anything; the state follows its closing bracket.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    }

    /// Waits until the main process has ended; says whether it has, within the limit.
    pub async fn ended(&self, limit: Duration) -> bool {
        let Ok(descriptor) = self.pidfd.try_clone() else { return false };
        tokio::task::spawn_blocking(move || ends_within(&descriptor, limit)).await.unwrap_or(false)
    }

    /// Every process of this program: the main one and all its descendants, daemonised or not.
    #[must_use]
    pub fn pids(&self) -> Vec<i32> {
        self.among(&everybody())
    }

    /// Those of `everybody` that are processes of this program.
    #[must_use]
    pub fn among(&self, everybody: &[(i32, u64)]) -> Vec<i32> {
        let mine = self.mounts.metadata().ok().map(|mounts| mounts.ino());
        everybody.iter().filter(|(_, mounts)| Some(*mounts) == mine).map(|(pid, _)| *pid).collect()
    }

    /// Signals every process of this program.
    pub fn signal(&self, signal: Signal) {
        for process in self.processes() {
            // It may have ended by itself meanwhile: then there is nothing to signal.
            let _ = pidfd_send_signal(process, signal);
        }
    }

    /// Signals its main process alone.
    pub fn signal_main(&self, signal: Signal) {
        // It may have ended by itself meanwhile: then there is nothing to signal.
        let _ = pidfd_send_signal(&self.pidfd, signal);
    }

    /// Kills every process of this program and waits until they are gone.
    ///
    /// # Errors
    /// When one of them is still there after `limit`.
    pub async fn kill(&self, limit: Duration) -> Result<(), Error> {
        let processes = self.processes();
        for process in &processes {
            // It may have ended by itself meanwhile: then there is nothing to signal.
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
        self.have_gone(processes, limit).await
    }

    /// Waits until every process of this program has ended.
    ///
    /// # Errors
    /// When one of them is still there after `limit`.
    pub async fn gone(&self, limit: Duration) -> Result<(), Error> {
        self.have_gone(self.processes(), limit).await
    }

    fn processes(&self) -> Vec<OwnedFd> {
        self.pids().into_iter().filter_map(|pid| pidfd(pid).ok()).collect()
    }

    async fn have_gone(&self, mut descriptors: Vec<OwnedFd>, limit: Duration) -> Result<(), Error> {
        let what = format!("ending `{}`", self.name);
        // A process that is about to become a zombie has no namespaces any more: the main one is always waited for.
        descriptors.push(self.pidfd.try_clone().map_err(|e| doing(&what, e))?);
        for descriptor in descriptors {
            let ended = tokio::task::spawn_blocking(move || ends_within(&descriptor, limit)).await;
            if !ended.unwrap_or(false) {
                let late = std::io::Error::other(format!("it has not ended within {}", clock::readable(limit)));
                return Err(doing(&what, late));
            }
        }
        self.reap();
        self.has_gone.store(true, Ordering::Relaxed);
        let container = self.contained().take();
        match container {
            Some(container) => container.remove().await.map_err(|e| doing(&what, e)),
            None => Ok(()),
        }
    }

    /// The path by which the harness reaches a file of this program's own mounts.
    #[must_use]
    pub fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.pid))
    }

    /// A path of its own file system as the other processes of the run see it.
    ///
    /// # Errors
    /// When it has ended.
    pub fn path_for_others(&self, inside: &str) -> std::io::Result<String> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        // Its numbers, from the harness's PID namespace to its own (proc_pid_status(5)).
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        let own = numbers.and_then(|numbers| numbers.split_whitespace().last());
        let own = own.ok_or_else(|| std::io::Error::other("the kernel does not tell its number"))?;
        Ok(format!("/proc/{own}/root{inside}"))
    }

    /// Waits for the end of the main process, which has come or is near: a process that nobody waits for keeps its PID
    /// namespace from ending, and the keeper with it. A container's is waited for by its engine.
    fn reap(&self) {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let _ = waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED);
    }
}

/// A process that has not become a program yet; it is ended and waited for unless it does.
struct Unclaimed(Option<std::process::Child>);

impl Unclaimed {
    fn pid(&self) -> i32 {
        self.0.as_ref().and_then(|child| i32::try_from(child.id()).ok()).unwrap_or_default()
    }

    fn claim(mut self) {
        self.0 = None;
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !*self.has_gone.get_mut() {
            self.signal(Signal::KILL);
            if ends_within(&self.pidfd, LAST_LIMIT) {
                self.reap();
            }
        }
        for log in &self.logs {
            log.abort();
        }
    }
}

/// Every process of this machine that can be seen, with its mount namespace's number.
#[must_use]
pub fn everybody() -> Vec<(i32, u64)> {
    pids().filter_map(|pid| Some((pid, fs::metadata(format!("/proc/{pid}/ns/mnt")).ok()?.ino()))).collect()
}

/// All processes of this machine that can be seen.
pub fn pids() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Waits for the end of a process, whose descriptor is readable then (pidfd_open(2)); says whether it has come.
#[must_use]
pub fn ends_within(pidfd: &OwnedFd, limit: Duration) -> bool {
    let mut waits = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
    matches!(poll(&mut waits, limit), Ok(1..))
}

/// A descriptor of a process.
///
/// # Errors
/// When there is no such process.
pub fn pidfd(pid: i32) -> std::io::Result<OwnedFd> {
    let pid = Pid::from_raw(pid).ok_or_else(|| std::io::Error::other("no process"))?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// setns(2) with a PID namespace is for the calling thread's children: a thread of its own keeps it from everything else.
fn spawn_in(keeper: &Keeper, program: &Path, theirs: OwnedFd) -> std::io::Result<std::process::Child> {
    std::thread::scope(|scope| {
        let spawned = scope.spawn(|| {
            setns(keeper.namespace(), CloneFlags::CLONE_NEWPID)?;
            Command::new(program).arg("enter").stdin(theirs).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn()
        });
        spawned.join().unwrap_or_else(|_| Err(std::io::Error::other("the spawning thread panicked")))
    })
}

fn pipe_pair() -> std::io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}

/// One unbound datagram socket, held twice: the service's side binds it to /dev/log, ours reads it.
fn syslog_socket() -> std::io::Result<(std::os::unix::net::UnixDatagram, OwnedFd)> {
    let theirs: OwnedFd = std::os::unix::net::UnixDatagram::unbound()?.into();
    let ours = std::os::unix::net::UnixDatagram::from(theirs.try_clone()?);
    ours.set_nonblocking(true)?;
    Ok((ours, theirs))
}

fn read_container(name: &Arc<str>, container: &mut Container, ledger: &Ledger, reads: &ReadLine) {
    let logs = container
        .streams()
        .map(|(stream, lines)| tokio::spawn(read_lines(lines, ledger.clone(), name.clone(), stream, reads.clone())));
    container.logs = logs.collect();
}

async fn read_lines(
    mut pipe: impl AsyncBufRead + Unpin,
    ledger: Ledger,
    service: Arc<str>,
    stream: &'static str,
    reads: ReadLine,
) {
    let mut line = Vec::new();
    // Whatever it writes is read to the end: a pipe that is closed too early would end the program.
    while pipe.read_until(b'\n', &mut line).await.is_ok_and(|length| length > 0) {
        let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
        put_line(&ledger, &service, stream, text, &reads);
        line.clear();
    }
}

async fn read_syslog(socket: UnixDatagram, ledger: Ledger, service: Arc<str>, reads: ReadLine) {
    let mut buffer = vec![0; 65536];
    while let Ok(length) = socket.recv(&mut buffer).await {
        let line = String::from_utf8_lossy(&buffer[..length]).trim_end().to_string();
        put_line(&ledger, &service, "syslog", line, &reads);
    }
}

fn put_line(ledger: &Ledger, service: &str, stream: &str, line: String, reads: &ReadLine) {
    let at = clock::monotonic_ns();
    // Some colour their lines even for a reader that is no terminal.
    let line = anstream::adapter::strip_str(&line).to_string();
    if let Some(fact) = reads(service, &line) {
        ledger.put(at, fact);
    }
    ledger.put(at, Fact::ServiceLog { service: service.into(), stream: stream.into(), line });
}
