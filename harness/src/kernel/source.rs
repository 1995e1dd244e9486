//! The kernel's source: where it is, which version it is, and how it is unpacked.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::version;

/// The oldest source that is built.
pub const MINIMUM: [u32; 2] = [6, 8];
/// From this version on the kernel says why it sends a RST (`reason` of `tcp:tcp_send_reset`).
pub const RESET_REASONS: [u32; 2] = [6, 12];

/// Where distributions put it.
pub const FOLDER: &str = "/usr/src";

/// Drivers that User-Mode Linux cannot have. Their Kconfig and Makefiles stay, as the others' refer to them.
const DRIVERS: [&str; 13] = [
    "accel",
    "clk",
    "gpu",
    "iio",
    "infiniband",
    "media",
    "net/ethernet",
    "net/wireless",
    "pinctrl",
    "scsi",
    "staging",
    "usb",
    "video",
];

/// Processors that it is not for; likewise.
const PROCESSORS: [&str; 18] = [
    "alpha",
    "arc",
    "arm",
    "arm64",
    "csky",
    "hexagon",
    "loongarch",
    "m68k",
    "microblaze",
    "mips",
    "nios2",
    "openrisc",
    "parisc",
    "powerpc",
    "riscv",
    "s390",
    "sh",
    "sparc",
];

/// What a source that was built in has besides: it would be taken for ours.
const BUILT: [&str; 9] = [
    "*/.git",
    "*.o",
    "*.a",
    "*.cmd",
    "*/.config",
    "./vmlinux",
    "*/include/config",
    "*/include/generated",
    "*/generated/user_constants.h",
];

/// A source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Packed, as distributions have it.
    Tarball(PathBuf),
    /// Unpacked; it is copied and never changed.
    Folder(PathBuf),
}

impl Source {
    /// What `path` is.
    pub fn of(path: &Path) -> std::io::Result<Self> {
        // Commands run elsewhere.
        let path = path.canonicalize()?;
        Ok(if path.is_dir() { Self::Folder(path) } else { Self::Tarball(path) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        let (Self::Tarball(path) | Self::Folder(path)) = self;
        path
    }

    /// The command that puts what is needed of it into a folder.
    pub fn unpack(&self, into: &Path) -> Command {
        match self {
            Self::Tarball(path) => {
                let mut command = Command::new("tar");
                command.args(without()).arg("--strip-components=1").arg("--no-same-owner");
                command.arg("-xf").arg(path).arg("-C").arg(into);
                command
            }
            Self::Folder(path) => {
                let mut command = Command::new("bash");
                command.arg("-c").arg(
                    "set -o pipefail; from=$1; into=$2; shift 2
                     tar -C \"$from\" \"$@\" -cf - . | tar -C \"$into\" --no-same-owner -xf -",
                );
                command.arg("bash").arg(path).arg(into).args(without());
                command.args(BUILT.map(|built| format!("--exclude={built}")));
                command
            }
        }
    }
}

/// Arguments of tar: what is left out, two thirds of what 6.12 is unpacked.
fn without() -> Vec<String> {
    let drivers = DRIVERS.iter().flat_map(|name| ["c", "h"].map(|end| format!("*/drivers/{name}/*.{end}")));
    let processors = PROCESSORS
        .iter()
        .flat_map(|name| ["c", "h", "S", "dts", "dtsi", "dtso"].map(|end| format!("*/arch/{name}/*.{end}")));
    let others =
        ["*/sound/*.c", "*/sound/*.h", "*/Documentation/*/*", "*/tools/testing", "*/tools/perf"].map(String::from);
    drivers.chain(processors).chain(others).map(|pattern| format!("--exclude={pattern}")).collect()
}

/// The newest source of at least [`MINIMUM`] among the `linux-source-*.tar.*` of a folder.
pub fn newest(folder: &Path) -> Option<Source> {
    let sources = std::fs::read_dir(folder).ok()?.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let (release, _) = name.strip_prefix("linux-source-")?.split_once(".tar.")?;
        let version = version(release).filter(|version| version.as_slice() >= MINIMUM.as_slice())?;
        Some((version, entry.path()))
    });
    sources.max().map(|(_, path)| Source::Tarball(path))
}

/// The version that the top Makefile of a source says.
pub fn version_of(makefile: &str) -> Option<Vec<u32>> {
    ["VERSION", "PATCHLEVEL", "SUBLEVEL"]
        .iter()
        .map(|name| {
            let value = makefile.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='))?;
            value.trim().parse().ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_source_that_is_new_enough_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        for name in
            ["linux-source-6.1.tar.xz", "linux-source-6.8.0.tar.bz2", "linux-source-6.12.tar.xz", "linux-config-6.19"]
        {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(newest(folder.path()), Some(Source::Tarball(folder.path().join("linux-source-6.12.tar.xz"))));
    }

    #[test]
    fn a_source_that_is_too_old_is_none() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("linux-source-6.1.tar.xz"), "").unwrap();
        assert_eq!(newest(folder.path()), None);
    }

    #[test]
    fn the_version_is_read_from_the_makefile() {
        let makefile = "# SPDX\nVERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 117\nEXTRAVERSION =\n";
        assert_eq!(version_of(makefile), Some(vec![6, 12, 117]));
        assert_eq!(version_of("all:\n"), None);
    }
}
