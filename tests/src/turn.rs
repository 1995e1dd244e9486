//! Whose turn it is. On the real clock cases wait most of the time, but what they time is late on a machine that is full; on the
//! virtual one they never wait, and each that is played beside more of them than there are processors takes longer by more than its share.

use std::sync::{Condvar, Mutex, PoisonError};

use whyclosed::run::REAL;

/// Cases of one test program that are played at the same time for each processor, on the real clock;
const REALLY: usize = 3;
/// on the virtual clock one for each, and so many besides.
const BESIDES: usize = 1;

static PLAYING: Mutex<usize> = Mutex::new(0);
static OVER: Condvar = Condvar::new();

/// A place among those that play; it is given back when dropped.
#[derive(Debug)]
pub struct Turn(());

impl Turn {
    /// Waits for a place among those that play on a clock; a test program plays on one.
    #[must_use]
    pub fn wait(clock: &str) -> Turn {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let places = if clock == REAL { REALLY * processors } else { processors + BESIDES };
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
