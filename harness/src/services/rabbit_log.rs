//! RabbitMQ's log, as far as it says why a connection ended (rabbit_reader.erl `log_connection_exception/4`).
//!
//! A reason stands in a line of its own behind the one that names the connection. Both begin with the level and the Erlang
//! process, by which they are joined:
//!
//! ```text
//! 2026-11-25 20:00:12.345678+00:00 [error] <0.701.0> closing AMQP connection <0.701.0> (10.0.0.1:40000 -> 10.0.0.2:5672):
//! 2026-11-25 20:00:12.345678+00:00 [error] <0.701.0> missed heartbeats from client, timeout: 4s
//! ```

use crate::evidence::{BrokerLog, Fact, Why};

/// What the second line of a pair begins with.
const REASONS: [(&str, Why); 4] = [
    ("missed heartbeats from client", Why::Heartbeat),
    ("{handshake_timeout,", Why::HandshakeTimeout),
    ("client unexpectedly closed TCP connection", Why::Peer),
    ("{inet_error,", Why::Peer),
];

/// Reads a line.
#[must_use]
pub fn read(service: &str, line: &str) -> Option<Fact> {
    let (_, rest) = line.split_once("] <")?;
    let (process, text) = rest.split_once("> ")?;
    let (client, why) = match text.strip_prefix("closing AMQP connection ") {
        Some(text) => (Some(client(text)?), (!text.ends_with(':')).then_some(Why::ProtocolClose)),
        None => (None, Some(REASONS.iter().find(|(start, _)| text.starts_with(start))?.1)),
    };
    Some(Fact::BrokerLog(BrokerLog { service: service.into(), process: format!("<{process}>"), client, why }))
}

/// The client's address in `<0.701.0> (10.0.0.1:40000 -> 10.0.0.2:5672, vhost: '/', …)`.
fn client(text: &str) -> Option<std::net::SocketAddrV4> {
    let (_, ends) = text.split_once('(')?;
    ends.split_once(" -> ")?.0.parse().ok()
}
