//! Every case of every scenario.

include!(concat!(env!("OUT_DIR"), "/scenarios.rs"));
