//! `show info`: the process (`stats_fill_info` in `src/stats.c`), as far as there is something to tell.

use std::fmt::Write as _;
use std::time::SystemTime;

use super::command::{Answer, Command, View};
use crate::config::StatsLevel;

pub(super) const COMMANDS: &[Command] = &[Command {
    words: "show info",
    takes: "",
    about: "report information about the running process",
    least: StatsLevel::User,
    answer: |view, _| Answer::Text(show(view)),
}];

fn show(view: &View<'_>) -> String {
    let process = &view.process;
    let (began, date) = process.started;
    let up = view.now.since(began).as_secs();
    let date = date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let up_in_words = format!("{}d {}h{:02}m{:02}s", up / 86_400, up / 3600 % 24, up / 60 % 60, up % 60);
    let fields: [(&str, String); 17] = [
        ("Name", "relay".into()),
        ("Version", env!("CARGO_PKG_VERSION").into()),
        ("Nbthread", "1".into()),
        ("Nbproc", "1".into()),
        ("Process_num", "1".into()),
        ("Pid", process.pid.to_string()),
        ("Uptime", up_in_words),
        ("Uptime_sec", up.to_string()),
        ("Start_time_sec", date.to_string()),
        ("Maxconn", process.maxconn.to_string()),
        ("Hard_maxconn", process.most.to_string()),
        ("CurrConns", view.sessions.len().to_string()),
        ("CumConns", process.accepted.to_string()),
        ("CumReq", process.begun.to_string()),
        ("node", process.node.into()),
        ("Stopping", u8::from(process.stopping).to_string()),
        ("Listeners", view.listeners.len().to_string()),
    ];
    fields.iter().fold(String::new(), |mut text, (name, value)| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}: {value}");
        text
    })
}
