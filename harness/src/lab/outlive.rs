//! Labs that may outlive the command that asked for their run (`run --keep`): what their processes must know of it.

use std::fs::OpenOptions;

/// The variable that tells a process that its run may keep labs.
pub const KEEPS: &str = "WHYCLOSED_KEEPS";

/// Whether labs of this process's run may be kept.
#[must_use]
pub fn may_be_kept() -> bool {
    std::env::var_os(KEEPS).is_some()
}

/// Lets go of standard error: who waits for its end must not wait for that of kept labs.
///
/// # Errors
/// When there is no /dev/null.
pub fn let_go_of_standard_error() -> std::io::Result<()> {
    Ok(nix::unistd::dup2_stderr(OpenOptions::new().write(true).open("/dev/null")?)?)
}
