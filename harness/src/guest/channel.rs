//! What a guest tells while it runs: JSON lines on its first serial line, `/dev/ttyS0`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use serde::{Deserialize, Serialize};

use crate::progress::{Moment, Progress};

/// The guest's end of the line.
const DEVICE: &str = "/dev/ttyS0";

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
pub enum Line {
    /// Process 1 runs.
    Booted,
    /// The case's timeline started.
    Started,
    /// A step began.
    Step {
        /// Its number, from 1.
        number: usize,
        /// How many there are.
        of: usize,
        /// Its text.
        text: String,
    },
    /// The clock has moved.
    Moment(Moment),
    /// The result is written.
    Done,
}

/// Writes lines, as one who follows the progress of a case.
#[derive(Debug)]
pub struct Teller {
    device: Mutex<File>,
    watched: bool,
}

impl Teller {
    /// Opens the guest's end, for bytes as they are; `watched` if a person reads what becomes of them.
    ///
    /// # Errors
    /// When there is no such device, or its mode cannot be set.
    pub fn open(watched: bool) -> std::io::Result<Teller> {
        let device = OpenOptions::new().write(true).open(DEVICE)?;
        let mut mode = tcgetattr(device.as_fd())?;
        cfmakeraw(&mut mode);
        tcsetattr(device.as_fd(), SetArg::TCSANOW, &mode)?;
        Ok(Teller { device: Mutex::new(device), watched })
    }

    /// Writes one line.
    pub fn tell(&self, line: &Line) {
        let Ok(mut text) = serde_json::to_vec(line) else { return };
        text.push(b'\n');
        // Nobody listens any more when the launcher has gone; the guest ends with it.
        let _ = self.device.lock().unwrap_or_else(PoisonError::into_inner).write_all(&text);
    }
}

impl Progress for Teller {
    fn started(&self, _case: &str) {
        self.tell(&Line::Started);
    }

    fn step(&self, _case: &str, number: usize, of: usize, text: &str) {
        self.tell(&Line::Step { number, of, text: text.into() });
    }

    fn moment(&self, _case: &str, moment: &Moment) {
        self.tell(&Line::Moment(moment.clone()));
    }

    fn is_watched(&self) -> bool {
        self.watched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_step_comes_back_as_it_was_told(number: usize, of: usize, text: String) {
            let line = Line::Step { number, of, text };
            let told = serde_json::to_string(&line).expect("a line");
            proptest::prop_assert!(!told.contains('\n'));
            proptest::prop_assert_eq!(serde_json::from_str::<Line>(&told).expect("the same line"), line);
        }
    }
}
