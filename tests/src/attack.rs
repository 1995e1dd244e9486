//! What a contained program must not be able to do to files, tried out.
//!
//! [`prepare`] makes a folder for each attempt, [`attack`] makes the attempts and says how each went, [`state`] tells whether
//! anything has changed.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::stat::{Mode, UtimensatFlags, futimens, utimensat};
use nix::sys::time::TimeSpec;
use rustix::fs::{IFlags, XattrFlags};

use crate::Result;

const TEXT: &str = "as it was\n";
/// A file that each attempt's folder has, and an empty folder.
const FILE: &str = "file";
const EMPTY: &str = "empty";
/// Before each word that [`attack`] prints.
const MARK: &str = "attempt";
/// 2001-09-09: a time that nothing gives to a file by itself.
const TIME: TimeSpec = TimeSpec::new(1_000_000_000, 0);

/// Something that changes a file.
struct Attempt {
    name: &'static str,
    /// A contained program may do it beneath its own folders.
    inside: bool,
    /// Does it in `place`; `elsewhere` is a folder that can be written to.
    run: fn(place: &Path, elsewhere: &Path) -> io::Result<()>,
}

const ATTEMPTS: &[Attempt] = &[
    Attempt { name: "write", inside: true, run: |place, _| open(place)?.write_all(b"not") },
    Attempt { name: "append", inside: true, run: |place, _| appending(place)?.write_all(b"more") },
    Attempt { name: "truncate", inside: true, run: |place, _| Ok(nix::unistd::truncate(&place.join(FILE), 1)?) },
    Attempt { name: "overwrite", inside: true, run: |place, _| File::create(place.join(FILE)).map(drop) },
    Attempt { name: "create", inside: true, run: |place, _| File::create_new(place.join("new")).map(drop) },
    Attempt { name: "delete", inside: true, run: |place, _| fs::remove_file(place.join(FILE)) },
    Attempt { name: "mkdir", inside: true, run: |place, _| fs::create_dir(place.join("folder")) },
    Attempt { name: "rmdir", inside: true, run: |place, _| fs::remove_dir(place.join(EMPTY)) },
    Attempt { name: "rename", inside: true, run: |place, _| fs::rename(place.join(FILE), place.join("renamed")) },
    Attempt {
        name: "move",
        inside: true,
        run: |place, elsewhere| fs::rename(place.join(FILE), elsewhere.join("moved")),
    },
    Attempt { name: "link", inside: true, run: |place, _| fs::hard_link(place.join(FILE), place.join("link")) },
    Attempt {
        name: "link-out",
        inside: true,
        run: |place, elsewhere| fs::hard_link(place.join(FILE), elsewhere.join("link")),
    },
    Attempt { name: "symlink", inside: false, run: |place, _| symlink("/etc/passwd", place.join("symlink")) },
    Attempt {
        name: "mkfifo",
        inside: false,
        run: |place, _| Ok(nix::unistd::mkfifo(&place.join("pipe"), Mode::S_IRWXU)?),
    },
    Attempt { name: "set-user-id", inside: false, run: set_user_id },
    Attempt {
        name: "chmod",
        inside: false,
        run: |place, _| fs::set_permissions(place.join(FILE), Permissions::from_mode(0o777)),
    },
    Attempt {
        name: "fchmod",
        inside: false,
        run: |place, _| reading(place)?.set_permissions(Permissions::from_mode(0o777)),
    },
    Attempt { name: "chown", inside: false, run: change_owner },
    Attempt { name: "utimes", inside: false, run: utimes },
    Attempt { name: "futimes", inside: false, run: |place, _| Ok(futimens(&reading(place)?, &TIME, &TIME)?) },
    Attempt { name: "setxattr", inside: false, run: set_attribute },
    Attempt { name: "fsetxattr", inside: false, run: set_attribute_of_descriptor },
    Attempt {
        name: "chattr",
        inside: false,
        run: |place, _| Ok(rustix::fs::ioctl_setflags(reading(place)?, IFlags::NODUMP)?),
    },
];

fn open(place: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(place.join(FILE))
}

fn appending(place: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).open(place.join(FILE))
}

fn reading(place: &Path) -> io::Result<File> {
    File::open(place.join(FILE))
}

fn set_user_id(place: &Path, _: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o4755).open(place.join("program")).map(drop)
}

