//! How many sessions there may be at once (`cli_parse_set_maxconn_frontend`, `cli_parse_set_maxconn_global`).

use super::command::{Answer, Command, Order, View};
use crate::config::StatsLevel;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        words: "set maxconn frontend",
        takes: "<frontend> <value>",
        about: "change a frontend's maxconn setting",
        least: StatsLevel::Admin,
        answer: frontend,
    },
    Command {
        words: "set maxconn global",
        takes: "<value>",
        about: "change the per-process maxconn setting",
        least: StatsLevel::Admin,
        answer: global,
    },
];

fn frontend(view: &View<'_>, words: &[&str]) -> Answer {
    let Some(name) = words.first() else { return "A frontend name is expected.\n".into() };
    let Some(place) = view.frontends.iter().position(|frontend| frontend.name == *name) else {
        return "No such frontend.\n".into();
    };
    let Some(most) = words.get(1) else { return "Integer value expected.\n".into() };
    match most.parse() {
        Ok(most) => Answer::Order(Order::SetFrontendLimit(place, most)),
        Err(_) => "Value out of range.\n".into(),
    }
}

/// 0 is as many as there can be.
fn global(view: &View<'_>, words: &[&str]) -> Answer {
    let Some(most) = words.first() else { return "Expects an integer value.\n".into() };
    match most.parse() {
        Ok(0) => Answer::Order(Order::SetLimit(view.process.most)),
        Ok(most) if most <= view.process.most => Answer::Order(Order::SetLimit(most)),
        _ => "Value out of range.\n".into(),
    }
}
