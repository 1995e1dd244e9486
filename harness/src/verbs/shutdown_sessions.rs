//! `shutdown-sessions`: the operator of a proxy ends the sessions of one of its servers, as with HAProxy's `shutdown sessions
//! server` (management guide, 9.3).

use std::sync::Arc;

use super::{Playing, Verb};
use crate::keys;
use crate::lab::Lab;
use crate::scenario::{ServiceName, Shaped, Word};

/// `- shutdown-sessions: { proxy: lb, server: broker/s1 }`
pub const SHUTDOWN_SESSIONS: Word<Arc<dyn Verb>> = Word {
    name: "shutdown-sessions",
    about: "the proxy's operator ends the sessions of one server, named as in its configuration (`backend/name`): FIN and RST to the server, FIN to the clients",
    example: "{ proxy: lb, server: broker/s1 }",
    takes: ShutdownKeys::SHAPE,
    decode: |value| {
        let mut fields = value.fields(ShutdownKeys::TABLE)?;
        let proxy = fields.required(ShutdownKeys::PROXY);
        let server = fields.required(ShutdownKeys::SERVER);
        fields.finish();
        Some(Arc::new(ShutdownSessions { proxy: proxy?.to_string(), server: server? }))
    },
};

keys! {
    /// Whose sessions are ended.
    struct ShutdownKeys {
        PROXY: required ServiceName = "proxy", "lb", "the proxy";
        SERVER: required String = "server", "broker/s1", "the server, as the proxy's configuration has it: `backend/name`";
    }
}

#[derive(Debug)]
struct ShutdownSessions {
    proxy: String,
    /// As the proxy's configuration has it: `backend/name`.
    server: String,
}

impl Verb for ShutdownSessions {
    fn object(&self) -> Option<&str> {
        Some(&self.proxy)
    }

    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a> {
        Box::pin(async {
            let order = format!("shutdown sessions server {}", self.server);
            let what = format!("ending the sessions of `{}` at `{}`", self.server, self.proxy);
            lab.operate("shutdown-sessions", &self.proxy, &order, &what)
        })
    }
}
