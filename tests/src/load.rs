//! Other work for the machine's processors.

use std::process::{Child, Command};

use crate::Result;

/// Programs that compute until this is dropped.
#[derive(Debug)]
pub struct Load(Vec<Child>);

impl Load {
    /// Starts so many.
    ///
    /// # Errors
    /// When there is no shell.
    pub fn start(programs: usize) -> Result<Load> {
        let mut load = Load(Vec::new());
        for _ in 0..programs {
            load.0.push(Command::new("sh").args(["-c", "while :; do :; done"]).spawn()?);
        }
        Ok(load)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
