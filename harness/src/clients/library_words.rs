//! What libraries say when they end a connection, found in the output of a program that uses one.
//!
//! Such words are the names of the library's own errors: they stand in its log, in a traceback, and in what an application prints of
//! the error, whatever else is in the line.

use crate::evidence::{ClientLog, Fact, Why};

/// The names of errors, and what they mean.
const WORDS: [(&str, Why); 1] = [
    // pika's exceptions.py: raised by heartbeat.py `_check_heartbeat`, and by nothing else.
    ("AMQPHeartbeatTimeout", Why::Heartbeat),
];

/// Reads a line of a client's output.
#[must_use]
pub fn read(client: &str, line: &str) -> Option<Fact> {
    let (words, why) = WORDS.iter().find(|(words, _)| line.contains(words))?;
    Some(Fact::ClientLog(ClientLog { client: client.into(), why: *why, words: (*words).into() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an application printed of the error that pika 1.2.0 gave it.
    const LOST: &str =
        "connection lost: AMQPHeartbeatTimeout: ('No activity or too many missed heartbeats in the last 2 seconds',)";

    #[test]
    fn pikas_error_of_missed_heartbeats_is_known_in_any_line() {
        let read = read("worker", LOST);
        assert!(matches!(read, Some(Fact::ClientLog(log)) if log.why == Why::Heartbeat && log.client == "worker"));
    }

    #[test]
    fn another_error_tells_nothing() {
        assert_eq!(read("worker", "connection lost: StreamLostError('Stream connection lost')"), None);
    }
}
