//! `command: [program, argument, …]`: any program, started without a shell.

use std::path::Path;
use std::sync::Arc;

use super::Kind;
use crate::evidence::Role;
use crate::keys;
use crate::lab::enter::Place;
use crate::scenario::{Fields, Port, ServiceWord};

/// The word in a scenario.
pub const WORD: ServiceWord<Arc<dyn Kind>> = ServiceWord {
    key: "command",
    value: None,
    beside: &[],
    about: "any program with its arguments; no shell reads them",
    keys: &[CommandKeys::TABLE],
    decode,
};

keys! {
    /// The keys of a command.
    struct CommandKeys {
        COMMAND: required Vec<String> = "command", "[python3, server.py]",
            "any program with its arguments, started without a shell";
        PORT: optional Port = "port", "80", "none", "where it listens";
    }
}

#[derive(Debug)]
struct Command {
    argv: Vec<String>,
    port: Option<u16>,
}

fn decode(fields: &mut Fields<'_>) -> Option<Arc<dyn Kind>> {
    let argv = fields.required(CommandKeys::COMMAND);
    let port = fields.optional(CommandKeys::PORT).map(|port| port.0);
    let argv = argv?;
    if argv.first().is_none_or(String::is_empty) {
        fields.error_at(CommandKeys::COMMAND.name, "the command names no program");
        return None;
    }
    Some(Arc::new(Command { argv, port }))
}

impl Kind for Command {
    fn name(&self) -> &'static str {
        "command"
    }

    fn role(&self) -> Role {
        Role::Server
    }

    fn port(&self) -> Option<u16> {
        self.port
    }

    fn place(&self, directory: &Path, env: &[(String, String)]) -> std::io::Result<Place> {
        Ok(Place::of(self.argv.clone(), directory, env))
    }
}
