//! `shape`: changes, while it runs, what a wire does to packets in both directions (tc-netem(8)).
//!
//! On the wire: delay, jitter, loss, duplicates, reordering, flipped bits, a rate. The step says all of it: what it does not name is
//! off from then on, and what is under way arrives as it would have. There is no other opposite than `shape` with the wire's old
//! values; `shape: wire` alone takes everything off.

use std::sync::Arc;

use super::{Playing, Verb};
use crate::lab::{Lab, shaping};
use crate::scenario::{Quality, WireName, Word};

/// `- shape: { wire: client-lb, delay: 100ms, loss: 10% }`
pub const SHAPE: Word<Arc<dyn Verb>> = Word {
    name: "shape",
    about: "a wire gets another delay, loss, rate, …, and none of what is not named: `shape: { wire, delay, loss, rate, … }` or `shape: wire`",
    decode: |value| {
        if value.is_scalar() {
            let wire = value.decode::<WireName>()?.to_string();
            return Some(Arc::new(Shape { wire, quality: Quality::default() }));
        }
        let mut fields = value.fields()?;
        let wire = fields.required::<WireName>("wire");
        let quality = Quality::of(&mut fields);
        fields.finish();
        Some(Arc::new(Shape { wire: wire?.to_string(), quality }))
    },
};

#[derive(Debug)]
struct Shape {
    wire: String,
    quality: Quality,
}

impl Verb for Shape {
    fn object(&self) -> Option<&str> {
        Some(&self.wire)
    }

    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a> {
        Box::pin(async {
            let wire = lab.wire(&self.wire);
            let seed = lab.network.plan().wires.get(wire).and_then(|plan| plan.shaping.seed);
            lab.network.shape(wire, shaping(&self.quality, seed)).await?;
            lab.injected("shape", &self.wire);
            Ok(())
        })
    }
}
