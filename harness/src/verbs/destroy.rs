//! `destroy`: an operator ends a node's TCP connections from outside their programs, as `ss -K` does (SOCK_DESTROY of sock_diag(7)).
//!
//! On the wire: RST for each connection that was established; nothing for an attempt to connect. Its program gets ECONNABORTED
//! (`tcp_abort` in net/ipv4/tcp.c). Listeners stay. There is no opposite: `start` opens new connections.

use std::sync::Arc;

use super::{Playing, Verb};
use crate::keys;
use crate::lab::{Error, Lab};
use crate::scenario::{NodeName, Shape, Shaped, Word};

/// `- destroy: { at: lb, to: s1 }`
pub const DESTROY: Word<Arc<dyn Verb>> = Word {
    name: "destroy",
    about: "an operator ends the node's connections, or those to one node, from outside their programs (`ss -K`, SOCK_DESTROY): RST, and ECONNABORTED for the program; an attempt to connect ends in silence. No opposite; `start` opens new ones",
    example: "{ at: client, to: server }",
    takes: Shape::Either(&[NodeName::SHAPE, DestroyKeys::SHAPE]),
    decode: |value| {
        if value.is_scalar() {
            return Some(Arc::new(Destroy { at: value.decode::<NodeName>()?.to_string(), to: None }));
        }
        let mut fields = value.fields(DestroyKeys::TABLE)?;
        let at = fields.required(DestroyKeys::AT);
        let to = fields.optional(DestroyKeys::TO).map(|node| node.to_string());
        fields.finish();
        Some(Arc::new(Destroy { at: at?.to_string(), to }))
    },
};

keys! {
    /// A node's connections, or those to one other node.
    struct DestroyKeys {
        AT: required NodeName = "at", "client", "the node whose connections are ended";
        TO: optional NodeName = "to", "server", "all of them", "only those to this node";
    }
}

#[derive(Debug)]
struct Destroy {
    at: String,
    to: Option<String>,
}

impl Verb for Destroy {
    fn object(&self) -> Option<&str> {
        Some(&self.at)
    }

    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a> {
        Box::pin(async {
            let other = self.to.as_deref().map(|name| lab.case.nodes[lab.node(name)].address);
            // Before: the kernel's answer may pass while this is still being told.
            lab.injected("destroy", &self.at);
            let namespace = lab.network.node(lab.node(&self.at))?;
            let ended =
                netns::sockets::destroy_connections(namespace, |address| other.is_none_or(|only| only == address))
                    .await?;
            if ended == 0 {
                let to = self.to.as_ref().map(|to| format!(" to `{to}`")).unwrap_or_default();
                return Err(Error::Limit(format!(
                    "`destroy`: node `{}` has no connection{to} that could be ended",
                    self.at
                )));
            }
            Ok(())
        })
    }
}
