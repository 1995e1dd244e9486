//! The guard: makes this run's tracefs instance, and removes it when the run has ended, SIGKILL included; and with it the run's
//! containers.
//!
//! A tracefs instance is a directory that outlives whoever made it, and a container is its engine's, so somebody must outlive
//! the run. The guard is a process outside the run's PID namespace that waits for its standard input to close. It mounts tracefs
//! for itself alone. A guest, whose kernel ends with its run, needs none.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::{Error, doing, engine, outlive};

const INSTANCES: &str = "/sys/kernel/tracing/instances";
const PREFIX: &str = "whyclosed-";
const REMOVAL_LIMIT: Duration = Duration::from_secs(10);

/// What the run tells its guard: it uses containers;
const CONTAINERS: u8 = b'c';
/// it ends in order.
const END: u8 = b'e';
/// An engine may still make a container for a run that has been killed meanwhile; it has by then.
const LATE_CONTAINER: Duration = Duration::from_secs(2);

/// A run's name, and its line to its guard.
#[derive(Debug)]
pub struct Mark {
    name: String,
    /// Closing it ends the guard.
    lifeline: Mutex<Option<ChildStdin>>,
    /// Whether the guard knows of containers.
    told: tokio::sync::OnceCell<()>,
}

impl Mark {
    /// The run's name: no other run of this machine has it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// To be called before a container is made: the guard will see to its end. What killed runs have left is removed first.
    ///
    /// # Errors
    /// When the guard or the engine cannot be reached.
    pub async fn uses_containers(&self) -> std::io::Result<()> {
        let first = self.told.get_or_try_init(|| async {
            engine::sweep().await?;
            self.tell(CONTAINERS)
        });
        first.await.copied()
    }

    fn tell(&self, what: u8) -> std::io::Result<()> {
        match self.lifeline.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(lifeline) => lifeline.write_all(&[what]),
            None => Err(std::io::Error::other("the run is ending")),
        }
    }

    fn end(&self) {
        // A guard that has been killed has nothing to be told.
        let _ = self.tell(END);
        self.lifeline.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// A tracefs instance of this run's own.
#[derive(Debug)]
pub struct Guard {
    /// Nobody, in a guest.
    child: Option<Child>,
    instance: PathBuf,
    mark: Arc<Mark>,
}

impl Guard {
    /// Starts `program guard`, which makes the instance.
    ///
    /// # Errors
    /// When it cannot be made: no root, or a kernel without tracefs (CONFIG_FTRACE, CONFIG_ENABLE_DEFAULT_TRACERS).
    pub fn start(program: &Path) -> Result<Guard, Error> {
        let name = name_of_this_process();
        let what = "making a tracefs instance for the kernel's evidence";
        let mut child = Command::new(program)
            .args(["guard", &name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| doing(what, e))?;
        let mut said = String::new();
        if let Some(mut stdout) = child.stdout.take() {
            stdout.read_to_string(&mut said).map_err(|e| doing(what, e))?;
        }
        if said != "ready" {
            let _ = child.wait();
            return Err(doing(what, std::io::Error::other(said)));
        }
        let instance = PathBuf::from(format!("/proc/{}/root{INSTANCES}/{name}", child.id()));
        let lifeline = child.stdin.take();
        Ok(Guard::of(Some(child), lifeline, name, instance))
    }

    /// The instance of a guest's only run, whose kernel ends with it: nobody has to outlive it.
    ///
    /// # Errors
    /// When it cannot be made: a kernel without tracefs.
    pub fn needless() -> Result<Guard, Error> {
        let name = name_of_this_process();
        let instance = Path::new(INSTANCES).join(&name);
        let made = mount_on_tracing().and_then(|()| fs::create_dir(&instance));
        made.map_err(|e| doing("making a tracefs instance for the kernel's evidence", e))?;
        Ok(Guard::of(None, None, name, instance))
    }

    fn of(child: Option<Child>, lifeline: Option<ChildStdin>, name: String, instance: PathBuf) -> Guard {
        let mark = Mark { name, lifeline: Mutex::new(lifeline), told: tokio::sync::OnceCell::new() };
        Guard { child, instance, mark: Arc::new(mark) }
    }

    /// The run's name and its line to this guard.
    #[must_use]
    pub fn mark(&self) -> Arc<Mark> {
        self.mark.clone()
    }

    /// The instance's directory, as this process can reach it.
    #[must_use]
    pub fn instance(&self) -> &Path {
        &self.instance
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.mark.end();
        if let Some(child) = &mut self.child {
            let _ = child.wait();
        }
    }
}

/// What `whyclosed guard NAME` does.
///
/// # Errors
/// When the instance cannot be made or removed; the reason is on standard output.
pub fn guard(name: &str) -> std::io::Result<()> {
    let _ = nix::unistd::setsid();
    let instance = Path::new(INSTANCES).join(name);
    let made = mount_tracefs().and_then(|()| fs::create_dir(&instance));
    let mut out = std::io::stdout();
    match &made {
        Ok(()) => out.write_all(b"ready")?,
        Err(e) => write!(out, "{e} ({})", instance.display())?,
    }
    out.flush()?;
    nix::unistd::dup2_stdout(fs::OpenOptions::new().write(true).open("/dev/null")?)?;
    if outlive::may_be_kept() {
        outlive::let_go_of_standard_error()?;
    }
    made?;
    let mut told = Vec::new();
    std::io::stdin().read_to_end(&mut told)?;
    let containers = if told.contains(&CONTAINERS) { remove_containers(name, told.contains(&END)) } else { Ok(()) };
    remove(&instance).and(containers)
}

fn remove_containers(run: &str, ended_in_order: bool) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        engine::remove(run, None).await?;
        if !ended_in_order {
            // The engine tells nobody that a request of a killed run is done.
            tokio::time::sleep(LATE_CONTAINER).await;
            engine::remove(run, None).await?;
        }
        Ok(())
    })
}

