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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lines of the embedded broker's log, which has RabbitMQ's words.
    const CLOSING: &str = "[error] <0.1.0> closing AMQP connection <0.1.0> (10.0.0.1:32850 -> 10.0.0.2:5672):";
    const CLOSED: &str =
        "[info] <0.1.0> closing AMQP connection <0.1.0> (10.0.0.1:33273 -> 10.0.0.2:5672, vhost: '/', user: 'guest')";

    /// Lines of RabbitMQ 3.10.8's own.
    const MISSED: [&str; 2] = [
        "2026-11-25 23:37:02.086555+00:00 [error] <0.673.0> closing AMQP connection <0.673.0> (10.0.0.1:32991 -> 10.0.0.2:5672):",
        "2026-11-25 23:37:02.086555+00:00 [error] <0.673.0> missed heartbeats from client, timeout: 2s",
    ];
    const SILENT: &str = "2026-11-25 23:37:32.316351+00:00 [error] <0.673.0> {handshake_timeout,handshake}";

    fn told(line: &str) -> Option<(String, Option<u16>, Option<Why>)> {
        match read("rabbit", line)? {
            Fact::BrokerLog(log) => Some((log.process, log.client.map(|client| client.port()), log.why)),
            _ => None,
        }
    }

    #[test]
    fn a_reason_stands_in_the_line_after_the_one_with_the_client() {
        let reason = "[error] <0.1.0> missed heartbeats from client, timeout: 60s";
        assert_eq!(told(CLOSING), Some(("<0.1.0>".into(), Some(32850), None)));
        assert_eq!(told(reason), Some(("<0.1.0>".into(), None, Some(Why::Heartbeat))));
    }

    #[test]
    fn rabbitmqs_own_lines_are_read_as_the_embedded_brokers() {
        let process = || "<0.673.0>".to_string();
        assert_eq!(told(MISSED[0]), Some((process(), Some(32991), None)));
        assert_eq!(told(MISSED[1]), Some((process(), None, Some(Why::Heartbeat))));
        assert_eq!(told(SILENT), Some((process(), None, Some(Why::HandshakeTimeout))));
    }

    #[test]
    fn an_end_in_order_needs_no_reason() {
        assert_eq!(told(CLOSED), Some(("<0.1.0>".into(), Some(33273), Some(Why::ProtocolClose))));
    }

    #[test]
    fn a_line_about_something_else_tells_nothing() {
        assert_eq!(told("[info] <0.1.0> accepting AMQP connection <0.1.0> (10.0.0.1:33273 -> 10.0.0.2:5672)"), None);
        assert_eq!(told("missed heartbeats from client, timeout: 60s"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_line_makes_the_reader_panic(start in 0..CLOSED.len(), text in any::<String>()) {
            let _ = read("rabbit", &text);
            let _ = read("rabbit", &format!("{}{text}", &CLOSED[..start]));
        }
    }
}
