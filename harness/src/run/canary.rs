//! The canary: a timer that tells how late this machine wakes its programs.
//!
//! An application's timer is late by its own doing or by the machine's. The canary knows the machine's part.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock;
use crate::evidence::Span;

/// The time between two wakings.
const PERIOD: Duration = Duration::from_millis(20);
/// Lateness that is not worth a note: an idle machine's.
const USUAL: Span = Span::millis(1);

/// A thread that wakes again and again and notes when it was late.
#[derive(Debug, Default)]
pub struct Canary {
    late: Arc<Mutex<Vec<(i64, Span)>>>,
}

impl Canary {
    /// A canary that never wakes: on the virtual clock computing takes no time, and nobody is late.
    #[must_use]
    pub fn still() -> Canary {
        Canary::default()
    }

    /// Starts the canary; it ends with the last handle on it.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start() -> std::io::Result<Canary> {
        let late = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::downgrade(&late);
        std::thread::Builder::new().name("canary".into()).spawn(move || {
            loop {
                let due = clock::monotonic_ns() + Span::from(PERIOD).0;
                std::thread::sleep(PERIOD);
                let now = clock::monotonic_ns();
                let Some(notes) = notes.upgrade() else { return };
                if now - due > USUAL.0 {
                    notes.lock().unwrap_or_else(PoisonError::into_inner).push((now, Span(now - due)));
                }
            }
        })?;
        Ok(Canary { late })
    }

    /// The worst lateness between two moments of CLOCK_MONOTONIC.
    #[must_use]
    pub fn worst_between(&self, from_ns: i64, to_ns: i64) -> Span {
        let late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        late.iter().filter(|(at, _)| (from_ns..=to_ns).contains(at)).map(|(_, span)| *span).max().unwrap_or(USUAL)
    }
}
