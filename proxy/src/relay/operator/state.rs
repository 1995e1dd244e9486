//! `show servers state`: what HAProxy would keep of its servers over a restart (management guide, 9.3; `dump_servers_state`).

use std::fmt::Write as _;

use super::command::{Answer, Command, View};
use crate::config::StatsLevel;
use crate::relay::backend::Backend;
use crate::relay::server::{Server, State};

pub(super) const COMMANDS: &[Command] = &[Command {
    words: "show servers state",
    takes: "[<backend>]",
    about: "dump volatile server information (all or for a single backend)",
    least: StatsLevel::User,
    answer: |view, words| {
        let only = words.first();
        let shown: Vec<&Backend> =
            view.backends.iter().filter(|one| !one.stands_in && only.is_none_or(|name| one.name == *name)).collect();
        if only.is_some() && shown.is_empty() {
            return "Can't find backend.\n".into();
        }
        Answer::Text(show(view, &shown))
    },
}];

/// The version of the format and its fields (`SRV_STATE_FILE_FIELD_NAMES`).
const HEAD: &str = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight \
    srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id \
    srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n";

/// `SRV_ADMF_*`: forced to maintenance, in maintenance by the configuration, forced to drain.
const MAINTENANCE: u32 = 0x01;
const CONFIGURED: u32 = 0x04;
const DRAIN: u32 = 0x08;

/// `CHK_ST_*`: under way, configured, enabled, paused.
const UNDER_WAY: u32 = 1;
const CHECKED: u32 = 2 | 4;
const PAUSED: u32 = 8;

fn show(view: &View<'_>, backends: &[&Backend]) -> String {
    let mut text = HEAD.to_owned();
    for backend in backends {
        for (place, server) in backend.servers.iter().enumerate() {
            row(view, backend, place, server, &mut text);
        }
    }
    text
}

fn row(view: &View<'_>, backend: &Backend, place: usize, server: &Server, text: &mut String) {
    let check = view.checks.iter().find(|check| {
        check.server == place && view.backends.get(check.backend).is_some_and(|its| its.name == backend.name)
    });
    let runs = match (server.state, server.health.is_up()) {
        (State::Maintenance, _) | (_, false) => 0,
        (_, true) if server.starts() => 1,
        (_, true) => 2,
    };
    let configured = if server.starts_disabled { CONFIGURED } else { 0 };
    let forced = match server.state {
        State::Ready => 0,
        State::Drain => DRAIN,
        State::Maintenance => MAINTENANCE,
    };
    // Without checks, what the configuration paused is never taken up.
    let pauses = if check.is_some() { server.state == State::Maintenance } else { server.starts_disabled };
    let paused = if pauses { PAUSED } else { 0 };
    let (status, result) = check.and_then(|check| check.last).map_or((1, 0), |last| last.numbers());
    let flags = check.map_or(0, |check| CHECKED | if check.is_under_way() { UNDER_WAY } else { 0 });
    let (_, _, health) = server.health.counts();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{} {} {} {} {} {runs} {} {} {} {} {status} {result} {health} {} 0 {} {} - {} - 0 0 - - 0",
        backend.number,
        backend.name,
        server.number,
        server.name,
        server.address.ip(),
        forced | configured,
        server.weight,
        server.initial_weight,
        view.now.since(server.changed).as_secs(),
        flags | paused,
        u8::from(backend.has_own_number),
        u8::from(server.has_own_number),
        server.address.port(),
    );
}
