//! `server: echo`: the harness's own echo server.

use std::path::Path;
use std::sync::Arc;

use super::Kind;
use crate::actors::manners::{ApplicationKeys, SocketKeys, manners};
use crate::actors::{Manners, Part, What};
use crate::evidence::Role;
use crate::keys;
use crate::lab::enter::Place;
use crate::scenario::{Fields, OnOff, Port, ServiceWord};

/// The word in a scenario.
pub const WORD: ServiceWord<Arc<dyn Kind>> = ServiceWord {
    key: "server",
    value: Some("echo"),
    beside: &[],
    about: "a TCP server of the harness's own that sends back what it reads",
    keys: &[EchoKeys::TABLE, ApplicationKeys::TABLE, SocketKeys::TABLE],
    decode,
};

keys! {
    /// The keys of an echo server, besides those of an application.
    struct EchoKeys {
        PORT: required Port = "port", "7", "where it listens";
        ECHO: optional OnOff = "echo", "off", "`on`", "`off` swallows what it reads";
    }
}

#[derive(Debug)]
struct Echo {
    port: u16,
    echo: bool,
    manners: Manners,
}

fn decode(fields: &mut Fields<'_>) -> Option<Arc<dyn Kind>> {
    let port = fields.required(EchoKeys::PORT);
    let echo = fields.optional(EchoKeys::ECHO).is_none_or(|on| on.0);
    let manners = manners(fields);
    Some(Arc::new(Echo { port: port?.0, echo, manners: manners? }))
}

impl Kind for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn is_actor(&self) -> bool {
        true
    }

    fn refuses(&self, what: What) -> Option<&'static str> {
        let taken = matches!(what, What::StopReading | What::ResumeReading);
        (!taken).then_some("a server can be told to stop reading and to resume; else it does what its keys say")
    }

    fn role(&self) -> Role {
        Role::Server
    }

    fn port(&self) -> Option<u16> {
        Some(self.port)
    }

    fn place(&self, _directory: &Path, env: &[(String, String)]) -> std::io::Result<Place> {
        let part = Part::Echo { port: self.port, echo: self.echo, manners: self.manners.clone() };
        Ok(Place::of(vec![String::new(), "actor".into(), serde_json::to_string(&part)?], Path::new("/"), env))
    }
}
