//! What a run could leave behind on this machine, and what of the machine it must not touch.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::{Failure, Result};

/// The kernel takes namespaces down on its own time, and tells nobody when it has.
const POLL: Duration = Duration::from_millis(20);
/// The kinds of namespace that a run makes and the host's services hardly do.
const KINDS: [&str; 2] = ["net", "pid"];
/// What a container is called here.
const CONTAINER: &str = "container";

/// What stands on this machine, as far as a run could have put it there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing(BTreeSet<String>);

impl Standing {
    /// Network and PID namespaces other than this process's own, the processes in them, processes of `program`; interfaces,
    /// mounts, tracefs instances, containers.
    ///
    /// # Errors
    /// When tracefs cannot be mounted to look.
    pub fn look(program: &str) -> Result<Standing> {
        let mut all = BTreeSet::new();
        let own = KINDS.map(|kind| namespace("self", kind));
        for process in numbered("/proc") {
            let others = KINDS.iter().zip(&own).filter_map(|(kind, own)| {
                let namespace = namespace(&process, kind)?;
                (Some(namespace) != *own).then(|| format!("{kind} namespace {namespace}"))
            });
            let others: Vec<_> = others.collect();
            let runs = fs::read_link(format!("/proc/{process}/exe"));
            if !others.is_empty() || runs.is_ok_and(|path| path.to_string_lossy().starts_with(program)) {
                all.extend(process_line(&process));
                all.extend(others);
            }
        }
        all.extend(names("/sys/class/net").map(|name| format!("interface {name}")));
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        all.extend(mounts.lines().map(|line| format!("mount {line}")));
        all.extend(tracefs_instances()?.into_iter().map(|name| format!("tracefs instance {name}")));
        all.extend(containers());
        Ok(Standing(all))
    }

    /// Whether a container of a run stands here.
    #[must_use]
    pub fn has_container(&self) -> bool {
        self.0.iter().any(|line| line.starts_with(CONTAINER))
    }

    /// What stands here and did not stand `before`.
    #[must_use]
    pub fn beyond(&self, before: &Standing) -> Vec<String> {
        self.0.difference(&before.0).cloned().collect()
    }
}

/// Waits until nothing of `program` stands on this machine that did not stand `before`.
///
/// # Errors
/// When something still does after `limit`: what it is.
pub fn as_before(program: &str, before: &Standing, limit: Duration) -> Result {
    let deadline = Instant::now() + limit;
    loop {
        let left = Standing::look(program)?.beyond(before);
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Failure::new(format!("still there after {limit:?}:\n  {}", left.join("\n  "))));
        }
        std::thread::sleep(POLL);
    }
}

/// The containers of all runs; none where there is no Docker.
fn containers() -> Vec<String> {
    let label = "label=whyclosed.run";
    let listed = Command::new("docker").args(["ps", "--all", "--quiet", "--filter", label]).output();
    let listed = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    listed.lines().map(|id| format!("{CONTAINER} {id}")).collect()
}

fn namespace(process: &str, kind: &str) -> Option<u64> {
    fs::metadata(format!("/proc/{process}/ns/{kind}")).ok().map(|namespace| namespace.ino())
}

/// Kernel threads come and go by themselves; they have no command line.
fn process_line(pid: &str) -> Option<String> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok().filter(|line| !line.is_empty())?;
    Some(format!("process {pid} {}", String::from_utf8_lossy(&line).replace('\0', " ").trim_end()))
}

fn names(folder: &str) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}

fn numbered(folder: &str) -> impl Iterator<Item = String> {
    names(folder).filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The tracefs instances that there are.
///
/// # Errors
/// When tracefs cannot be mounted.
pub fn tracefs_instances() -> Result<Vec<String>> {
    with_tracefs(|| names("/sys/kernel/tracing/instances").collect())
}

/// Does something where tracefs is mounted, whether the host has it mounted or not. Mounts are a thread's own, and end with it and the
/// processes that it has started.
///
/// # Errors
/// When it cannot be mounted.
pub fn with_tracefs<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    const NONE: Option<&str> = None;
    let done = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)?;
        match mount(Some("tracefs"), "/sys/kernel/tracing", Some("tracefs"), MsFlags::empty(), NONE) {
            Ok(()) | Err(nix::Error::EBUSY) => Ok::<_, nix::Error>(what()),
            Err(error) => Err(error),
        }
    });
    let done = done.join().map_err(|_| Failure::new("the thread that looks into tracefs panicked"))?;
    done.map_err(|error| Failure::new(format!("mounting tracefs: {error}")))
}

/// The host's own network, as text: addresses, routes, rules, neighbours' settings, packet filter, sysctls.
///
/// # Errors
/// When a program that shows it is missing.
pub fn host_network() -> Result<String> {
    let mut text = String::new();
    for command in ["ip address", "ip -4 route show table all", "ip -6 route show table all", "ip rule", "tc qdisc"] {
        // Lifetimes count down by themselves.
        text.extend(shown(command)?.lines().filter(|line| !line.contains("valid_lft")).map(|line| format!("{line}\n")));
    }
    text.push_str(&shown("nft list ruleset")?);
    sysctls(Path::new("/proc/sys/net"), &mut text);
    Ok(text)
}

fn shown(command: &str) -> Result<String> {
    let mut words = command.split(' ');
    let output = Command::new(words.next().unwrap_or_default()).args(words).output();
    let output = output.map_err(|error| Failure::new(format!("`{command}`: {error}; scripts/install-needs ip nft")))?;
    Ok(format!("# {command}\n{}", String::from_utf8_lossy(&output.stdout)))
}

/// Every readable sysctl below `folder` that does not count by itself.
fn sysctls(folder: &Path, text: &mut String) {
    const COUNTERS: [&str; 1] = ["nf_conntrack_count"];
    let mut entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let counts = path.file_name().is_some_and(|name| COUNTERS.iter().any(|counter| name == *counter));
        if path.is_dir() {
            sysctls(&path, text);
        } else if let Ok(value) = fs::read_to_string(&path)
            && !counts
        {
            text.push_str(&format!("{} = {value}", path.display()));
        }
    }
}
