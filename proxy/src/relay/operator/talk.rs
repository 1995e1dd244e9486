//! Talking itself: help, the prompt, the end (`cli_parse_simple`, `cli_gen_usage_msg` in `src/cli.c`).

use std::fmt::Write as _;

use super::command::{Answer, Command, all};
use crate::config::StatsLevel;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        words: "help",
        takes: "[<command>]",
        about: "list matching or all commands",
        least: StatsLevel::User,
        answer: |_, words| Answer::Text(list("The following commands are valid at this level:\n", words)),
    },
    Command {
        words: "prompt",
        takes: "",
        about: "toggle interactive mode with prompt",
        least: StatsLevel::User,
        answer: |_, _| Answer::Prompt,
    },
    Command { words: "quit", takes: "", about: "disconnect", least: StatsLevel::User, answer: |_, _| Answer::Quit },
];

/// What is said about a command that there is not.
pub(super) fn unknown(words: &[&str]) -> String {
    let known = |count: &usize| begin(&words[..*count]).next().is_some();
    let count = (1..=words.len()).rev().find(known).unwrap_or_default();
    let title = if count == 0 {
        "Unknown command. Please enter one of the following commands only:\n"
    } else {
        "Unknown command, but maybe one of the following ones is a better match:\n"
    };
    list(title, &words[..count])
}

/// The commands that begin with some words, or all if none does; and behind them how to talk at all.
fn list(title: &str, words: &[&str]) -> String {
    let others = |words: &[&str]| {
        let talking = |command: &&Command| COMMANDS.iter().any(|own| own.words == command.words);
        let mut lines: Vec<String> =
            begin(words).filter(|command| !talking(command) && !command.about.is_empty()).map(line).collect();
        lines.sort();
        lines
    };
    let mut lines = others(words);
    if lines.is_empty() {
        lines = others(&[]);
    }
    lines.extend(COMMANDS.iter().map(line));
    let mut text = title.to_owned();
    for line in lines {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {line}");
    }
    text
}

fn begin(words: &[&str]) -> impl Iterator<Item = &'static Command> {
    all().filter(move |command| words.iter().copied().eq(command.words.split(' ').take(words.len())))
}

fn line(command: &Command) -> String {
    let Command { words, takes, about, .. } = command;
    format!("{:<40}: {about}", format!("{words} {takes}").trim_end())
}
