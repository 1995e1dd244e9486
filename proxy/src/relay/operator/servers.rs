//! What operators do to servers (`cli_parse_set_server` and its neighbours in `src/server.c`).

use super::command::{Answer, Command, Order, View};
use crate::config::StatsLevel;
use crate::relay::server::{Server, State};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        words: "set server",
        takes: "<bk>/<srv> state|weight …",
        about: "change a server's state or weight",
        least: StatsLevel::Admin,
        answer: set_server,
    },
    Command {
        words: "enable server",
        takes: "<bk>/<srv>",
        about: "enable a disabled server",
        least: StatsLevel::Admin,
        answer: |view, words| {
            with_server(view, words, |(backend, server)| Answer::Order(Order::SetState(backend, server, State::Ready)))
        },
    },
    Command {
        words: "disable server",
        takes: "<bk>/<srv>",
        about: "disable a server for maintenance",
        least: StatsLevel::Admin,
        answer: |view, words| {
            with_server(view, words, |(backend, server)| {
                Answer::Order(Order::SetState(backend, server, State::Maintenance))
            })
        },
    },
    Command {
        words: "set weight",
        takes: "<bk>/<srv> <weight>",
        about: "change a server's weight",
        least: StatsLevel::Admin,
        answer: |view, words| with_server(view, words, |place| set_weight(view, place, words.get(1).copied())),
    },
    Command {
        words: "get weight",
        takes: "<bk>/<srv>",
        about: "report a server's current weight",
        least: StatsLevel::User,
        answer: |view, words| {
            with_server(view, words, |place| {
                let server = server(view, place);
                Answer::Text(format!("{} (initial {})\n", server.weight, server.initial_weight))
            })
        },
    },
    Command {
        words: "set maxconn server",
        takes: "<bk>/<srv> <value>",
        about: "change a server's maxconn setting",
        least: StatsLevel::Admin,
        answer: |view, words| with_server(view, words, |place| set_limit(place, words.get(1).copied())),
    },
];

/// A server: its backend's place, and its own in there.
pub(super) type Place = (usize, usize);

/// Does something with the server that the first word names, as `backend/server`.
pub(super) fn with_server(view: &View<'_>, words: &[&str], then: impl FnOnce(Place) -> Answer) -> Answer {
    let named = words.first().and_then(|word| word.split_once('/'));
    let Some((backend, server)) = named.filter(|(backend, server)| !backend.is_empty() && !server.is_empty()) else {
        return "Require 'backend/server'.\n".into();
    };
    let Some(number) = view.backends.iter().position(|known| known.name == backend) else {
        return "No such backend.\n".into();
    };
    match view.backends[number].servers.iter().position(|known| known.name == server) {
        Some(place) => then((number, place)),
        None => "No such server.\n".into(),
    }
}

fn server<'a>(view: &View<'a>, (backend, place): Place) -> &'a Server {
    &view.backends[backend].servers[place]
}

fn set_server(view: &View<'_>, words: &[&str]) -> Answer {
    with_server(view, words, |place| match words.get(1).copied() {
        Some("weight") => set_weight(view, place, words.get(2).copied()),
        Some("state") => {
            let state = match words.get(2).copied() {
                Some("ready") => State::Ready,
                Some("drain") => State::Drain,
                Some("maint") => State::Maintenance,
                _ => return "'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n".into(),
            };
            Answer::Order(Order::SetState(place.0, place.1, state))
        }
        _ => "usage: set server <backend>/<server> state | weight\n".into(),
    })
}

/// A weight from 0 to 256, or a part of the first one in percent. Some algorithms can have no other weights than the first and none.
fn set_weight(view: &View<'_>, place: Place, wanted: Option<&str>) -> Answer {
    let Some(wanted) = wanted else { return "Require <weight> or <weight%>.\n".into() };
    let initial = server(view, place).initial_weight;
    let digits = wanted.strip_suffix('%').unwrap_or(wanted);
    let Ok(number) = digits.parse::<i64>() else {
        let has_digits = digits.trim_start_matches(['+', '-']).starts_with(|c: char| c.is_ascii_digit());
        return if has_digits {
            "Trailing garbage in weight string".into()
        } else {
            "Empty weight string empty or preceded by garbage".into()
        };
    };
    let weight = if digits.len() < wanted.len() {
        match u64::try_from(number) {
            Ok(percent) => u32::try_from(u64::from(initial) * percent.min(25_600) / 100).unwrap_or(u32::MAX).min(256),
            Err(_) => return "Relative weight must be positive.\n".into(),
        }
    } else {
        match u32::try_from(number) {
            Ok(weight @ 0..=256) => weight,
            _ => return "Absolute weight can only be between 0 and 256 inclusive.\n".into(),
        }
    };
    if weight != 0 && weight != initial && !view.backends[place.0].balance.takes_weights() {
        return "Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.\n".into();
    }
    Answer::Order(Order::SetWeight(place.0, place.1, weight))
}

fn set_limit((backend, place): Place, wanted: Option<&str>) -> Answer {
    let Some(wanted) = wanted else { return "Require <maxconn>.\n".into() };
    match wanted.parse() {
        Ok(0) => Answer::Order(Order::SetServerLimit(backend, place, None)),
        Ok(most) => Answer::Order(Order::SetServerLimit(backend, place, Some(most))),
        Err(_) if wanted.starts_with(|c: char| c.is_ascii_digit()) => "Trailing garbage in maxconn string".into(),
        Err(_) => "maxconn string empty or preceded by garbage".into(),
    }
}
