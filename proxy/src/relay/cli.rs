//! The program's arguments: those of HAProxy that fit (management guide, 3).

use std::collections::HashMap;
use std::io::{IsTerminal, Write as _};
use std::iter::Peekable;
use std::path::PathBuf;
use std::process::ExitCode;
use std::slice::Iter;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::start;
use crate::config::{Configuration, check};

const USAGE: &str = "\
usage: relay -f FILE [-f FILE …] [-c] [-db | -D] [-q] [-x SOCKET] [-sf PID … | -st PID …]

  -f FILE  read this configuration; several are read one after the other, as one
  -c       only check the configuration
  -db      stay in the foreground, whatever the configuration says
  -D       go to the background
  -q       write nothing to the standard outputs but errors
  -x SOCKET
           take the listening sockets over from the process that has this stats socket
  -sf PID  when it can work, tell these processes to stop softly
  -st PID  the same, to stop at once
  -v       say the version

It takes HAProxy's configuration, in TCP mode. What it does not know or do it refuses, with its place.";

/// What the arguments ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    files: Vec<String>,
    check: bool,
    foreground: bool,
    background: bool,
    quiet: bool,
    version: bool,
    take_over_from: Option<PathBuf>,
    stop: Vec<(Pid, Signal)>,
}

/// Runs the proxy with the arguments behind its name, to its end; its configuration's `"$NAME"` are of `environment`
/// (configuration manual, 2.3).
#[must_use]
pub fn main(arguments: &[String], environment: &HashMap<String, String>) -> ExitCode {
    let asked = match read(arguments) {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("relay: {why}\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    if asked.version {
        println!("relay {} (HAProxy's TCP mode, as of 2.6)", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    match run(&asked, environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn read(arguments: &[String]) -> Result<Asked, String> {
    let mut asked = Asked::default();
    let mut arguments = arguments.iter().peekable();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-f" => asked.files.push(arguments.next().ok_or("`-f` lacks its file")?.clone()),
            "-c" => asked.check = true,
            "-db" => asked.foreground = true,
            "-D" => asked.background = true,
            "-q" => asked.quiet = true,
            "-v" | "-vv" => asked.version = true,
            "-x" => asked.take_over_from = Some(arguments.next().ok_or("`-x` lacks its socket")?.into()),
            "-sf" => asked.stop = pids(&mut arguments, Signal::SIGUSR1)?,
            "-st" => asked.stop = pids(&mut arguments, Signal::SIGTERM)?,
            other => return Err(format!("`{other}` is no argument of this program")),
        }
    }
    if asked.files.is_empty() && !asked.version {
        return Err("there is no configuration".into());
    }
    Ok(asked)
}

/// The numbers behind `-sf` and `-st`, as many as there are: none is no error (management guide, 3).
fn pids(arguments: &mut Peekable<Iter<'_, String>>, signal: Signal) -> Result<Vec<(Pid, Signal)>, String> {
    let mut pids = Vec::new();
    while let Some(word) = arguments.next_if(|word| !word.starts_with('-')) {
        let pid = word.parse().ok().filter(|pid| *pid > 0).ok_or_else(|| format!("`{word}` is no process's number"))?;
        pids.push((Pid::from_raw(pid), signal));
    }
    Ok(pids)
}

fn run(asked: &Asked, environment: &HashMap<String, String>) -> Result<(), String> {
    let mut texts = Vec::new();
    for file in &asked.files {
        let text = std::fs::read_to_string(file).map_err(|e| format!("relay: reading {file}: {e}"))?;
        texts.push((file.as_str(), text));
    }
    let files: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let configuration = Configuration::read(&files, environment);
    let report = check(&configuration);
    let notes = report.render(std::io::stderr().is_terminal());
    if report.refused() {
        let errors = report.errors().count();
        return Err(format!("{notes}\n\nrelay: {errors} errors in the configuration; nothing was started"));
    }
    if !notes.is_empty() && !asked.quiet {
        eprintln!("{notes}");
    }
    if asked.check {
        // HAProxy's own words: scripts look for them.
        println!("Configuration file is valid");
        return Ok(());
    }
    let started = start::start(&configuration, asked.take_over_from.as_deref()).map_err(|e| e.to_string())?;
    if (configuration.global.daemon || asked.background) && !asked.foreground {
        nix::unistd::daemon(true, false).map_err(|e| format!("relay: going to the background: {e}"))?;
    }
    let _ = std::io::stdout().flush();
    start::work(started, &configuration.global, &asked.stop).map_err(|e| e.to_string())
}
