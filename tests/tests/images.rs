//! The cases with services that are images: in containers on this machine's own kernel and clock, and some on the virtual one.

include!(concat!(env!("OUT_DIR"), "/images.rs"));
