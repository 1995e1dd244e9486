//! `unplug` and `plug`: the carrier at one end of a wire goes and comes back.
//!
//! On the wire: nothing, as the node's driver sends nothing without a carrier. Addresses and routes of the node stay.

use std::sync::Arc;

use super::{Playing, Verb};
use crate::lab::Lab;
use crate::scenario::{NodeName, Value, WireName, Word};

/// `- unplug: { wire: client-lb, at: client }`
pub const UNPLUG: Word<Arc<dyn Verb>> = Word {
    name: "unplug",
    about: "the cable comes out at one node's end (no carrier): `unplug: { wire, at }`",
    decode: |value| decode(value, true),
};

/// `- plug: { wire: client-lb, at: client }`
pub const PLUG: Word<Arc<dyn Verb>> = Word {
    name: "plug",
    about: "the opposite of `unplug`: `plug: { wire, at }`",
    decode: |value| decode(value, false),
};

#[derive(Debug)]
struct Unplug {
    wire: String,
    at: String,
    unplugs: bool,
}

fn decode(value: Value<'_>, unplugs: bool) -> Option<Arc<dyn Verb>> {
    let mut fields = value.fields()?;
    let wire = fields.required::<WireName>("wire");
    let at = fields.required::<NodeName>("at");
    fields.finish();
    Some(Arc::new(Unplug { wire: wire?.to_string(), at: at?.to_string(), unplugs }))
}

impl Verb for Unplug {
    fn object(&self) -> Option<&str> {
        Some(&self.wire)
    }

    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a> {
        Box::pin(async {
            let (wire, node) = (lab.wire(&self.wire), lab.node(&self.at));
            if self.unplugs {
                lab.network.unplug(wire, node).await?;
            } else {
                lab.network.plug(wire, node).await?;
            }
            lab.injected(if self.unplugs { "unplug" } else { "plug" }, &self.at);
            Ok(())
        })
    }
}
