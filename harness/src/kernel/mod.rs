//! The kernel of the virtual clock: Linux as an ordinary program (User-Mode Linux), built once from the distribution's
//! source and then found.
//!
//! A kernel lies in `kernel/<release>-<hash>/` of a cache folder. The hash is over everything of this program that goes
//! into a kernel, so that a changed configuration is another kernel and never an old one mistaken for it.

pub mod build;
pub mod changes;
mod command;
pub mod fragment;
mod needs;
mod source;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Ticks per second of the kernel ([`changes::CHANGES`]).
pub const TICKS_PER_SECOND: u32 = 250;

/// The cache of the whole machine: where root builds.
const OF_THE_MACHINE: &str = "/var/cache/whyclosed";

/// A built kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// The program `linux`.
    pub path: PathBuf,
    /// Its release, as `uname -r` says it.
    pub release: String,
    /// It says why it sends a RST (`tcp:tcp_send_reset`, `reason`): from Linux 6.12 on.
    pub reset_reasons: bool,
}

/// No kernel is there.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "the virtual clock has no kernel `{hash}` in {}: `whyclosed kernel` (or `make kernel`) builds it, once, in a few minutes",
    list(looked)
)]
pub struct Missing {
    /// The hash that was looked for.
    pub hash: String,
    /// The folders that were looked into.
    pub looked: Vec<PathBuf>,
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Finds the kernel of this program.
///
/// # Errors
/// When it has not been built.
pub fn find() -> Result<Kernel, Missing> {
    find_in(&caches(|name| std::env::var_os(name)), &hash())
}

/// The newest kernel with this hash in the first of these caches that has one.
fn find_in(caches: &[PathBuf], hash: &str) -> Result<Kernel, Missing> {
    let looked: Vec<_> = caches.iter().map(|cache| cache.join("kernel")).collect();
    looked
        .iter()
        .find_map(|folder| newest(folder, hash))
        .ok_or_else(|| Missing { hash: hash.to_string(), looked: looked.clone() })
}

fn newest(folder: &Path, hash: &str) -> Option<Kernel> {
    let kernels = std::fs::read_dir(folder).ok()?.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let release = name.strip_suffix(hash)?.strip_suffix('-')?.to_string();
        let path = entry.path().join("linux");
        let reset_reasons = version(&release)?.as_slice() >= source::RESET_REASONS.as_slice();
        path.is_file().then_some(Kernel { path, release, reset_reasons })
    });
    kernels.max_by_key(|kernel| version(&kernel.release))
}

/// `6.12.117` as numbers: what stands before the first character that is neither a digit nor a dot.
fn version(release: &str) -> Option<Vec<u32>> {
    let end = release.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(release.len());
    let numbers: Vec<u32> = release.get(..end)?.split('.').map_while(|part| part.parse().ok()).collect();
    (numbers.len() >= 2).then_some(numbers)
}

/// Everything of this program that goes into a kernel, as 12 hexadecimal digits.
fn hash() -> String {
    hash_of(fragment::FRAGMENT, &changes::CHANGES)
}

