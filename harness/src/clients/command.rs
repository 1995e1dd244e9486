//! `protocol: { command: [program, argument, …] }`: any program that connects by itself.

use std::sync::Arc;

use super::{Protocol, Way, library_words};
use crate::actors::What;
use crate::keys;
use crate::lab::enter::{Place, environment};
use crate::lab::process::ReadLine;
use crate::scenario::{Client, Shaped, Value, Word};

/// The word in a scenario.
pub const WORD: Word<Arc<dyn Protocol>> = Word {
    name: "command",
    about: "any program that connects by itself, started without a shell",
    example: "command: [python3, worker.py]",
    takes: CommandKeys::SHAPE,
    decode,
};

keys! {
    /// The key of a program of one's own.
    struct CommandKeys {
        COMMAND: required Vec<String> = "command", "[python3, worker.py]",
            "the program with its arguments, started without a shell; it finds its target in `TARGET_HOST` and `TARGET_PORT`";
    }
}

#[derive(Debug)]
struct Command {
    argv: Vec<String>,
}

fn decode(value: Value<'_>) -> Option<Arc<dyn Protocol>> {
    let mut fields = value.fields(CommandKeys::TABLE)?;
    let argv = fields.required(CommandKeys::COMMAND);
    fields.finish();
    let argv = argv?;
    if argv.first().is_none_or(String::is_empty) {
        fields.error_at(CommandKeys::COMMAND.name, "the command names no program");
        return None;
    }
    Some(Arc::new(Command { argv }))
}

impl Protocol for Command {
    fn name(&self) -> &'static str {
        "command"
    }

    fn is_actor(&self) -> bool {
        false
    }

    fn refuses(&self, _what: What) -> Option<&'static str> {
        Some("a program of one's own takes no orders; it does by itself what it is to do")
    }

    fn reads(&self) -> ReadLine {
        Arc::new(library_words::read)
    }

    fn place(&self, _client: &Client<Arc<dyn Protocol>>, way: &Way<'_>) -> std::io::Result<Place> {
        let env = [("TARGET_HOST", way.target.ip().to_string()), ("TARGET_PORT", way.target.port().to_string())];
        let env: Vec<_> = env.into_iter().map(|(key, value)| (key.to_string(), value)).collect();
        Ok(Place {
            argv: self.argv.clone(),
            env: environment(&env),
            directory: way.directory.to_path_buf(),
            ..Place::default()
        })
    }
}
