//! `whyclosed enter`: how a program of the lab comes to its place.
//!
//! The harness starts this small process inside the run's PID namespace and sends it, over a socket on its standard input, the
//! [`Place`] and the descriptors it needs. It enters the node's network namespace, gives itself mounts of its own (/proc, /dev
//! with /dev/log, /tmp, /run), sends back the descriptor of its mount namespace, and becomes the program. A failure comes back as
//! text; success closes the socket.
//!
//! A program of the harness's own (an actor, the relay) goes on in the same process: to start it anew would cost as much as all the
//! rest of its start (in a guest some 400 page faults), and nothing of it would be different.

use std::fs;
use std::io::{IoSlice, IoSliceMut};
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, UnixAddr, bind, recvmsg, sendmsg};
use serde::{Deserialize, Serialize};

/// A program and the place it runs in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Place {
    /// The program and its arguments; an empty program name is this very program.
    pub argv: Vec<String>,
    /// Its environment, whole.
    pub env: Vec<(String, String)>,
    /// Its working directory.
    pub directory: PathBuf,
    /// Files to write before it starts.
    pub files: Vec<(PathBuf, String)>,
    /// Names that it can use for addresses: its own /etc/hosts.
    pub hosts: Vec<(String, Ipv4Addr)>,
    /// The folder that is its whole file system, but for what it writes; the machine's own if `None`.
    pub root: Option<PathBuf>,
    /// Whom it runs as, by name or number, perhaps with a group behind a colon; root if `None`.
    pub user: Option<String>,
}

impl Place {
    /// A program of this machine, with an environment of its own beside what every program has.
    #[must_use]
    pub fn of(argv: Vec<String>, directory: &Path, env: &[(String, String)]) -> Place {
        Place { argv, env: environment(env), directory: directory.to_path_buf(), ..Place::default() }
    }
}

/// The environment that every program of the lab starts from: the same on every machine.
#[must_use]
pub fn environment(own: &[(String, String)]) -> Vec<(String, String)> {
    let base = [
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("LANG", "C.UTF-8"),
        ("HOME", "/tmp"),
    ];
    let base = base.into_iter().map(|(key, value)| (key.to_string(), value.to_string()));
    base.filter(|(key, _)| own.iter().all(|(k, _)| k != key)).chain(own.iter().cloned()).collect()
}

/// The descriptors that go with a [`Place`], in this order.
pub const DESCRIPTORS: usize = 5;

/// Sends a place and its descriptors: network namespace, syslog socket, standard input, output, error.
///
/// # Errors
/// As sendmsg(2).
pub fn send(socket: RawFd, place: &Place, descriptors: &[RawFd; DESCRIPTORS]) -> std::io::Result<()> {
    let text = serde_json::to_vec(place)?;
    sendmsg::<()>(socket, &[IoSlice::new(&text)], &[ControlMessage::ScmRights(descriptors)], MsgFlags::empty(), None)?;
    Ok(())
}

/// Waits until the program runs or has failed to: the mount namespace that it was given, or the reason.
///
/// A program may have ended when this returns, and its mount namespace can then be reached in no other way.
///
/// # Errors
/// As recvmsg(2).
pub fn entered(socket: &OwnedFd) -> std::io::Result<Result<fs::File, String>> {
    let mut mounts = None;
    loop {
        let mut text = vec![0; 4096];
        let (length, descriptors) = receive_from(socket.as_raw_fd(), &mut text)?;
        match (length, descriptors.into_iter().next()) {
            (0, _) => return Ok(mounts.ok_or_else(|| "it ended before it came to its place".into())),
            (_, Some(descriptor)) => mounts = Some(fs::File::from(descriptor)),
            (_, None) => return Ok(Err(String::from_utf8_lossy(&text[..length]).into_owned())),
        }
    }
}

/// A program of the harness's own, in its place.
#[derive(Debug)]
pub struct Own {
    /// Its arguments, with the command that it is in front.
    pub arguments: Vec<String>,
    /// Its environment, whole.
    pub environment: Vec<(String, String)>,
}

/// What `whyclosed enter` does; it returns when this very program is the one that was to come to its place.
///
/// # Errors
/// When the program cannot come to its place or cannot be started; the reason has then been sent to the harness.
pub fn enter() -> std::io::Result<Own> {
    become_program().inspect_err(|failure| {
        let _ = nix::unistd::write(std::io::stdin(), failure.to_string().as_bytes());
    })
}

