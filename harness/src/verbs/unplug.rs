//! `unplug` and `plug`: the carrier at one end of a wire goes and comes back.
//!
//! On the wire: nothing, as the node's driver sends nothing without a carrier. Addresses and routes of the node stay.

use std::sync::Arc;

use super::{Playing, Verb};
use crate::keys;
use crate::lab::Lab;
use crate::scenario::{NodeName, Shaped, Value, WireName, Word};

/// `- unplug: { wire: client-lb, at: client }`
pub const UNPLUG: Word<Arc<dyn Verb>> = Word {
    name: "unplug",
    about: "no carrier at that node's end: it sends nothing more there; addresses and routes stay. The opposite is `plug`",
    example: "{ wire: cable, at: client }",
    takes: UnplugKeys::SHAPE,
    decode: |value| decode(value, true),
};

/// `- plug: { wire: client-lb, at: client }`
pub const PLUG: Word<Arc<dyn Verb>> = Word {
    name: "plug",
    about: "the carrier comes back",
    example: "{ wire: cable, at: client }",
    takes: UnplugKeys::SHAPE,
    decode: |value| decode(value, false),
};

keys! {
    /// Which end of which wire.
    struct UnplugKeys {
        WIRE: required WireName = "wire", "cable", "the wire";
        AT: required NodeName = "at", "client", "the node at whose end it is";
    }
}

#[derive(Debug)]
struct Unplug {
    wire: String,
    at: String,
    unplugs: bool,
}

fn decode(value: Value<'_>, unplugs: bool) -> Option<Arc<dyn Verb>> {
    let mut fields = value.fields(UnplugKeys::TABLE)?;
    let wire = fields.required(UnplugKeys::WIRE);
    let at = fields.required(UnplugKeys::AT);
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
