//! Building the kernel of the virtual clock.

use std::fs::{File, Permissions, TryLockError};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::process::Command;

use super::changes::{self, CHANGES, Made};
use super::source::{self, MINIMUM, RESET_REASONS, Source};
use super::{Kernel, TICKS_PER_SECOND, cache_to_build_in, command, find_in, fragment, hash, needs};

/// About as many files as Linux 6.12 has to compile or assemble; only the progress is told by it.
pub const OBJECTS: usize = 810;

/// Variables of a calling make or of a kernel developer's shell, each of which would make another kernel or none.
const FOREIGN: [&str; 14] = [
    "ARCH",
    "CROSS_COMPILE",
    "GNUMAKEFLAGS",
    "KBUILD_OUTPUT",
    "KCFLAGS",
    "KCONFIG_CONFIG",
    "KCPPFLAGS",
    "LLVM",
    "LOCALVERSION",
    "MAKEFLAGS",
    "MAKELEVEL",
    "MAKEOVERRIDES",
    "MFLAGS",
    "O",
];

/// What happens meanwhile.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Something begins.
    Begins(&'a str),
    /// Something to know.
    Note(&'a str),
    /// So many of about [`OBJECTS`] files are compiled.
    Compiled(usize, Duration),
}

/// No kernel was built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no User-Mode Linux for this machine.
    #[error(
        "the virtual clock is User-Mode Linux, which exists for Linux on x86-64 only, and this is {0}; the real clock needs no kernel of its own"
    )]
    Platform(String),
    /// The machine lacks something.
    #[error(transparent)]
    Needs(#[from] needs::Needs),
    /// A file or folder.
    #[error("{doing} {}: {cause}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What went wrong.
        cause: std::io::Error,
    },
    /// This is no source that can be built.
    #[error("{}: {why}", path.display())]
    Source {
        /// The source.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A change of the source could not be made.
    #[error(transparent)]
    Change(#[from] changes::Error),
    /// The source does not take all of the configuration.
    #[error(
        "Linux {release} does not take these lines of the configuration, so the kernel would lack something:\n  {}\n\
         Another source can be named with --source (6.12 works)",
        lines.join("\n  ")
    )]
    Fragment {
        /// The release of the source.
        release: String,
        /// The lines.
        lines: Vec<String>,
    },
    /// A program failed, or this one was interrupted.
    #[error(transparent)]
    Command(#[from] command::Error),
}

/// What is known of a built kernel, for people: `about.json`.
#[derive(Debug, Serialize)]
struct About {
    release: String,
    ticks_per_second: u32,
    reset_reasons: bool,
    source: PathBuf,
    changed: Vec<&'static str>,
    built_in_s: u64,
}

fn file(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_path_buf();
    move |cause| Error::File { doing, path, cause }
}

