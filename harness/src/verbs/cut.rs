//! `cut` and `restore`: a wire loses everything in silence, both ways or one.
//!
//! On the wire: what a node sends is still seen at its end, and is not delivered at the other. Nobody is told.

use std::sync::Arc;

use super::{Playing, Verb};
use crate::lab::{Lab, direction};
use crate::scenario::{NodeName, Value, WireName, Word};

/// `- cut: client-lb` or `- cut: { wire: client-lb, from: client }`
pub const CUT: Word<Arc<dyn Verb>> = Word {
    name: "cut",
    about: "a wire loses everything in silence, both ways or only what one node sends: `cut: wire` or `cut: { wire, from }`",
    decode: |value| decode(value, true),
};

/// `- restore: client-lb`
pub const RESTORE: Word<Arc<dyn Verb>> = Word {
    name: "restore",
    about: "the opposite of `cut`, both ways or one: `restore: wire` or `restore: { wire, from }`",
    decode: |value| decode(value, false),
};

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
    let mut fields = value.fields()?;
    let wire = fields.required::<WireName>("wire");
    let from = fields.optional::<NodeName>("from").map(|node| node.to_string());
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