fn become_program() -> std::io::Result<Own> {
    let (place, [net, syslog, input, output, error]) = receive()?;
    // A Ctrl-C at the terminal is for the harness, which then ends the lab in order.
    nix::unistd::setsid()?;
    setns(&net, CloneFlags::CLONE_NEWNET)?;
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS)?;
    mounts(&place).map_err(|e| said("giving the service mounts of its own", &e))?;
    bind(syslog.as_raw_fd(), &UnixAddr::new("/dev/log")?).map_err(|e| said("making /dev/log", &e.into()))?;
    fs::set_permissions("/dev/log", fs::Permissions::from_mode(0o666))?;
    for (path, text) in &place.files {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text).map_err(|e| said(&format!("writing {}", path.display()), &e))?;
    }
    let mounts = fs::File::open("/proc/self/ns/mnt")?;
    let rights = [mounts.as_raw_fd()];
    let told = [ControlMessage::ScmRights(&rights)];
    sendmsg::<()>(std::io::stdin().as_raw_fd(), &[IoSlice::new(b"mounts")], &told, MsgFlags::empty(), None)?;
    std::env::set_current_dir(&place.directory)
        .map_err(|e| said(&format!("entering the directory {}", place.directory.display()), &e))?;
    let (program, arguments) = place.argv.split_first().ok_or_else(|| std::io::Error::other("no program to run"))?;
    if program.is_empty() {
        nix::unistd::dup2_stdout(output)?;
        nix::unistd::dup2_stderr(error)?;
        // Last: it takes the place of the harness's socket, whose end tells that the program runs.
        nix::unistd::dup2_stdin(input)?;
        return Ok(Own { arguments: arguments.to_vec(), environment: place.env });
    }
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(place.env.iter().map(|(k, v)| (k, v)));
    command.stdin(input).stdout(output).stderr(error);
    if let Some(user) = &place.user {
        let (uid, gid) = account(user).ok_or_else(|| std::io::Error::other(format!("there is no user `{user}`")))?;
        command.uid(uid).gid(gid);
    }
    // Standard input is replaced by exec, so the harness's socket must live on, and close itself, elsewhere.
    let socket = nix::fcntl::fcntl(std::io::stdin(), nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(10))?;
    let failure = command.exec();
    let failure = said(&format!("starting `{program}`"), &failure);
    let _ = nix::sys::socket::send(socket, failure.to_string().as_bytes(), MsgFlags::empty());
    Err(failure)
}

fn receive() -> std::io::Result<(Place, [OwnedFd; DESCRIPTORS])> {
    let mut text = vec![0; 1 << 20];
    let (length, descriptors) = receive_from(std::io::stdin().as_raw_fd(), &mut text)?;
    let place = serde_json::from_slice(&text[..length])?;
    let descriptors = descriptors
        .try_into()
        .map_err(|_| std::io::Error::other("the harness sent the wrong number of descriptors"))?;
    Ok((place, descriptors))
}

/// One message: its length, and the descriptors that came with it.
fn receive_from(socket: RawFd, text: &mut [u8]) -> std::io::Result<(usize, Vec<OwnedFd>)> {
    let mut control = nix::cmsg_space!([RawFd; DESCRIPTORS]);
    let mut buffers = [IoSliceMut::new(text)];
    let message = recvmsg::<()>(socket, &mut buffers, Some(&mut control), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let mut descriptors = Vec::new();
    for item in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(received) = item {
            // SAFETY: the kernel has just made these descriptors for us; nobody else owns them.
            descriptors.extend(received.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    Ok((message.bytes, descriptors))
}

/// Own /proc, /dev, /tmp and /run; the rest of the file system is the host's.
fn mounts(place: &Place) -> std::io::Result<()> {
    const NONE: Option<&str> = None;
    let directory = place.directory.as_path();
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)?;
    if let Some(root) = &place.root {
        change_root(root).map_err(|e| said("entering the image", &e))?;
    }
    let home = fs::OpenOptions::new().read(true).custom_flags(nix::libc::O_PATH).open(directory)?;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC, NONE)?;
    devices()?;
    for (path, mode) in [("/tmp", "mode=1777"), ("/run", "mode=755")] {
        mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some(mode))?;
    }
    if directory.starts_with("/tmp") || directory.starts_with("/run") {
        fs::create_dir_all(directory)?;
        let source = format!("/proc/self/fd/{}", home.as_raw_fd());
        mount(Some(source.as_str()), directory, NONE, MsFlags::MS_BIND, NONE)?;
    }
    hosts(place)
}

