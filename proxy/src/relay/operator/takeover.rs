//! `_getsocks`: a new process asks for the listening sockets. It is no command for people, and no help lists it.

use super::command::{Answer, Command};
use crate::config::StatsLevel;
use crate::relay::takeover::REQUEST;

pub(super) const COMMANDS: &[Command] =
    &[Command { words: REQUEST, takes: "", about: "", least: StatsLevel::User, answer: |_, _| Answer::Sockets }];
