//! `whyclosed kernel`

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{BROKEN, PASSED};
use crate::kernel::build::{self, Event, OBJECTS};
use crate::kernel::{self, Kernel};

/// How often progress is told where lines cannot be overwritten.
const SELDOM: Duration = Duration::from_secs(15);
/// How often it is where they can be.
const OFTEN: Duration = Duration::from_millis(200);

/// Which kernel, and from what.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Build it even if it is there
    #[arg(long)]
    force: bool,
    /// Linux's source, packed or not, instead of the distribution's
    #[arg(long, value_name = "TARBALL_OR_FOLDER")]
    source: Option<PathBuf>,
}

/// Finds the kernel of the virtual clock, or builds it.
pub fn main(arguments: &Arguments) -> u8 {
    if !arguments.force
        && let Ok(kernel) = kernel::find()
    {
        anstream::println!("found {}", describe(&kernel));
        return PASSED;
    }
    let mut progress = Progress::new();
    let built = build::build(arguments.force, arguments.source.as_deref(), &mut |event| progress.tell(event));
    progress.end();
    match built {
        Ok(kernel) => {
            anstream::println!("ready: {}", describe(&kernel));
            PASSED
        }
        Err(error) => {
            anstream::eprintln!("no kernel for the virtual clock: {error}");
            BROKEN
        }
    }
}

/// A kernel and what it can do, in a line.
pub fn describe(kernel: &Kernel) -> String {
    let reasons = if kernel.reset_reasons { "says" } else { "does not say" };
    format!(
        "Linux {}, {} ticks per second, wires can have delay and loss, {reasons} why it sends a RST: {}",
        kernel.release,
        kernel::TICKS_PER_SECOND,
        kernel.path.display()
    )
}

/// One line that changes on a terminal; elsewhere a line now and then.
struct Progress {
    terminal: bool,
    told: Instant,
    /// A line stands on the terminal that has no end yet.
    open: bool,
}

impl Progress {
    fn new() -> Self {
        let terminal = std::io::stderr().is_terminal() && std::env::var_os("CI").is_none();
        Self { terminal, told: Instant::now(), open: false }
    }

    fn tell(&mut self, event: Event<'_>) {
        match event {
            Event::Begins(text) | Event::Note(text) => {
                self.end();
                anstream::eprintln!("{text}");
                self.told = Instant::now();
            }
            Event::Compiled(count, elapsed) => {
                let pause = if self.terminal { OFTEN } else { SELDOM };
                if self.told.elapsed() < pause {
                    return;
                }
                self.told = Instant::now();
                let text = compiled(count, elapsed);
                if self.terminal {
                    self.open = true;
                    anstream::eprint!("\r\x1b[K{text}");
                    // Only the look of it is at stake.
                    let _ = std::io::stderr().flush();
                } else {
                    anstream::eprintln!("{text}");
                }
            }
        }
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.open) {
            anstream::eprintln!();
        }
    }
}

/// The total is another source's, so it is left out when it proves too small.
fn compiled(count: usize, elapsed: Duration) -> String {
    let total = if count <= OBJECTS { format!(" of about {OBJECTS}") } else { String::new() };
    format!("{count}{total} files compiled, {} s", elapsed.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_that_proved_too_small_is_not_told() {
        let second = Duration::from_millis(1500);
        assert_eq!(compiled(OBJECTS, second), format!("{OBJECTS} of about {OBJECTS} files compiled, 1 s"));
        assert_eq!(compiled(OBJECTS + 1, second), format!("{} files compiled, 1 s", OBJECTS + 1));
    }
}
