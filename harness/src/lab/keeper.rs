//! The keeper: process 1 of the PID namespace in which every process of a run lives.
//!
//! Namespaces held by descriptor end with the process that holds them, but a service's daemonised grandchild would keep its
//! namespace alive. It cannot survive the end of its PID namespace (pid_namespaces(7)), and that ends with the keeper, which
//! dies with the thread that started it (`PR_SET_PDEATHSIG`, prctl(2): the signal follows the *thread*), however that ends.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc;

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::{Error, doing, outlive};

/// A run's PID namespace; everything in it ends when the last clone of this is dropped, or its process.
#[derive(Clone, Debug)]
pub struct Keeper {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    namespace: OwnedFd,
    /// Closing it ends the keeper, and the thread that waits for it.
    lifeline: Option<ChildStdin>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Keeper {
    /// Starts `program keeper` as process 1 of a new PID namespace.
    ///
    /// # Errors
    /// When the namespace or the process cannot be made; root is needed (CAP_SYS_ADMIN).
    pub fn start(program: &Path) -> Result<Keeper, Error> {
        let (tell, told) = mpsc::channel();
        let program = program.to_path_buf();
        let thread = std::thread::Builder::new()
            .name("keeper".into())
            .spawn(move || {
                let started = start_on_this_thread(&program);
                let (child, started) = match started {
                    Ok((child, namespace, lifeline)) => (Some(child), Ok((namespace, lifeline))),
                    Err(error) => (None, Err(error)),
                };
                let _ = tell.send(started);
                // This thread lives as long as the keeper: its end would kill it.
                if let Some(mut child) = child {
                    let _ = child.wait();
                }
            })
            .map_err(|e| doing("starting the keeper's thread", e))?;
        let (namespace, lifeline) =
            told.recv().map_err(|e| doing("starting the keeper", std::io::Error::other(e)))??;
        Ok(Keeper { shared: Arc::new(Shared { namespace, lifeline: Some(lifeline), thread: Some(thread) }) })
    }

    /// The PID namespace, for setns(2).
    pub fn namespace(&self) -> impl AsFd + '_ {
        self.shared.namespace.as_fd()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn start_on_this_thread(program: &Path) -> Result<(std::process::Child, OwnedFd, ChildStdin), Error> {
    unshare(CloneFlags::CLONE_NEWPID).map_err(|e| doing("making a PID namespace (root is needed)", e.into()))?;
    let mut child = Command::new(program)
        .arg("keeper")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| doing(&format!("starting {} keeper", program.display()), e))?;
    let mut ready = [0];
    if let Some(stdout) = child.stdout.as_mut() {
        stdout.read_exact(&mut ready).map_err(|e| doing("waiting for the keeper", e))?;
    }
    let namespace =
        File::open(format!("/proc/{}/ns/pid", child.id())).map_err(|e| doing("opening the PID namespace", e))?;
    let lifeline =
        child.stdin.take().ok_or_else(|| doing("starting the keeper", std::io::Error::other("no lifeline")))?;
    Ok((child, namespace.into(), lifeline))
}

/// What `whyclosed keeper` does: reaps what the run's daemons leave, until its lifeline (standard input) is closed.
///
/// # Errors
/// When a system call fails that cannot fail on Linux.
pub fn keep() -> std::io::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::SA_NOCLDWAIT, SigSet::empty());
    // SAFETY: ignoring a signal installs no handler, so there is nothing that could run at a bad moment.
    unsafe { sigaction(Signal::SIGCHLD, &ignore) }?;
    {
        use std::io::Write;
        let mut out = std::io::stdout();
        out.write_all(b"k")?;
        out.flush()?;
    }
    if outlive::may_be_kept() {
        outlive::let_go_of_standard_error()?;
    }
    // If the parent died before PDEATHSIG was set, this returns at once.
    let mut sink = Vec::new();
    std::io::stdin().read_to_end(&mut sink)?;
    Ok(())
}