/// To whom it belongs already: more is not an owner's to do.
fn change_owner(place: &Path, _: &Path) -> io::Result<()> {
    let about = fs::metadata(place.join(FILE))?;
    chown(place.join(FILE), Some(about.uid()), Some(about.gid()))
}

fn utimes(place: &Path, _: &Path) -> io::Result<()> {
    Ok(utimensat(nix::fcntl::AT_FDCWD, &place.join(FILE), &TIME, &TIME, UtimensatFlags::FollowSymlink)?)
}

fn set_attribute(place: &Path, _: &Path) -> io::Result<()> {
    Ok(rustix::fs::setxattr(place.join(FILE), "user.whyclosed", b"1", XattrFlags::empty())?)
}

fn set_attribute_of_descriptor(place: &Path, _: &Path) -> io::Result<()> {
    Ok(rustix::fs::fsetxattr(reading(place)?, "user.whyclosed", b"1", XattrFlags::empty())?)
}

/// How an attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What was attempted.
    pub name: String,
    /// A contained program may do it beneath its own folders.
    pub inside: bool,
    /// It succeeded.
    pub done: bool,
    /// Somebody said no: it did not fail because there was nothing to attack.
    pub refused: bool,
    /// The file system has no such thing, so that the attempt says nothing.
    pub unsupported: bool,
    /// The error in words, if there was one.
    pub error: String,
}

/// Makes the folders that [`attack`] needs below `folder`, for `user`.
///
/// # Errors
/// When files cannot be made there.
pub fn prepare(folder: &Path, user: Option<u32>) -> Result {
    for attempt in ATTEMPTS {
        let place = folder.join(attempt.name);
        fs::create_dir_all(place.join(EMPTY))?;
        fs::write(place.join(FILE), TEXT)?;
        for path in [place.join(EMPTY), place.join(FILE), place] {
            chown(path, user, user)?;
        }
    }
    Ok(chown(folder, user, user)?)
}

/// Attempts everything below `folder`, and prints how it went; `elsewhere` can be written to.
pub fn attack(folder: &Path, elsewhere: &Path) {
    for attempt in ATTEMPTS {
        let result = (attempt.run)(&folder.join(attempt.name), elsewhere);
        let number = result.as_ref().err().map_or(0, |error| error.raw_os_error().unwrap_or(-1));
        // What the test harness writes has no end of line before it.
        println!("\n{MARK} {} {number}", attempt.name);
    }
}

/// What [`attack`] printed.
#[must_use]
pub fn outcomes(printed: &str) -> Vec<Outcome> {
    let lines = printed.lines().filter_map(|line| line.trim().strip_prefix(MARK)?.trim().split_once(' '));
    let outcomes = lines.filter_map(|(name, number)| {
        let attempt = ATTEMPTS.iter().find(|attempt| attempt.name == name)?;
        let errno = Errno::from_raw(number.parse().ok()?);
        Some(Outcome {
            name: name.into(),
            inside: attempt.inside,
            done: number == "0",
            // Between folders of different rights Landlock says what it would say between file systems (landlock(7)).
            refused: matches!(errno, Errno::EACCES | Errno::EPERM | Errno::EROFS | Errno::EXDEV),
            unsupported: matches!(errno, Errno::EOPNOTSUPP | Errno::ENOTTY),
            error: if errno == Errno::UnknownErrno { "done".into() } else { errno.to_string() },
        })
    });
    outcomes.collect()
}

/// The number of attempts that [`attack`] makes.
#[must_use]
pub fn attempts() -> usize {
    ATTEMPTS.len()
}

/// All there is below `folder`: what it is, whose, what it holds, and when it was last changed in any way (st_ctime, inode(7)).
///
/// # Errors
/// When it cannot be read.
pub fn state(folder: &Path) -> io::Result<BTreeMap<PathBuf, String>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path())) {
            let path = path?;
            let about = fs::symlink_metadata(&path)?;
            let text = if about.is_file() { fs::read_to_string(&path)? } else { String::new() };
            if about.is_dir() {
                folders.push(path.clone());
            }
            let seen = format!(
                "mode {:o}, owner {}:{}, links {}, written {}.{:09}, changed {}.{:09}, {text:?}",
                about.mode(),
                about.uid(),
                about.gid(),
                about.nlink(),
                about.mtime(),
                about.mtime_nsec(),
                about.ctime(),
                about.ctime_nsec(),
            );
            all.insert(path, seen);
        }
    }
    Ok(all)
}
