//! `shape`: changes, while it runs, what a wire does to packets in both directions (tc-netem(8)).
//!
//! On the wire: delay, jitter, loss, duplicates, reordering, flipped bits, a rate. The step says all of it: what it does not name is
//! off from then on, and what is under way arrives as it would have. There is no other opposite than `shape` with the wire's old
//! values; `shape: wire` alone takes everything off.

use std::sync::Arc;

use super::{Playing, Verb};
use crate::keys;
use crate::lab::{Lab, shaping};
use crate::scenario::{Quality, QualityKeys, Shape, Shaped, WireName, Word};

/// `- shape: { wire: client-lb, delay: 100ms, loss: 10% }`
pub const SHAPE: Word<Arc<dyn Verb>> = Word {
    name: "shape",
    about: "the wire does this to packets from now on, both ways, and nothing that is not named; `shape: cable` takes everything off. What is under way arrives as it would have. Needs netem, as such wires do. The opposite is `shape` with the old values",
    example: "{ wire: cable, delay: 20ms, loss: 1% }",
    takes: Shape::Either(&[WireName::SHAPE, Shape::Keys(&[ShapeKeys::TABLE, QualityKeys::TABLE])]),
    decode: |value| {
        if value.is_scalar() {
            let wire = value.decode::<WireName>()?.to_string();
            return Some(Arc::new(Shaping { wire, quality: Quality::default() }));
        }
        let mut fields = value.fields(ShapeKeys::TABLE)?;
        let wire = fields.required(ShapeKeys::WIRE);
        let quality = Quality::of(&mut fields);
        fields.finish();
        Some(Arc::new(Shaping { wire: wire?.to_string(), quality }))
    },
};

keys! {
    /// Which wire is changed; what to is in [`QualityKeys`].
    struct ShapeKeys {
        WIRE: required WireName = "wire", "cable", "the wire";
    }
}

#[derive(Debug)]
struct Shaping {
    wire: String,
    quality: Quality,
}

impl Verb for Shaping {
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
