//! Every case of every scenario, on the virtual clock.

include!(concat!(env!("OUT_DIR"), "/scenarios.rs"));
