//! `cut` and `restore`: a wire loses everything in silence, both ways or one.
//!
//! On the wire: what a node sends is still seen at its end, and is not delivered at the other. Nobody is told.

use std::sync::Arc;

use super::{Playing, Verb};
use crate::keys;
use crate::lab::{Lab, direction};
use crate::scenario::{NodeName, Shape, Shaped, Value, WireName, Word};

/// `- cut: client-lb` or `- cut: { wire: client-lb, from: client }`
pub const CUT: Word<Arc<dyn Verb>> = Word {
    name: "cut",
    about: "the wire loses everything in silence, both ways or only what one node sends. Frames are still seen where they were sent and are not delivered. `cut: cable` is both ways. The opposite is `restore`",
    example: "{ wire: cable, from: client }",
    takes: Shape::Either(&[WireName::SHAPE, CutKeys::SHAPE]),
    decode: |value| decode(value, true),
};

/// `- restore: client-lb`
pub const RESTORE: Word<Arc<dyn Verb>> = Word {
    name: "restore",
    about: "a wire that was cut delivers again, both ways or what one node sends",
    example: "cable",
    takes: Shape::Either(&[WireName::SHAPE, CutKeys::SHAPE]),
    decode: |value| decode(value, false),
};

keys! {
    /// A wire, or one of its directions.
    struct CutKeys {
        WIRE: required WireName = "wire", "cable", "the wire";
        FROM: optional NodeName = "from", "client", "both ways", "only what this node sends";
    }
}

#[derive(Debug)]
struct Cut {
    wire: String,
    from: Option<String>,
    cuts: bool,
}

fn decode(value: Value<'_>, cuts: bool) -> Option<Arc<dyn Verb>> {
    if value.is_scalar() {
        return Some(Arc::new(Cut { wire: value.decode::<WireName>()?.to_string(), from: None, cuts }));
    }
    let mut fields = value.fields(CutKeys::TABLE)?;
    let wire = fields.required(CutKeys::WIRE);
    let from = fields.optional(CutKeys::FROM).map(|node| node.to_string());
    fields.finish();
    Some(Arc::new(Cut { wire: wire?.to_string(), from, cuts }))
}

impl Verb for Cut {
    fn object(&self) -> Option<&str> {
        Some(&self.wire)
    }

    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a> {
        Box::pin(async {
            let (wire, direction) = (lab.wire(&self.wire), direction(lab, self.from.as_deref()));
            if self.cuts {
                lab.network.cut(wire, direction).await?;
            } else {
                lab.network.restore(wire, direction).await?;
            }
            lab.injected(if self.cuts { "cut" } else { "restore" }, &self.wire);
            Ok(())
        })
    }
}
