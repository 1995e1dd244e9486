//! Containing the guest kernel from outside.
//!
//! A User-Mode Linux kernel is an ordinary process, and its guests' root can mount hostfs, the host's files, writable: whatever
//! the process may do to files, its guests may. So `whyclosed contain` restricts itself, for good, and then becomes the kernel.
//!
//! ```text
//! landlock.rs     writing only beneath given folders, no network, no signals out: Landlock, Linux 6.2 or later
//! namespaces.rs   the same with a user and a mount namespace, where there is no Landlock
//! seccomp.rs      what neither sees: modes, owners, times, attributes, mounts, namespaces
//! ```
//!
//! Reading is not restricted: the guest's root file system is the host's.

mod landlock;
mod namespaces;
mod seccomp;

use std::ffi::OsString;
use std::fmt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

/// What restricts writing to the folders given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Containment {
    /// Landlock, with this version of its interface (landlock(7)).
    Landlock(i32),
    /// A user and a mount namespace in which all else is mounted read-only (user_namespaces(7), mount_setattr(2)).
    Namespaces,
}

/// A way to contain, as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// As [`Containment::Landlock`].
    Landlock,
    /// As [`Containment::Namespaces`].
    Namespaces,
}

/// A program and what it is confined to: the arguments of `whyclosed contain`.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Contained {
    /// Only this way; otherwise Landlock, or namespaces where it is missing
    #[arg(long)]
    pub way: Option<Way>,
    /// The one processor to run on
    #[arg(long, value_name = "NUMBER")]
    pub processor: Option<usize>,
    /// Who starts it: if that is no longer the parent, nothing is started
    #[arg(long, value_name = "PID")]
    pub parent: Option<i32>,
    /// A folder to write beneath; may be repeated
    #[arg(long, value_name = "FOLDER")]
    pub writable: Vec<PathBuf>,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    pub argv: Vec<OsString>,
}

/// Why a program was not started. It never is without containment.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error("{doing}: {source}")]
    System {
        /// What was being done.
        doing: String,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The machine offers no way to contain.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The one way that was asked for does not work here.
    #[error("{0}")]
    Refused(String),
    /// Whoever wanted the program is gone.
    #[error("the process that started it has ended")]
    Orphan,
    /// No program was given.
    #[error("no program to run")]
    Nothing,
}

/// The machine offers no way to contain a guest kernel.
#[derive(Debug, thiserror::Error)]
#[error(
    "a guest kernel cannot be contained on this machine:\n  \
     Landlock: {landlock}; it needs Linux 6.2 or later with CONFIG_SECURITY_LANDLOCK and `landlock` in the kernel \
     parameter lsm=\n  \
     namespaces: {namespaces}; they need user.max_user_namespaces > 0, where they exist \
     kernel.unprivileged_userns_clone=1 and kernel.apparmor_restrict_unprivileged_userns=0, and in a container \
     permission for unshare(2) and mount(2)"
)]
pub struct Missing {
    landlock: String,
    namespaces: String,
}

impl fmt::Display for Containment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Containment::Landlock(abi) => write!(f, "Landlock, ABI {abi}"),
            Containment::Namespaces => f.write_str("a user and a mount namespace"),
        }
    }
}

impl Containment {
    /// The way that [`Contained::become_it`] will take on this machine, found by taking it; `program` is `whyclosed`.
    ///
    /// # Errors
    /// When there is none, with what is missing for each.
    pub fn find(program: &Path) -> Result<Containment, Missing> {
        let landlock = match landlock::probe() {
            Ok(abi) => return Ok(Containment::Landlock(abi)),
            Err(reason) => reason,
        };
        match namespaces_work(program) {
            Ok(()) => Ok(Containment::Namespaces),
            Err(namespaces) => Err(Missing { landlock, namespaces }),
        }
    }

    /// The capabilities that a caller who is root keeps.
    fn kept(self) -> CapabilitySet {
        match self {
            // Files of whoever called sudo are to be readable, and results writable, as for root outside.
            Containment::Landlock(_) => CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH,
            // In the namespace all of them would be there, CAP_SYS_ADMIN with which mounts become writable again too.
            Containment::Namespaces => CapabilitySet::empty(),
        }
    }
}

