//! `whyclosed clean`

use std::io::ErrorKind::{ConnectionRefused, NotFound, PermissionDenied};

use super::{BROKEN, PASSED, kept};
use crate::guest::memory;
use crate::lab::{engine, guard};

/// Ends labs that were kept, and removes what killed runs may have left: everything else of a run ends with its processes.
pub fn main() -> u8 {
    let kept = kept::end_all();
    let mut removed: Vec<String> = kept.iter().map(|process| format!("the labs kept by process {process}")).collect();
    removed.extend(memory::sweep().iter().map(|folder| format!("folder {}", folder.display())));
    let swept = if nix::unistd::geteuid().is_root() { guard::sweep() } else { Ok(Vec::new()) };
    let mut failed = false;
    match swept {
        Ok(swept) => removed.extend(swept.into_iter().map(|name| format!("tracefs instance {name}"))),
        Err(error) => {
            anstream::eprintln!("sweeping tracefs: {error}");
            failed = true;
        }
    }
    match containers() {
        Ok(swept) => removed.extend(swept.into_iter().map(|name| format!("container of `{name}`"))),
        // Where no engine can be asked there was none that a run could have asked.
        Err(error) if matches!(error.kind(), NotFound | ConnectionRefused | PermissionDenied) => {}
        Err(error) => {
            anstream::eprintln!("sweeping containers: {error}");
            failed = true;
        }
    }
    if removed.is_empty() {
        anstream::println!("nothing was left behind");
    } else {
        anstream::println!("removed {}", removed.join(", "));
    }
    if failed { BROKEN } else { PASSED }
}

fn containers() -> std::io::Result<Vec<String>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(engine::sweep())
}