/// Builds the kernel, unless another build that runs meanwhile has done so; with `force`, in any case.
///
/// # Errors
/// When the machine lacks something, or the build fails. Nothing is left of it then.
pub fn build(force: bool, named: Option<&Path>, tell: &mut dyn FnMut(Event<'_>)) -> Result<Kernel, Error> {
    platform(std::env::consts::OS, std::env::consts::ARCH)?;
    let named = named.map(|path| Source::of(path).map_err(file("looking at the source", path))).transpose()?;
    let cache = cache_to_build_in(|name| std::env::var_os(name), nix::unistd::geteuid().is_root());
    let kernels = cache.join("kernel");
    folder(&cache)?;
    folder(&kernels)?;
    let _lock = lock(&kernels, tell)?;
    if !force && let Ok(kernel) = find_in(&[cache], &hash()) {
        return Ok(kernel);
    }
    sweep(&kernels)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(file("building in", &kernels))?;
    let work = Work::new(&kernels)?;
    let built = runtime.block_on(attempt(named, &kernels, &work, tell));
    if let Err(Error::Command(command::Error::Interrupted)) = built {
        // Tens of thousands of files: on a slow disk the end takes a while.
        tell(Event::Note("interrupted: removing what was unpacked"));
    }
    built
}

fn platform(os: &str, arch: &str) -> Result<(), Error> {
    if (os, arch) == ("linux", "x86_64") { Ok(()) } else { Err(Error::Platform(format!("{os} on {arch}"))) }
}

async fn attempt(
    named: Option<Source>,
    kernels: &Path,
    work: &Work,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Kernel, Error> {
    let from = needs::ensure(named, |text| tell(Event::Note(text))).await?;
    let started = Instant::now();
    let tree = work.0.join("linux");
    folder(&tree)?;
    tell(Event::Begins(&format!("unpacking {}", from.path().display())));
    command::run("unpacking the kernel's source", from.unpack(&tree), |_| ()).await?;
    let version = new_enough(&from, &tree)?;
    let reset_reasons = version.as_slice() >= RESET_REASONS.as_slice();
    if !reset_reasons {
        tell(Event::Note(
            "before Linux 6.12 the kernel does not say why it sends a RST: some verdicts will be less firm",
        ));
    }
    let mut changed = Vec::new();
    for change in &CHANGES {
        if change.make(&tree)? == Made::Changed {
            changed.push(change.file);
        }
    }

    let asked = work.0.join("fragment.config");
    std::fs::write(&asked, fragment::FRAGMENT).map_err(file("writing", &asked))?;
    tell(Event::Begins("configuring"));
    let mut configure = make(&tree, &["allnoconfig"]);
    // What is asked for is set first and all else is off afterwards; so dependencies are seen as they will be.
    configure.env("KCONFIG_ALLCONFIG", &asked);
    command::run("configuring the kernel", configure, |_| ()).await?;
    command::run("configuring the kernel", make(&tree, &["olddefconfig"]), |_| ()).await?;
    let config = tree.join(".config");
    let text = std::fs::read_to_string(&config).map_err(file("reading", &config))?;
    let mut release = String::new();
    command::run("asking for the release", make(&tree, &["-s", "kernelrelease"]), |line| release = line.trim().into())
        .await?;
    let lines = fragment::missing(fragment::FRAGMENT, &text);
    if !lines.is_empty() {
        return Err(Error::Fragment { release, lines });
    }

    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    tell(Event::Begins(&format!("building Linux {release} with {jobs} jobs")));
    let (compiling, mut compiled) = (Instant::now(), 0);
    command::run("building the kernel", make(&tree, &[&format!("-j{jobs}"), "linux"]), |line| {
        if is_object(line) {
            compiled += 1;
            tell(Event::Compiled(compiled, compiling.elapsed()));
        }
    })
    .await?;
    let about = About {
        release,
        ticks_per_second: TICKS_PER_SECOND,
        reset_reasons,
        source: from.path().to_path_buf(),
        changed,
        built_in_s: started.elapsed().as_secs(),
    };
    install(&tree, kernels, work, about).await
}

/// The version of an unpacked source.
fn new_enough(from: &Source, tree: &Path) -> Result<Vec<u32>, Error> {
    let wrong = |why: String| Error::Source { path: from.path().to_path_buf(), why };
    let makefile = std::fs::read_to_string(tree.join("Makefile")).unwrap_or_default();
    let version = source::version_of(&makefile)
        .ok_or_else(|| wrong("this is no Linux source: it has no Makefile that says a version".into()))?;
    if version.as_slice() < MINIMUM.as_slice() {
        let [major, minor] = MINIMUM;
        return Err(wrong(format!("this is Linux {}, and {major}.{minor} or later is needed", dotted(&version))));
    }
    Ok(version)
}

fn dotted(version: &[u32]) -> String {
    version.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

fn make(tree: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("make");
    command.current_dir(tree).arg("ARCH=um").args(arguments);
    for name in FOREIGN {
        command.env_remove(name);
    }
    // The kernel says who built it and where, which is nobody's business.
    command.env("LC_ALL", "C").env("KBUILD_BUILD_USER", "whyclosed").env("KBUILD_BUILD_HOST", "whyclosed");
    command
}

/// kbuild's line for a file that is compiled or assembled: `  CC      net/core/sock.o`.
fn is_object(line: &str) -> bool {
    let mut words = line.split_whitespace();
    matches!(words.next(), Some("CC" | "AS")) && words.next().is_some_and(|name| name.ends_with(".o"))
}

async fn install(tree: &Path, kernels: &Path, work: &Work, about: About) -> Result<Kernel, Error> {
    let ready = work.0.join("ready");
    folder(&ready)?;
    let program = ready.join("linux");
    let mut strip = Command::new("strip");
    strip.arg("-o").arg(&program).arg(tree.join("linux"));
    command::run("stripping the kernel", strip, |_| ()).await?;
    mode(&program, 0o755)?;
    let config = ready.join("config");
    std::fs::copy(tree.join(".config"), &config).map_err(file("writing", &config))?;
    mode(&config, 0o644)?;
    let path = ready.join("about.json");
    let text = serde_json::to_string_pretty(&about).map_err(std::io::Error::from).map_err(file("writing", &path))?;
    std::fs::write(&path, text + "\n").map_err(file("writing", &path))?;
    mode(&path, 0o644)?;

    let place = kernels.join(format!("{}-{}", about.release, hash()));
    // A rename replaces no folder with something in it. The old one goes with the build's folder.
    if place.exists() {
        std::fs::rename(&place, work.0.join("old")).map_err(file("replacing", &place))?;
    }
    std::fs::rename(&ready, &place).map_err(file("installing", &place))?;
    Ok(Kernel { path: place.join("linux"), release: about.release, reset_reasons: about.reset_reasons })
}

/// A folder that all can read: a kernel that root built serves everybody.
fn folder(path: &Path) -> Result<(), Error> {
    if path.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(path).map_err(file("making the folder", path))?;
    mode(path, 0o755)
}

/// Set, as the caller's umask may leave others without.
fn mode(path: &Path, mode: u32) -> Result<(), Error> {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(file("setting the mode of", path))
}

/// One build at a time in a cache. The lock ends with the process that has it.
fn lock(kernels: &Path, tell: &mut dyn FnMut(Event<'_>)) -> Result<File, Error> {
    let path = kernels.join(".lock");
    let mut lock = File::options().create(true).append(true).open(&path).map_err(file("opening", &path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            tell(Event::Note("another build runs; waiting for it"));
            lock.lock().map_err(file("locking", &path))?;
        }
        Err(TryLockError::Error(cause)) => return Err(file("locking", &path)(cause)),
    }
    // Nothing reads it; a file with something in it says what it is for.
    if lock.metadata().is_ok_and(|about| about.len() == 0) {
        let _ = lock.write_all(b"Held while a kernel is built here.\n");
    }
    Ok(lock)
}

/// What the folders of builds begin with.
const WORK: &str = ".build-";

/// The folder of a build; it goes when the build ends.
struct Work(PathBuf);

impl Work {
    fn new(kernels: &Path) -> Result<Self, Error> {
        let work = Self(kernels.join(format!("{WORK}{}", std::process::id())));
        folder(&work.0)?;
        Ok(work)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // The next build sweeps what cannot be removed now.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Removes what builds left that were killed: the caller has the lock, so none of them runs.
fn sweep(kernels: &Path) -> Result<(), Error> {
    let entries = std::fs::read_dir(kernels).map_err(file("reading", kernels))?.flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(WORK)) {
        std::fs::remove_dir_all(entry.path()).map_err(file("removing", &entry.path()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_are_refused() {
        assert!(platform("linux", "x86_64").is_ok());
        let error = platform("linux", "aarch64").unwrap_err().to_string();
        assert!(error.contains("x86-64 only") && error.contains("linux on aarch64"), "{error}");
    }

    #[test]
    fn only_what_is_compiled_or_assembled_counts() {
        let lines = [
            "  CC      net/core/sock.o",
            "  AS      arch/x86/um/stub_64.o",
            "  AR      net/built-in.a",
            "  HOSTCC  scripts/a.o",
            "",
        ];
        assert_eq!(lines.map(is_object), [true, true, false, false, false]);
    }

    #[test]
    fn a_source_that_is_too_old_is_refused_with_its_version() {
        let tree = tempfile::tempdir().unwrap();
        let from = Source::Folder("/linux".into());
        std::fs::write(tree.path().join("Makefile"), "VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 9\n").unwrap();
        let error = new_enough(&from, tree.path()).unwrap_err().to_string();
        assert_eq!(error, "/linux: this is Linux 6.1.9, and 6.8 or later is needed");
        std::fs::remove_file(tree.path().join("Makefile")).unwrap();
        assert!(new_enough(&from, tree.path()).unwrap_err().to_string().contains("no Linux source"));
    }

    #[test]
    fn what_killed_builds_left_is_removed_and_kernels_stay() {
        let kernels = tempfile::tempdir().unwrap();
        for name in [".build-1/linux", "6.12.1-aa"] {
            std::fs::create_dir_all(kernels.path().join(name)).unwrap();
        }
        sweep(kernels.path()).unwrap();
        assert!(!kernels.path().join(".build-1").exists() && kernels.path().join("6.12.1-aa").exists());
    }

    #[test]
    fn a_build_leaves_no_folder() {
        let kernels = tempfile::tempdir().unwrap();
        let work = Work::new(kernels.path()).unwrap();
        assert!(work.0.is_dir());
        drop(work);
        assert_eq!(std::fs::read_dir(kernels.path()).unwrap().count(), 0);
    }
}
