//! A user and a mount namespace in which everything is read-only but the folders given: what serves where there is no Landlock.
//!
//! With them come a network and an IPC namespace that nothing is in. Processes of other user namespaces cannot be traced, nor
//! their /proc/PID/root be entered (ptrace(2), "Ptrace access mode checking").

use std::fs;
use std::mem::size_of;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};
use rustix::fs::CWD;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

/// The one device that programs open for writing; devices are otherwise out of reach, as read-only mounts do not protect them.
const NULL: &str = "/dev/null";
/// linux/mount.h
const MOUNT_ATTR_RDONLY: u64 = 0x1;
const MOUNT_ATTR_NOSUID: u64 = 0x2;
const MOUNT_ATTR_NODEV: u64 = 0x4;
/// linux/fcntl.h
const AT_RECURSIVE: libc::c_uint = 0x8000;
/// asm-generic/unistd.h: the same number on every architecture.
const SYS_MOUNT_SETATTR: libc::c_long = 442;

/// Takes this process to namespaces of its own, where it can write only beneath these folders.
///
/// # Errors
/// As text: what was being done, and why the kernel did not do it.
pub fn restrict(folders: &[PathBuf]) -> Result<(), String> {
    let (user, group) = (geteuid(), getegid());
    let directory = std::env::current_dir();
    let flags =
        CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC;
    said("making a user namespace", unshare(flags))?;
    // Without this an ordinary user may not map a group (user_namespaces(7)).
    said("giving up groups", fs::write("/proc/self/setgroups", "deny"))?;
    said("mapping the user", fs::write("/proc/self/uid_map", format!("{user} {user} 1")))?;
    said("mapping the group", fs::write("/proc/self/gid_map", format!("{group} {group} 1")))?;
    said("making mounts its own", private())?;
    let kept: Vec<(&Path, OwnedFd)> = folders
        .iter()
        .map(PathBuf::as_path)
        .chain([Path::new(NULL)])
        .map(|path| Ok((path, said(&format!("keeping {}", path.display()), copy(path))?)))
        .collect::<Result<_, String>>()?;
    said("making all mounts read-only (mount_setattr(2), Linux 5.12 or later)", read_only())?;
    for (path, tree) in kept {
        let put = move_mount(tree, "", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH);
        said(&format!("keeping {} writable", path.display()), put)?;
    }
    // The working directory is still on the mount that was there before.
    if let Ok(directory) = directory {
        said("entering the working directory again", std::env::set_current_dir(directory))?;
    }
    Ok(())
}

/// What the host mounts later must not appear here, writable.
fn private() -> nix::Result<()> {
    const NONE: Option<&str> = None;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)
}

/// A mount that is attached nowhere yet, so that what is done to all of them passes it by.
fn copy(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    open_tree(CWD, path, flags)
}

fn read_only() -> nix::Result<()> {
    /// linux/mount.h
    #[repr(C)]
    struct MountAttr {
        attr_set: u64,
        attr_clr: u64,
        propagation: u64,
        userns_fd: u64,
    }
    let attributes = MountAttr {
        attr_set: MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    // SAFETY: the path is a C string and the structure has the size that is said; both outlive the call.
    let result = unsafe {
        libc::syscall(
            SYS_MOUNT_SETATTR,
            CWD.as_raw_fd(),
            c"/".as_ptr(),
            AT_RECURSIVE,
            &raw const attributes,
            size_of::<MountAttr>(),
        )
    };
    Errno::result(result).map(drop)
}

fn said<T, E: std::fmt::Display>(doing: &str, result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| format!("{doing}: {error}"))
}
