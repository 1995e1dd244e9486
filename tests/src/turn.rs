//! Whose turn it is on the real clock: cases wait most of the time, but what they time is late on a machine that is full.

use std::sync::{Condvar, Mutex, PoisonError};

/// Cases of one test program that are played at the same time for each processor.
const PER_PROCESSOR: usize = 3;

static PLAYING: Mutex<usize> = Mutex::new(0);
static OVER: Condvar = Condvar::new();

/// A place among those that play; it is given back when dropped.
#[derive(Debug)]
pub struct Turn(());

impl Turn {
    /// Waits for a place.
    #[must_use]
    pub fn wait() -> Turn {
        let places = PER_PROCESSOR * std::thread::available_parallelism().map_or(1, usize::from);
        let playing = PLAYING.lock().unwrap_or_else(PoisonError::into_inner);
        let free = OVER.wait_while(playing, |playing| *playing >= places);
        *free.unwrap_or_else(PoisonError::into_inner) += 1;
        Turn(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *PLAYING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        OVER.notify_one();
    }
}
