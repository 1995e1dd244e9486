//! The guest's file system: the host's files below, memory above, and one folder that is the host's for real.

use std::fs;
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root};

/// Where the results' folder is in the guest.
pub const RESULTS: &str = "/run/whyclosed/results";

const NONE: Option<&str> = None;

/// Gives process 1 a file system in which everything can be written and nothing reaches the host, but below [`RESULTS`], which
/// is the folder `results` of the host. Gives what is above the host's files.
///
/// # Errors
/// When the kernel lacks overlay, tmpfs or hostfs, with what was being mounted.
pub fn mount_all(results: &str) -> std::io::Result<Above> {
    // /tmp is there on every host, and empty enough: it is covered only until the overlay stands.
    put("tmpfs", "/tmp", "tmpfs", "mode=755")?;
    for folder in ["/tmp/above", "/tmp/work", "/tmp/root"] {
        fs::create_dir(folder)?;
    }
    let above = Above(fs::File::open("/tmp/above")?);
    put("overlay", "/tmp/root", "overlay", "lowerdir=/,upperdir=/tmp/above,workdir=/tmp/work")?;
    chdir("/tmp/root")?;
    // The old root comes to lie on the new one (pivot_root(2), "pivot_root(".", ".")"), and goes.
    pivot_root(".", ".").map_err(|e| said("changing the root", e.into()))?;
    umount2(".", MntFlags::MNT_DETACH)?;
    chdir("/")?;
    put("proc", "/proc", "proc", "")?;
    put("sysfs", "/sys", "sysfs", "")?;
    put("devtmpfs", "/dev", "devtmpfs", "")?;
    put("tmpfs", "/run", "tmpfs", "mode=755")?;
    fs::create_dir_all(RESULTS)?;
    put("hostfs", RESULTS, "hostfs", results)?;
    Ok(above)
}

/// The files that were written above the host's. Their folder has no path any more, and is known by this descriptor.
pub struct Above(fs::File);

impl Above {
    /// Copies them: files and folders, and no devices (overlay marks by one what was deleted) or links.
    ///
    /// # Errors
    /// When one cannot be read or written.
    pub fn copy(&self, to: &Path) -> std::io::Result<()> {
        copy(Path::new(&format!("/proc/self/fd/{}", self.0.as_raw_fd())), to)
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, to) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &to)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &to)?;
        }
    }
    Ok(())
}

/// Sees to it that everything written to the results is on the host.
///
/// # Errors
/// When something still uses them.
pub fn close_results() -> std::io::Result<()> {
    Ok(umount2(RESULTS, MntFlags::empty())?)
}

fn put(source: &str, target: &str, kind: &str, data: &str) -> std::io::Result<()> {
    let data = (!data.is_empty()).then_some(data);
    mount(Some(source), Path::new(target), Some(kind), MsFlags::empty(), data)
        .map_err(|e| said(&format!("mounting {kind} on {target}"), e.into()))?;
    // Nobody else's mounts are to follow ours, nor ours theirs.
    mount(NONE, Path::new(target), NONE, MsFlags::MS_PRIVATE, NONE)?;
    Ok(())
}

fn said(doing: &str, error: std::io::Error) -> std::io::Error {
    std::io::Error::new(error.kind(), format!("{doing}: {error}"))
}
