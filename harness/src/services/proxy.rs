//! `proxy: { command: [program, argument, …] }`: any other proxy, whose log is read by patterns of the scenario's.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;

use super::session_log::{self, GROUPS, Pattern};
use super::{Kind, Surroundings};
use crate::evidence::{Fact, ProxyTimeouts, Role};
use crate::keys;
use crate::lab::enter::Place;
use crate::lab::process::ReadLine;
use crate::scenario::{Fields, Port, ServiceWord, Value};

/// The word in a scenario.
pub const WORD: ServiceWord<Arc<dyn Kind>> = ServiceWord {
    key: "proxy",
    value: None,
    beside: &[],
    about: "any other proxy, which is told to the verdicts by the scenario",
    keys: &[ForeignKeys::TABLE],
    decode,
};

keys! {
    /// The keys of any other proxy.
    struct ForeignKeys {
        PROXY: required HowKeys = "proxy", "{ command: [python3, proxy.py] }", "how it is started";
        PORT: required Port = "port", "5672", "where it listens";
        SERVERS: optional Vec<String> = "servers", "[\"s1:5672\"]", "none known", "where it connects to";
        TIMEOUTS: optional TimeoutKeys = "timeouts", "{ tunnel: 30s }", "none known",
            "its timers, by HAProxy's names";
        LOG: optional Vec<PatternKeys> = "log", "[ { line: \"(?<session>[0-9]+) idle\", state: cD } ]", "nothing is read",
            "patterns of lines; the first that fits reads the line";
    }
}

keys! {
    /// How it is started.
    struct HowKeys {
        COMMAND: required Vec<String> = "command", "[python3, proxy.py]", "the program with its arguments, started without a shell";
    }
}

keys! {
    /// A proxy's timers.
    struct TimeoutKeys {
        CONNECT: optional Duration = "connect", "30s", "none known", "until a server has answered";
        CLIENT: optional Duration = "client", "30s", "none known", "nothing from the client";
        SERVER: optional Duration = "server", "30s", "none known", "nothing from the server";
        TUNNEL: optional Duration = "tunnel", "30s", "none known", "nothing in either direction, in place of both";
        CLIENT_FIN: optional Duration = "client-fin", "30s", "none known", "nothing from a client that has half-closed";
        SERVER_FIN: optional Duration = "server-fin", "30s", "none known", "nothing from a server that has half-closed";
        QUEUE: optional Duration = "queue", "30s", "none known", "waiting for a free server";
    }
}

keys! {
    /// A kind of line of its log.
    struct PatternKeys {
        LINE: required String = "line", "\"(?<session>[0-9]+) idle\"",
            "what the line looks like, a regular expression with named groups";
        STATE: optional String = "state", "cD", "it tells of no end",
            "why a session ended, in HAProxy's termination states";
    }
}

#[derive(Debug)]
struct Foreign {
    argv: Vec<String>,
    port: u16,
    servers: Vec<String>,
    timeouts: ProxyTimeouts,
    log: Vec<Pattern>,
}

fn decode(fields: &mut Fields<'_>) -> Option<Arc<dyn Kind>> {
    let mut how = fields.required_value(ForeignKeys::PROXY)?.fields(HowKeys::TABLE)?;
    let argv = how.required(HowKeys::COMMAND);
    how.finish();
    let port = fields.required(ForeignKeys::PORT);
    let servers = fields.optional(ForeignKeys::SERVERS).unwrap_or_default();
    let timeouts =
        fields.optional_value(ForeignKeys::TIMEOUTS).map_or(Some(ProxyTimeouts::default()), |value| timeouts(&value));
    let log = fields.optional_value(ForeignKeys::LOG).map_or(Some(Vec::new()), |value| log(&value));
    let argv = argv.filter(|argv| argv.first().is_some_and(|program| !program.is_empty()));
    if argv.is_none() {
        fields.error_at(ForeignKeys::PROXY.name, "the command names no program");
    }
    Some(Arc::new(Foreign { argv: argv?, port: port?.0, servers, timeouts: timeouts?, log: log? }))
}

/// Timers by HAProxy's names, since verdicts have these.
fn timeouts(value: &Value<'_>) -> Option<ProxyTimeouts> {
    let mut fields = value.fields(TimeoutKeys::TABLE)?;
    let mut ms = |key| {
        let time: Option<Duration> = fields.optional(key);
        time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    };
    let timeouts = ProxyTimeouts {
        connect: ms(TimeoutKeys::CONNECT),
        client: ms(TimeoutKeys::CLIENT),
        server: ms(TimeoutKeys::SERVER),
        tunnel: ms(TimeoutKeys::TUNNEL),
        client_fin: ms(TimeoutKeys::CLIENT_FIN),
        server_fin: ms(TimeoutKeys::SERVER_FIN),
        queue: ms(TimeoutKeys::QUEUE),
    };
    fields.finish();
    Some(timeouts)
}

fn log(value: &Value<'_>) -> Option<Vec<Pattern>> {
    value.items()?.iter().map(pattern).collect()
}

fn pattern(value: &Value<'_>) -> Option<Pattern> {
    let mut fields = value.fields(PatternKeys::TABLE)?;
    let place = fields.required_value(PatternKeys::LINE)?;
    let state = fields.optional(PatternKeys::STATE);
    fields.finish();
    let line = match Regex::new(place.scalar("a regular expression")?) {
        Ok(line) => line,
        Err(error) => {
            // The crate draws the expression too; its last line says what is wrong.
            let reason = error.to_string();
            place.error(format!(
                "this is no regular expression: {}",
                reason.lines().last().unwrap_or_default().trim_start_matches("error: ")
            ));
            return None;
        }
    };
    let unknown = line.capture_names().flatten().find(|name| !GROUPS.contains(name));
    if let Some(unknown) = unknown {
        place.error_with_help(
            format!("nothing is known of a group `{unknown}`"),
            format!("the groups are {}", GROUPS.join(", ")),
        );
        return None;
    }
    if !line.capture_names().flatten().any(|name| ["session", "client"].contains(&name)) {
        place.error_with_help(
            "nothing in this line would say whose session it is",
            "name what tells sessions apart: `(?<session>\\d+)`, or the client's address and port, `(?<client>[\\d.]+:\\d+)`",
        );
        return None;
    }
    Some(Pattern { line, state })
}

impl Kind for Foreign {
    fn name(&self) -> &'static str {
        "proxy"
    }

    fn role(&self) -> Role {
        Role::Proxy
    }

    fn port(&self) -> Option<u16> {
        Some(self.port)
    }

    fn place(&self, directory: &Path, env: &[(String, String)]) -> std::io::Result<Place> {
        Ok(Place::of(self.argv.clone(), directory, env))
    }

    fn settings(&self, service: &Surroundings<'_>) -> Vec<Fact> {
        vec![Fact::ProxySettings {
            service: service.name.into(),
            frontend: self.port.to_string(),
            ports: vec![self.port],
            servers: self.servers.iter().filter_map(|server| service.socket_of(server)).collect(),
            timeouts: self.timeouts.clone(),
            lazy_ms: None,
            rules: None,
        }]
    }

    fn reads(&self, service: &Surroundings<'_>) -> ReadLine {
        session_log::reader(self.log.clone(), service, Some(self.port))
    }
}
