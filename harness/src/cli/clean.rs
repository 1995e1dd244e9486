//! `whyclosed clean`

use super::{BROKEN, PASSED};
use crate::lab::guard;

/// Removes what killed runs may have left: everything else of a run ends with its processes.
pub fn main() -> u8 {
    match guard::sweep() {
        Ok(swept) if swept.is_empty() => {
            anstream::println!("nothing was left behind");
            PASSED
        }
        Ok(swept) => {
            anstream::println!("removed {} tracefs instances: {}", swept.len(), swept.join(", "));
            PASSED
        }
        Err(error) => {
            anstream::eprintln!("sweeping tracefs: {error} (root is needed)");
            BROKEN
        }
    }
}
