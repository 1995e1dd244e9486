//! What is changed in the kernel's source: text replacements, each of which must match exactly once.

use std::path::Path;

/// One replacement.
#[derive(Debug)]
pub struct Change {
    /// The file, in the source.
    pub file: &'static str,
    /// What is looked for.
    pub from: &'static str,
    /// What takes its place.
    pub to: &'static str,
    /// A file and a text in it by which to know that this source needs the change no more.
    pub mended: Option<(&'static str, &'static str)>,
}

/// The changes.
///
/// 1. UML fixes HZ at 100. Distributions' kernels have 250 ticks per second, and how late a kernel timer may be is
///    counted in ticks (kernel/time/timer.c).
/// 2. UML gives PTRACE_SETREGSET(NT_X86_XSTATE) 2696 bytes, and the host's kernel refuses less than the whole XSAVE area
///    (arch/x86/kernel/fpu/regset.c, `xstateregs_set`), which is 11008 bytes on CPUs with AMX: UML panics at once,
///    "ptrace set fp regs failed, errno = 14". More than the area is allowed. Sources that ask the host for the size
///    (`host_fp_size`) do not need it.
pub const CHANGES: [Change; 2] = [
    Change {
        file: "arch/um/Kconfig",
        from: "config HZ\n\tint\n\tdefault 100\n",
        to: "config HZ\n\tint\n\tdefault 250\n",
        mended: None,
    },
    Change {
        file: "arch/x86/um/user-offsets.c",
        from: "DEFINE_LONGS(HOST_FP_SIZE, 2696);",
        to: "DEFINE_LONGS(HOST_FP_SIZE, 12288);",
        mended: Some(("arch/x86/um/os-Linux/registers.c", "host_fp_size")),
    },
];

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// The text was replaced.
    Changed,
    /// This source does not need it.
    NotNeeded,
}

/// A change that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or written.
    #[error("changing {file} of the kernel's source: {cause}")]
    File {
        /// The file, in the source.
        file: String,
        /// What went wrong.
        cause: std::io::Error,
    },
    /// The text is not there, or not once.
    #[error(
        "changing {file} of the kernel's source: {from:?} is in it {times} times, and once is expected: \
         this version is not known; try another with --source (6.12 works)"
    )]
    Times {
        /// The file, in the source.
        file: &'static str,
        /// What was looked for.
        from: &'static str,
        /// How often it is there.
        times: usize,
    },
}

impl Change {
    /// Makes the change in the source in folder `source`.
    ///
    /// # Errors
    /// When the text is not there exactly once and the source does not show that it needs the change no more.
    pub fn make(&self, source: &Path) -> Result<Made, Error> {
        let failed = |file: &str| {
            let file = file.to_string();
            move |cause| Error::File { file, cause }
        };
        if let Some((file, sign)) = self.mended
            && std::fs::read_to_string(source.join(file)).map_err(failed(file))?.contains(sign)
        {
            return Ok(Made::NotNeeded);
        }
        let path = source.join(self.file);
        let text = std::fs::read_to_string(&path).map_err(failed(self.file))?;
        let times = text.matches(self.from).count();
        if times != 1 {
            return Err(Error::Times { file: self.file, from: self.from, times });
        }
        std::fs::write(&path, text.replacen(self.from, self.to, 1)).map_err(failed(self.file))?;
        Ok(Made::Changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGE: Change = Change { file: "a", from: "size 1;", to: "size 2;", mended: Some(("b", "size_of_host")) };

    fn source(a: &str, b: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), a).unwrap();
        std::fs::write(folder.path().join("b"), b).unwrap();
        folder
    }

    #[test]
    fn a_text_that_is_there_once_is_replaced() {
        let source = source("x\nsize 1;\ny\n", "");
        assert_eq!(CHANGE.make(source.path()).unwrap(), Made::Changed);
        assert_eq!(std::fs::read_to_string(source.path().join("a")).unwrap(), "x\nsize 2;\ny\n");
    }

    #[test]
    fn a_text_that_is_not_there_is_an_error_that_names_file_and_text() {
        let error = CHANGE.make(source("size 3;", "").path()).unwrap_err().to_string();
        assert!(error.contains("changing a of") && error.contains("size 1;") && error.contains("0 times"), "{error}");
    }

    #[test]
    fn a_text_that_is_there_twice_is_an_error_and_nothing_is_changed() {
        let source = source("size 1; size 1;", "");
        assert!(matches!(CHANGE.make(source.path()), Err(Error::Times { times: 2, .. })));
        assert_eq!(std::fs::read_to_string(source.path().join("a")).unwrap(), "size 1; size 1;");
    }

    #[test]
    fn a_source_that_was_mended_needs_no_change() {
        let source = source("size 3;", "int size_of_host;");
        assert_eq!(CHANGE.make(source.path()).unwrap(), Made::NotNeeded);
        assert_eq!(std::fs::read_to_string(source.path().join("a")).unwrap(), "size 3;");
    }
}
