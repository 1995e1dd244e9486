//! `proxy: { command: [program, argument, …] }`: any other proxy, whose log is read by patterns of the scenario's.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;

use super::session_log::{self, GROUPS, Pattern};
use super::{Kind, Surroundings};
use crate::evidence::{Fact, ProxyTimeouts, Role};
use crate::lab::enter::Place;
use crate::lab::process::ReadLine;
use crate::scenario::{Fields, Port, ServiceWord, Value};

/// The word in a scenario.
pub const WORD: ServiceWord<Arc<dyn Kind>> = ServiceWord {
    key: "proxy",
    value: None,
    beside: &[],
    about: "any other proxy: `proxy: { command: […] }`, `port`, `servers`, `timeouts: { tunnel: 30s }`, `log: [{ line: regex, state: cD }]`",
    decode,
};

#[derive(Debug)]
struct Foreign {
    argv: Vec<String>,
    port: u16,
    servers: Vec<String>,
    timeouts: ProxyTimeouts,
    log: Vec<Pattern>,
}

fn decode(fields: &mut Fields<'_>) -> Option<Arc<dyn Kind>> {
    let mut how = fields.required_value("proxy")?.fields()?;
    let argv = how.required::<Vec<String>>("command");
    how.finish();
    let port = fields.required::<Port>("port");
    let servers = fields.optional::<Vec<String>>("servers").unwrap_or_default();
    let timeouts = fields.optional_value("timeouts").map_or(Some(ProxyTimeouts::default()), |value| timeouts(&value));
    let log = fields.optional_value("log").map_or(Some(Vec::new()), |value| log(&value));
    let argv = argv.filter(|argv| argv.first().is_some_and(|program| !program.is_empty()));
    if argv.is_none() {
        fields.error_at("proxy", "the command names no program");
    }
    Some(Arc::new(Foreign { argv: argv?, port: port?.0, servers, timeouts: timeouts?, log: log? }))
}

/// Timers by HAProxy's names, since verdicts have these.
fn timeouts(value: &Value<'_>) -> Option<ProxyTimeouts> {
    let mut fields = value.fields()?;
    let mut ms = |name| {
        let time: Option<Duration> = fields.optional(name);
        time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    };
    let timeouts = ProxyTimeouts {
        connect: ms("connect"),
        client: ms("client"),
        server: ms("server"),
        tunnel: ms("tunnel"),
        client_fin: ms("client-fin"),
        server_fin: ms("server-fin"),
        queue: ms("queue"),
    };
    fields.finish();
    Some(timeouts)
}

fn log(value: &Value<'_>) -> Option<Vec<Pattern>> {
    value.items()?.iter().map(pattern).collect()
}

fn pattern(value: &Value<'_>) -> Option<Pattern> {
    let mut fields = value.fields()?;
    let place = fields.required_value("line")?;
    let state = fields.optional::<String>("state");
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