/// Removes the instances of runs that no longer exist; returns their names.
///
/// # Errors
/// When tracefs cannot be mounted or an instance cannot be removed.
pub fn sweep() -> std::io::Result<Vec<String>> {
    // Mounting is for this thread alone, and the thread ends with the sweep.
    std::thread::spawn(|| {
        mount_tracefs()?;
        let mut swept = Vec::new();
        for entry in fs::read_dir(INSTANCES)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if is_over(&name) {
                remove(&Path::new(INSTANCES).join(&name))?;
                swept.push(name);
            }
        }
        Ok(swept)
    })
    .join()
    .unwrap_or_else(|_| Err(std::io::Error::other("the sweeping thread panicked")))
}

/// The name of this process's run: no other has it as long as the machine is up.
#[must_use]
pub fn name_of_this_process() -> String {
    let pid = std::process::id();
    format!("{PREFIX}{pid}-{}", started(pid).unwrap_or_default())
}

/// Whether a name is that of a run that no longer exists.
#[must_use]
pub fn is_over(name: &str) -> bool {
    let owner = name.strip_prefix(PREFIX).and_then(|owner| owner.split_once('-'));
    let owner = owner.and_then(|(pid, start)| Some((pid.parse().ok()?, start.parse().ok()?)));
    // A number alone may have been given to another process.
    owner.is_some_and(|(pid, start)| started(pid) != Some(start))
}

/// When a process started, in ticks since boot (proc(5), `stat`).
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The 22nd field; the 2nd, the command name, may hold anything up to its closing bracket.
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

fn mount_tracefs() -> std::io::Result<()> {
    const NONE: Option<&str> = None;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)?;
    mount_on_tracing()
}

fn mount_on_tracing() -> std::io::Result<()> {
    const NONE: Option<&str> = None;
    match mount(Some("tracefs"), "/sys/kernel/tracing", Some("tracefs"), MsFlags::empty(), NONE) {
        // It is there already, as on most machines with systemd (mount(2)).
        Err(nix::errno::Errno::EBUSY) => Ok(()),
        other => Ok(other?),
    }
}

/// An instance is busy while the dying run's descriptors are being closed.
fn remove(instance: &Path) -> std::io::Result<()> {
    let deadline = Instant::now() + REMOVAL_LIMIT;
    loop {
        match fs::remove_dir(instance) {
            Err(e) if e.raw_os_error() == Some(nix::libc::EBUSY) && Instant::now() < deadline => {
                // Nothing in the kernel tells when the last descriptor of an instance is closed.
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            other => return other,
        }
    }
}
