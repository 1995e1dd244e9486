//! `destroy`: an operator ends a node's TCP connections from outside their programs, as `ss -K` does (SOCK_DESTROY of sock_diag(7)).
//!
//! On the wire: RST for each connection that was established; nothing for an attempt to connect. Its program gets ECONNABORTED
//! (`tcp_abort` in net/ipv4/tcp.c). Listeners stay. There is no opposite: `start` opens new connections.

use std::sync::Arc;

use super::{Playing, Verb};
use crate::lab::{Error, Lab};
use crate::scenario::{NodeName, Word};

/// `- destroy: { at: lb, to: s1 }`
pub const DESTROY: Word<Arc<dyn Verb>> = Word {
    name: "destroy",
    about: "an operator ends a node's connections, or those to one other node, as `ss -K` does: `destroy: node` or `destroy: { at, to }`",
    decode: |value| {
        if value.is_scalar() {
            return Some(Arc::new(Destroy { at: value.decode::<NodeName>()?.to_string(), to: None }));
        }
        let mut fields = value.fields()?;
        let at = fields.required::<NodeName>("at");
        let to = fields.optional::<NodeName>("to").map(|node| node.to_string());
        fields.finish();
        Some(Arc::new(Destroy { at: at?.to_string(), to }))
    },
};

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