/// A thread cannot make a user namespace for itself (unshare(2)), so a process tries.
fn namespaces_work(program: &Path) -> Result<(), String> {
    let trial = Contained {
        way: Some(Way::Namespaces),
        argv: vec![program.into(), "--version".into()],
        ..Contained::default()
    };
    let output = trial.command(program).stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_string())
}

impl Contained {
    /// `program contain …`: what the launcher starts; `program` is `whyclosed`.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.arg("contain");
        if let Some(way) = self.way {
            command.args(["--way", if way == Way::Landlock { "landlock" } else { "namespaces" }]);
        }
        if let Some(processor) = self.processor {
            command.args(["--processor", &processor.to_string()]);
        }
        if let Some(parent) = self.parent {
            command.args(["--parent", &parent.to_string()]);
        }
        for folder in &self.writable {
            command.arg("--writable").arg(folder);
        }
        command.arg("--").args(&self.argv);
        command
    }

    /// What `whyclosed contain` does: restricts this process and becomes the program. It returns only if it could not.
    ///
    /// The process must have one thread, as unshare(2) with CLONE_NEWUSER requires and seccomp(2) assumes here.
    #[must_use]
    pub fn become_it(&self) -> Error {
        match self.prepare() {
            Ok(mut command) => {
                let program = command.get_program().to_string_lossy().into_owned();
                doing(format!("starting `{program}`"), command.exec())
            }
            Err(error) => error,
        }
    }

    fn prepare(&self) -> Result<Command, Error> {
        let parent = self.parent.map_or_else(getppid, Pid::from_raw);
        let (program, arguments) = self.argv.split_first().ok_or(Error::Nothing)?;
        if let Some(processor) = self.processor {
            pin(processor).map_err(|e| doing(format!("pinning itself to processor {processor}"), e.into()))?;
        }
        let folders = self.folders()?;
        rustix::thread::set_no_new_privs(true).map_err(|e| doing("setting no_new_privs".into(), e.into()))?;
        let containment = self.restrict(&folders)?;
        lower(containment.kept()).map_err(|e| doing("giving up capabilities".into(), e.into()))?;
        // A change of credentials clears it (prctl(2)), so this comes after them.
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)
            .map_err(|e| doing("asking to end with the parent".into(), e.into()))?;
        if getppid() != parent {
            return Err(Error::Orphan);
        }
        seccomp::filter().map_err(|e| doing("installing the seccomp filter (CONFIG_SECCOMP_FILTER)".into(), e))?;
        let mut command = Command::new(program);
        command.args(arguments);
        Ok(command)
    }

    /// Without symbolic links: what is checked here is then what is opened.
    fn folders(&self) -> Result<Vec<PathBuf>, Error> {
        let folders = self.writable.iter().map(|folder| {
            let found = folder.canonicalize().and_then(|path| match path.is_dir() && path.parent().is_some() {
                true => Ok(path),
                false => Err(Errno::ENOTDIR.into()),
            });
            found.map_err(|error| doing(format!("looking for the folder {} to write beneath", folder.display()), error))
        });
        folders.collect()
    }

    fn restrict(&self, folders: &[PathBuf]) -> Result<Containment, Error> {
        let by_landlock = || landlock::restrict(folders).map(Containment::Landlock);
        let by_namespaces = || namespaces::restrict(folders).map(|()| Containment::Namespaces);
        match self.way {
            Some(Way::Landlock) => by_landlock().map_err(Error::Refused),
            Some(Way::Namespaces) => by_namespaces().map_err(Error::Refused),
            None => by_landlock()
                .or_else(|landlock| by_namespaces().map_err(|namespaces| Missing { landlock, namespaces }.into())),
        }
    }
}

fn pin(processor: usize) -> nix::Result<()> {
    let mut set = CpuSet::new();
    set.set(processor)?;
    sched_setaffinity(Pid::from_raw(0), &set)
}

/// Keeps at most these capabilities. With no_new_privs exec gives none back, to root neither (prctl(2)).
fn lower(kept: CapabilitySet) -> rustix::io::Result<()> {
    let has = rustix::thread::capabilities(None)?;
    let permitted = has.permitted & kept;
    let sets = CapabilitySets { effective: permitted, permitted, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets)
}

fn doing(doing: String, source: std::io::Error) -> Error {
    Error::System { doing, source }
}