fn hash_of(fragment: &str, changes: &[changes::Change]) -> String {
    let mut sha = Sha256::new();
    // The length first, so that no two inputs run together to the same bytes.
    let mut add = |text: &str| {
        sha.update(text.len().to_le_bytes());
        sha.update(text);
    };
    // A comment, or another order, makes no other kernel.
    let mut options: Vec<_> = fragment::options(fragment).collect();
    options.sort_unstable();
    add(&options.join("\n"));
    for change in changes {
        add(change.file);
        add(change.from);
        add(change.to);
    }
    sha.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// The folders that may hold a kernel, in the order in which they are looked into.
fn caches(variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    if let Some(cache) = set(&variable, "WHYCLOSED_CACHE") {
        return vec![cache];
    }
    own_cache(variable).into_iter().chain([PathBuf::from(OF_THE_MACHINE)]).collect()
}

/// The cache to write to.
#[must_use]
pub fn cache() -> PathBuf {
    cache_to_build_in(|name| std::env::var_os(name), nix::unistd::geteuid().is_root())
}

/// The cache to build in.
fn cache_to_build_in(variable: impl Fn(&str) -> Option<OsString>, root: bool) -> PathBuf {
    let machine = || PathBuf::from(OF_THE_MACHINE);
    set(&variable, "WHYCLOSED_CACHE").or_else(|| if root { None } else { own_cache(variable) }).unwrap_or_else(machine)
}

/// The caller's own cache (XDG Base Directory Specification: `$XDG_CACHE_HOME`, or `~/.cache`).
fn own_cache(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    set(&variable, "XDG_CACHE_HOME")
        .or_else(|| set(&variable, "HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("whyclosed"))
}

/// A variable that names a folder; an empty one is as good as none.
fn set(variable: &impl Fn(&str) -> Option<OsString>, name: &str) -> Option<PathBuf> {
    variable(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(set: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<OsString> {
        |name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
    }

    fn put(cache: &Path, name: &str) {
        let folder = cache.join("kernel").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("linux"), "").unwrap();
    }

    #[test]
    fn only_the_named_cache_is_looked_into() {
        let variable = variables(&[("WHYCLOSED_CACHE", "/c"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")]);
        assert_eq!(caches(&variable), [Path::new("/c")]);
    }

    #[test]
    fn the_callers_cache_comes_before_the_machines() {
        let own = variables(&[("HOME", "/h"), ("WHYCLOSED_CACHE", "")]);
        assert_eq!(caches(&own), [Path::new("/h/.cache/whyclosed"), Path::new("/var/cache/whyclosed")]);
        let xdg = variables(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]);
        assert_eq!(caches(&xdg), [Path::new("/x/whyclosed"), Path::new("/var/cache/whyclosed")]);
    }

    #[test]
    fn root_builds_for_the_machine_and_others_for_themselves() {
        let home = variables(&[("HOME", "/h")]);
        assert_eq!(cache_to_build_in(&home, true), Path::new("/var/cache/whyclosed"));
        assert_eq!(cache_to_build_in(&home, false), Path::new("/h/.cache/whyclosed"));
        let named = variables(&[("HOME", "/h"), ("WHYCLOSED_CACHE", "/c")]);
        assert_eq!(cache_to_build_in(&named, true), Path::new("/c"));
    }

    #[test]
    fn the_first_cache_with_a_kernel_wins() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        put(two.path(), "6.12.9-aa");
        let caches = [one.path().to_path_buf(), two.path().to_path_buf()];
        assert_eq!(find_in(&caches, "aa").unwrap().path, two.path().join("kernel/6.12.9-aa/linux"));
        put(one.path(), "6.8.1-aa");
        let found = find_in(&caches, "aa").unwrap();
        assert_eq!((found.release.as_str(), found.reset_reasons), ("6.8.1", false));
    }

    #[test]
    fn the_newest_release_with_the_right_hash_wins() {
        let cache = tempfile::tempdir().unwrap();
        for name in ["6.9.30-aa", "6.12.9-aa", "6.12.117-aa", "6.18.1-bb", "7-aa", "aa", "6.20.1aa"] {
            put(cache.path(), name);
        }
        std::fs::create_dir_all(cache.path().join("kernel/6.19.1-aa")).unwrap();
        let found = find_in(&[cache.path().to_path_buf()], "aa").unwrap();
        assert_eq!((found.release.as_str(), found.reset_reasons), ("6.12.117", true));
    }

    #[test]
    fn a_missing_kernel_says_where_it_was_looked_for_and_what_to_do() {
        let error = find_in(&["/none/a".into(), "/none/b".into()], "aa").unwrap_err().to_string();
        for part in ["/none/a/kernel, /none/b/kernel", "whyclosed kernel", "make kernel"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn another_fragment_or_change_is_another_kernel() {
        let change = |to| changes::Change { file: "f", from: "1", to, mended: None };
        let base = hash_of("CONFIG_A=y\n", &[change("2")]);
        assert_eq!(base.len(), 12);
        assert_eq!(base, hash_of("CONFIG_A=y\n", &[change("2")]));
        assert_ne!(base, hash_of("CONFIG_B=y\n", &[change("2")]));
        assert_ne!(base, hash_of("CONFIG_A=y\n", &[change("3")]));
        assert_ne!(base, hash_of("CONFIG_A=y\n", &[]));
    }
}
