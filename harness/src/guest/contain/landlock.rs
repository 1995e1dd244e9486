//! Landlock (landlock(7), Documentation/userspace-api/landlock.rst): a process restricts itself and all that it starts, for good
//! and without privilege.

use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, Scope, make_bitflags,
};

/// The first that sees truncation (Linux 6.2). With less a file can be emptied, which is no containment.
const ESSENTIAL: ABI = ABI::V3;
/// The newest whose rights were looked at: devices' ioctls, connecting to Unix sockets, TCP, signals, abstract Unix sockets.
const NEWEST: ABI = ABI::V10;

/// What is allowed beneath a folder that is to be written to. Symbolic links, pipes and devices are not: who reads the results
/// must find files and folders, and what they hold. Sockets are, for the kernel's own console.
const BENEATH: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    WriteFile | Truncate | RemoveFile | RemoveDir | MakeReg | MakeDir | MakeSock | Refer | ResolveUnix
});

/// Restricts this thread, and what it starts, to writing beneath these folders; returns the kernel's ABI version.
///
/// Rights to read and to execute are not handled, which allows them everywhere. Landlock also forbids all mounts, and ptrace(2)
/// of processes outside.
///
/// # Errors
/// As text: why the kernel did not do it.
pub fn restrict(folders: &[PathBuf]) -> Result<i32, String> {
    let status = enforce(folders).map_err(|error| match error {
        RulesetError::HandleAccesses(_) => "missing, switched off, or older than what sees truncation".into(),
        error => error.to_string(),
    })?;
    let LandlockStatus::Available { effective_abi, kernel_abi } = status else {
        return Err("the kernel has not enforced the rules".into());
    };
    Ok(kernel_abi.unwrap_or(effective_abi as i32))
}

/// What [`restrict`] would return, found on a thread that is then gone.
///
/// # Errors
/// As [`restrict`].
pub fn probe() -> Result<i32, String> {
    std::thread::spawn(|| restrict(&[])).join().unwrap_or_else(|_| Err("the thread that tried it panicked".into()))
}

fn enforce(folders: &[PathBuf]) -> Result<LandlockStatus, RulesetError> {
    let essential = AccessFs::from_write(ESSENTIAL);
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(essential)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_write(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?;
    let mut rules = rules.create()?;
    for folder in folders {
        if let Ok(descriptor) = PathFd::new(folder) {
            rules = rules.add_rule(PathBeneath::new(descriptor, BENEATH))?;
        }
    }
    // Programs open it for writing to be rid of what they say.
    if let Ok(null) = PathFd::new("/dev/null") {
        rules = rules.add_rule(PathBeneath::new(null, AccessFs::WriteFile | AccessFs::Truncate))?;
    }
    Ok(rules.restrict_self()?.landlock)
}
