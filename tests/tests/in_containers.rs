//! The cases with services that are containers, on this machine's own kernel and clock.

include!(concat!(env!("OUT_DIR"), "/in_containers.rs"));
