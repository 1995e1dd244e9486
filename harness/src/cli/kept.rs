//! `run --keep` on the real clock: the lab of a case that did not pass stands on when the command has ended.
//!
//! Everything of a lab ends with the process that made it, however that ends. So with `--keep` the run is another process's, in a
//! session of its own; the command waits for it and passes its exit code on. Their line is the other one's standard input: when the
//! command ends before the run does, the line is cut, and the run ends with everything that it made. When the run has ended and
//! labs are kept, it tells the exit code, lets go of the terminal, and waits for `whyclosed clean`.

use std::convert::Infallible;
use std::ffi::CStr;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Signal, pidfd_send_signal};
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};

use super::BROKEN;
use crate::lab::outlive::{KEEPS, let_go_of_standard_error, may_be_kept};
use crate::lab::process;

/// What a process that keeps labs is called, in `ps` and for `whyclosed clean`.
const NAME: &CStr = c"whyclosed-kept";
/// How long the end of kept labs may take.
const END_LIMIT: Duration = Duration::from_secs(30);

/// Runs this very command line in a process that can keep labs, and gives its exit code.
///
/// # Errors
/// When it cannot be started or waited for.
pub fn in_background() -> std::io::Result<u8> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(std::env::args_os().skip(1)).env(KEEPS, "1").stdin(OwnedFd::from(theirs));
    let mut child = command.spawn()?;
    // The command has the other end of the line, which must be cut when the child ends.
    drop(command);
    let mut code = [0];
    if ours.read_exact(&mut code).is_ok() {
        return Ok(code[0]);
    }
    Ok(child.wait()?.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(BROKEN))
}

/// The line to the command that waits for this process.
pub struct Line(UnixStream);

impl Line {
    /// The line of a process that keeps; it comes into a session of its own, so that no terminal ends it.
    #[must_use]
    pub fn of_this_process() -> Option<Line> {
        if !may_be_kept() {
            return None;
        }
        let _ = nix::unistd::setsid();
        let input = std::io::stdin().as_fd().try_clone_to_owned().ok()?;
        Some(Line(UnixStream::from(input)))
    }

    /// Tells the exit code, and lets go of everything that others could wait for.
    pub fn hand_over(mut self, code: u8) {
        // A command that has ended has nothing to be told.
        let _ = self.0.set_nonblocking(false).and_then(|()| self.0.write_all(&[code]));
        let _ = nix::sys::prctl::set_name(NAME);
        if let Ok(null) = fs::OpenOptions::new().read(true).write(true).open("/dev/null") {
            let _ = nix::unistd::dup2_stdin(&null);
            let _ = nix::unistd::dup2_stdout(&null);
        }
        let _ = let_go_of_standard_error();
    }
}

/// Returns when the line is cut; never where there is none.
pub async fn cut(line: Option<&Line>) {
    let Some(Line(line)) = line else { return never().await };
    let line = line.try_clone().and_then(|line| {
        line.set_nonblocking(true)?;
        tokio::net::UnixStream::from_std(line)
    });
    let Ok(mut line) = line else { return never().await };
    // The command says nothing; its end is the end of the line.
    let _ = line.read_u8().await;
}

async fn never() {
    match std::future::pending::<Infallible>().await {}
}

/// Returns when the kept labs are to be ended.
///
/// # Errors
/// When signals cannot be heard.
pub async fn until_ended() -> Result<(), Box<dyn std::error::Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Ends all processes of this machine that keep labs, and waits for their end; gives those that have ended.
pub fn end_all() -> Vec<i32> {
    process::pids().filter(|process| keeps(*process) && ends(*process)).collect()
}

fn keeps(process: i32) -> bool {
    let name = fs::read(format!("/proc/{process}/comm")).unwrap_or_default();
    // One that has ended has a name until its parent has heard of it, and no program any more.
    name.trim_ascii_end() == NAME.to_bytes() && fs::read_link(format!("/proc/{process}/exe")).is_ok()
}

fn ends(process: i32) -> bool {
    let Ok(descriptor) = process::pidfd(process) else { return false };
    // Between the look at its name and the descriptor it may have ended, and another come.
    if !keeps(process) || pidfd_send_signal(&descriptor, Signal::TERM).is_err() {
        return false;
    }
    process::ends_within(&descriptor, END_LIMIT)
}
