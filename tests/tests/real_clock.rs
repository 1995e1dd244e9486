//! The cases that are over in seconds, and three of 200 s, on this machine's own kernel and clock: the snapshots are the same as
//! on the virtual clock.

include!(concat!(env!("OUT_DIR"), "/real_clock.rs"));
