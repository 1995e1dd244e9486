//! Running the programs that build a kernel, so that they end when this program is told to end.

use std::collections::VecDeque;
use std::process::Stdio;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

/// How many of a program's last lines an error keeps.
const TAIL: usize = 30;

/// A program failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be run.
    #[error("{doing}: {cause}")]
    Run {
        /// What was being done.
        doing: String,
        /// What went wrong.
        cause: std::io::Error,
    },
    /// It ran and failed.
    #[error("{doing} failed ({status}); the last that was said:\n{tail}")]
    Failed {
        /// What was being done.
        doing: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The last lines of its output.
        tail: String,
    },
    /// This program was told to end.
    #[error("interrupted; nothing is left of what was begun")]
    Interrupted,
}

/// Runs `command`, and gives each line of its output, standard error included, to `line`.
///
/// # Errors
/// When it cannot be run, fails, or when this program is interrupted meanwhile; the command and what it started are
/// ended then.
pub async fn run(doing: &str, mut command: Command, mut line: impl FnMut(&str)) -> Result<(), Error> {
    let failed = |cause| Error::Run { doing: doing.to_string(), cause };
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    // A group of its own, so that all of it can be ended: make starts compilers, and they outlive it.
    command.process_group(0).stdin(Stdio::null()).stdout(writer.try_clone().map_err(failed)?).stderr(writer);
    let mut child = command.spawn().map_err(failed)?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    // It holds the ends of the pipe for writing: the output would never end.
    drop(command);

    let reader = pipe::Receiver::from_owned_fd(reader.into()).map_err(failed)?;
    let mut lines = BufReader::new(reader).split(b'\n');
    let mut tail = VecDeque::new();
    let mut interrupted = std::pin::pin!(interrupted());
    loop {
        let text = tokio::select! {
            text = lines.next_segment() => text.map_err(failed)?,
            heard = &mut interrupted => {
                heard.map_err(failed)?;
                if let Some(group) = group {
                    // It may have ended by itself meanwhile.
                    let _ = killpg(group, Signal::SIGKILL);
                }
                child.wait().await.map_err(failed)?;
                return Err(Error::Interrupted);
            }
        };
        let Some(text) = text else { break };
        let text = String::from_utf8_lossy(&text);
        line(&text);
        if tail.len() == TAIL {
            tail.pop_front();
        }
        tail.push_back(text.into_owned());
    }
    let status = child.wait().await.map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed { doing: doing.to_string(), status, tail: Vec::from(tail).join("\n") })
}

/// Until this program is told to end.
async fn interrupted() -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Result<Vec<String>, Error> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let mut lines = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run("trying", command, |line| lines.push(line.to_string())))?;
        Ok(lines)
    }

    #[test]
    fn output_and_errors_come_line_by_line_and_in_order() {
        assert_eq!(sh("echo a; echo b >&2; printf 'c\\377'").unwrap(), ["a", "b", "c\u{fffd}"]);
    }

    #[test]
    fn a_failure_keeps_the_last_thirty_lines() {
        let error = sh("seq 1 100; exit 3").unwrap_err().to_string();
        assert!(error.contains("trying failed (exit status: 3)"), "{error}");
        assert!(error.contains("\n71\n") && error.ends_with("\n100") && !error.contains("\n70\n"), "{error}");
    }
}