/// Makes a folder the whole file system, with memory above it for what is written.
fn change_root(folder: &Path) -> std::io::Result<()> {
    const NONE: Option<&str> = None;
    // By descriptor: the folder may be where memory is mounted now.
    let folder = fs::OpenOptions::new().read(true).custom_flags(nix::libc::O_PATH).open(folder)?;
    mount(Some("tmpfs"), "/tmp", Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
    for name in ["above", "work", "root"] {
        fs::create_dir(Path::new("/tmp").join(name))?;
    }
    let layers = format!("lowerdir=/proc/self/fd/{},upperdir=/tmp/above,workdir=/tmp/work", folder.as_raw_fd());
    mount(Some("overlay"), "/tmp/root", Some("overlay"), MsFlags::empty(), Some(layers.as_str()))?;
    // What it gets its own of need not be in an image.
    for name in ["dev", "proc", "run", "tmp"] {
        fs::create_dir_all(Path::new("/tmp/root").join(name))?;
    }
    mount(Some("/dev"), "/tmp/root/dev", NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE)?;
    nix::unistd::chdir("/tmp/root")?;
    // The old root comes to lie on the new one (pivot_root(2), "pivot_root(".", ".")"), and goes.
    nix::unistd::pivot_root(".", ".")?;
    nix::mount::umount2(".", nix::mount::MntFlags::MNT_DETACH)?;
    Ok(nix::unistd::chdir("/")?)
}

/// User and group of `name`, `number` or either with `:group`, by the files of this root (passwd(5), group(5)). Not by the C
/// library, which would load the image's own.
fn account(user: &str) -> Option<(u32, u32)> {
    let (user, group) = user.split_once(':').map_or((user, None), |(user, group)| (user, Some(group)));
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut lines = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let line = lines.find(|line| line.first() == Some(&user) || line.get(2) == Some(&user));
    let number = |at: usize| line.as_ref()?.get(at)?.parse::<u32>().ok();
    let uid = number(2).or_else(|| user.parse().ok())?;
    let gid = match group {
        Some(group) => group.parse().ok().or_else(|| {
            let groups = fs::read_to_string("/etc/group").unwrap_or_default();
            let line = groups.lines().find(|line| line.split(':').next() == Some(group))?;
            line.split(':').nth(2)?.parse().ok()
        })?,
        None => number(3).unwrap_or_default(),
    };
    Some((uid, gid))
}

/// The nodes' names, in place of the host's own /etc/hosts.
fn hosts(place: &Place) -> std::io::Result<()> {
    const NONE: Option<&str> = None;
    const OWN: &str = "/run/whyclosed/hosts";
    let nodes = place.hosts.iter().map(|(name, address)| format!("{address} {name}\n"));
    let text: String = std::iter::once("127.0.0.1 localhost\n".to_string()).chain(nodes).collect();
    fs::create_dir_all("/run/whyclosed")?;
    fs::write(OWN, text)?;
    if Path::new("/etc/hosts").exists() {
        mount(Some(OWN), "/etc/hosts", NONE, MsFlags::MS_BIND, NONE)?;
    }
    Ok(())
}

/// A /dev of its own, since /dev/log must be its own: the usual devices, bound from the host's.
fn devices() -> std::io::Result<()> {
    const NONE: Option<&str> = None;
    const NAMES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
    let staging = Path::new("/tmp");
    mount(Some("tmpfs"), staging, Some("tmpfs"), MsFlags::MS_NOSUID, Some("mode=755"))?;
    for name in NAMES {
        let target = staging.join(name);
        fs::write(&target, "")?;
        mount(Some(Path::new("/dev").join(name).as_path()), &target, NONE, MsFlags::MS_BIND, NONE)?;
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        symlink(target, staging.join(name))?;
    }
    fs::create_dir(staging.join("shm"))?;
    fs::set_permissions(staging.join("shm"), fs::Permissions::from_mode(0o1777))?;
    mount(Some(staging), "/dev", NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE)?;
    nix::mount::umount2(staging, nix::mount::MntFlags::MNT_DETACH)?;
    Ok(())
}

fn said(doing: &str, error: &std::io::Error) -> std::io::Error {
    std::io::Error::new(error.kind(), format!("{doing}: {error}"))
}
