//! Where a guest's memory lies: a file in a file system that is itself memory.
//!
//! User-Mode Linux makes the file in `TMPDIR`, maps it executable, and unlinks it at once (arch/um/os-Linux/mem.c).

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};

use super::processors;

/// Folders of memory that Linux systems have.
const FOLDERS: [&str; 2] = ["/dev/shm", "/run/shm"];
/// What the folder of a run's guests begins with.
const PREFIX: &str = "whyclosed-";

/// A folder for the memory of one guest; it goes with its guest.
#[derive(Debug)]
pub struct Memory(PathBuf);

impl Memory {
    /// Makes a folder that only this guest's process is to write to.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(processor: usize) -> std::io::Result<Memory> {
        let below = FOLDERS.iter().map(Path::new).find(|folder| executable(folder));
        let below = below.map_or_else(std::env::temp_dir, Path::to_owned);
        // The processor is claimed: whatever has this name was left by a launcher that was killed.
        let folder = below.join(name(processor));
        let _ = fs::remove_dir_all(&folder);
        let made = fs::create_dir(&folder);
        made.map_err(|e| std::io::Error::new(e.kind(), format!("making {}: {e}", folder.display())))?;
        Ok(Memory(folder))
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0
    }
}

/// Removes what killed launchers of this user have left; returns what it was.
#[must_use]
pub fn sweep() -> Vec<PathBuf> {
    let folders = FOLDERS.iter().map(PathBuf::from).chain([std::env::temp_dir()]);
    let free = |number: &usize| matches!(crate::claim::try_claim(processors::CLAIM, &[*number]), Ok(Some(_)));
    let idle: Vec<_> = processors::usable().into_iter().filter(free).collect();
    let candidates = folders.flat_map(|folder| idle.iter().map(move |number| folder.join(name(*number))));
    candidates.filter(|folder| fs::remove_dir_all(folder).is_ok()).collect()
}

fn name(processor: usize) -> String {
    format!("{PREFIX}{}-{processor}", nix::unistd::getuid())
}

impl Drop for Memory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Some systems mount /dev/shm so that nothing in it can be executed.
fn executable(folder: &Path) -> bool {
    statvfs(folder).is_ok_and(|about| !about.flags().contains(FsFlags::ST_NOEXEC))
}
