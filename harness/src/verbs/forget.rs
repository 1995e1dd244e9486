//! `forget`: a firewall loses its state. There is no opposite: what it knows again it learns from what passes.
//!
//! On the wire: nothing by itself. The next segment of a connection is one that the firewall does not know: it takes the
//! connection up from the middle (`loose: on`), or drops the segment, or resets its sender.

use std::sync::Arc;

use super::{Playing, Verb};
use crate::lab::Lab;
use crate::scenario::{FirewallName, Shaped, Word};

/// `- forget: fw`
pub const FORGET: Word<Arc<dyn Verb>> = Word {
    name: "forget",
    about: "a firewall loses its state, as when it fails over to another one without it. Nothing by itself; the next segment of a connection is one that it does not know ([firewalls](firewalls.md)). No opposite: it learns again from what passes",
    example: "fw",
    takes: FirewallName::SHAPE,
    decode: |value| Some(Arc::new(Forget(value.decode::<FirewallName>()?.to_string()))),
};

#[derive(Debug)]
struct Forget(String);

impl Verb for Forget {
    fn object(&self) -> Option<&str> {
        Some(&self.0)
    }

    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a> {
        Box::pin(async {
            lab.network.forget(lab.node(&self.0)).await?;
            lab.injected("forget", &self.0);
            Ok(())
        })
    }
}
