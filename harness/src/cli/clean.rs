//! `whyclosed clean`

use super::{BROKEN, PASSED};
use crate::guest::memory;
use crate::lab::guard;

/// Removes what killed runs may have left: everything else of a run ends with its processes.
pub fn main() -> u8 {
    let mut removed: Vec<String> =
        memory::sweep().iter().map(|folder| format!("folder {}", folder.display())).collect();
    let swept = if nix::unistd::geteuid().is_root() { guard::sweep() } else { Ok(Vec::new()) };
    let failed = match swept {
        Ok(swept) => {
            removed.extend(swept.into_iter().map(|name| format!("tracefs instance {name}")));
            false
        }
        Err(error) => {
            anstream::eprintln!("sweeping tracefs: {error}");
            true
        }
    };
    if removed.is_empty() {
        anstream::println!("nothing was left behind");
    } else {
        anstream::println!("removed {}", removed.join(", "));
    }
    if failed { BROKEN } else { PASSED }
}
