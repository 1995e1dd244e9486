//! The broker's log: lines to standard error, in the words of RabbitMQ 3.10's rabbit_reader.erl.
//!
//! As in RabbitMQ's own text log each line begins with the level and the process, so that the second line of a pair is known to
//! belong to the first.

use super::exception::Exception;
use crate::evidence::Pair;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Info,
    /// Not quite.
    Warning,
    /// Not at all.
    Error,
}

/// The log of one connection.
#[derive(Debug)]
pub struct Log {
    process: String,
    name: String,
}

impl Log {
    /// Of the connection with this number.
    pub fn new(number: u64, pair: Option<Pair>) -> Self {
        let name = pair.map(|pair| format!("{} -> {}", pair.remote, pair.local)).unwrap_or_default();
        Self { process: format!("<0.{number}.0>"), name }
    }

    /// Writes the lines of a text.
    pub fn say(&self, level: Level, text: &str) {
        let level = match level {
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        for line in text.lines() {
            eprintln!("[{level}] {} {line}", self.process);
        }
    }

    /// Its first octet came.
    pub fn accepting(&self) -> String {
        format!("accepting AMQP connection {} ({})", self.process, self.name)
    }

    /// It is open.
    pub fn granted(&self, user: &str, vhost: &str) -> String {
        let (process, name) = (&self.process, &self.name);
        format!("connection {process} ({name}): user '{user}' authenticated and granted access to vhost '{vhost}'")
    }

    /// It ends in order.
    pub fn closed(&self, user: &str) -> String {
        format!("closing AMQP connection {} ({}, vhost: '/', user: '{user}')", self.process, self.name)
    }

    /// It ends, for a reason.
    pub fn closing(&self, reason: &str) -> String {
        format!("closing AMQP connection {} ({}):\n{reason}", self.process, self.name)
    }

    /// A connection exception.
    pub fn error(&self, user: &str, state: &str, exception: &Exception) -> String {
        let (process, name) = (&self.process, &self.name);
        format!(
            "Error on AMQP connection {process} ({name}, vhost: '/', user: '{user}', state: {state}):\n\
             operation caused a connection exception {}: {:?}",
            exception.name().to_lowercase(),
            exception.explanation
        )
    }

    /// A channel exception.
    pub fn channel_error(&self, user: &str, channel: u16, exception: &Exception) -> String {
        let (process, name) = (&self.process, &self.name);
        format!(
            "Channel error on connection {process} ({name}, vhost: '/', user: '{user}'), channel {channel}:\n\
             operation caused a channel exception {}: {}",
            exception.name().to_lowercase(),
            exception.explanation
        )
    }
}
