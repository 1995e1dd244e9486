//! Tells tests whether they are run by root: most of them make network namespaces.

use std::os::unix::fs::MetadataExt;

/// What cargo is told.
pub fn main() {
    println!("cargo::rustc-check-cfg=cfg(whyclosed_root)");
    // Another user may run them next, without a change of any file.
    for name in ["USER", "LOGNAME", "HOME", "WHYCLOSED_ROOT"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    // `make test-real` builds as its caller and runs as root.
    if is_root || std::env::var_os("WHYCLOSED_ROOT").is_some() {
        println!("cargo::rustc-cfg=whyclosed_root");
    }
}
