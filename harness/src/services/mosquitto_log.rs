//! mosquitto's log, as far as it says why a connection ended (loop.c `do_disconnect`).
//!
//! Before 2.1 only the line of the CONNECT has both the client's address and its identifier; all later ones have the identifier:
//!
//! ```text
//! 1764126000: New connection from 10.0.0.1:32900 on port 1883.
//! 1764126000: New client connected from 10.0.0.1:32900 as orders-1 (p2, c1, k60).
//! 1764126090: Client orders-1 has exceeded timeout, disconnecting.
//! 1764126090: Client orders-1 [10.0.0.1:32900] disconnected: exceeded timeout.        (2.1)
//! ```

use std::net::SocketAddrV4;

use crate::evidence::{BrokerLog, Fact, UNNAMED, Why};

/// The same in the words of 2.1; the system's own begin with "Connection".
const REASONS_SINCE_2_1: [(&str, Why); 5] = [
    (".", Why::ProtocolClose),
    (": not authorised.", Why::ProtocolClose),
    (": exceeded timeout.", Why::Heartbeat),
    (": connection closed by client.", Why::Peer),
    (": Connection ", Why::Peer),
];

/// What a line about a client's end goes on with, behind its identifier.
const REASONS: [(&str, Why); 6] = [
    (" has exceeded timeout, disconnecting.", Why::Heartbeat),
    (" closed its connection.", Why::Peer),
    (" disconnected.", Why::ProtocolClose),
    (" disconnected, not authorised.", Why::ProtocolClose),
    (" already connected, closing old connection.", Why::Other),
    (" been disconnected by administrative action.", Why::Other),
];

/// Reads a line.
#[must_use]
pub fn read(service: &str, line: &str) -> Option<Fact> {
    let told = |(process, client, why): (&str, Option<SocketAddrV4>, Option<Why>)| {
        Fact::BrokerLog(BrokerLog { service: service.into(), process: process.into(), client, why })
    };
    // The time before the text can be in any format, or be left out (mosquitto.conf(5), `log_timestamp_format`).
    let text = ["New c", "Client "]
        .iter()
        .filter_map(|start| Some(&line[line.find(start)?..]))
        .max_by_key(|text| text.len())?;
    opened(text).or_else(|| ended(text)).map(told)
}

fn opened(text: &str) -> Option<(&str, Option<SocketAddrV4>, Option<Why>)> {
    if let Some(rest) = text.strip_prefix("New connection from ") {
        return Some((UNNAMED, Some(rest.split_once(" on port ")?.0.parse().ok()?), None));
    }
    let (address, rest) = text.strip_prefix("New client connected from ")?.split_once(" as ")?;
    Some((rest.rsplit_once(" (p")?.0, Some(address.parse().ok()?), None))
}

fn ended(text: &str) -> Option<(&str, Option<SocketAddrV4>, Option<Why>)> {
    let rest = text.strip_prefix("Client ")?;
    let (name, client, why) = since_2_1(rest).or_else(|| before_2_1(rest).map(|(name, why)| (name, None, why)))?;
    // A connection has its keep-alive before it has said what that is to be.
    let why = if name == UNNAMED && why == Why::Heartbeat { Why::HandshakeTimeout } else { why };
    Some((name, client, Some(why)))
}

fn before_2_1(rest: &str) -> Option<(&str, Why)> {
    let known = REASONS.iter().find_map(|(end, why)| Some((rest.strip_suffix(end)?, *why)));
    known.or_else(|| {
        // The system's own words: "Connection reset by peer", "Connection timed out".
        let broken = rest.rsplit_once(" disconnected: ").map(|(name, _)| (name, Why::Peer));
        broken.or_else(|| rest.rsplit_once(" disconnected due to ").map(|(name, _)| (name, Why::Other)))
    })
}

fn since_2_1(rest: &str) -> Option<(&str, Option<SocketAddrV4>, Why)> {
    let (who, reason) = rest.rsplit_once("] disconnected")?;
    let (name, address) = who.rsplit_once(" [")?;
    let known = REASONS_SINCE_2_1.iter().find(|(words, _)| reason.starts_with(words));
    Some((name, Some(address.parse().ok()?), known.map_or(Why::Other, |(_, why)| *why)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lines of mosquitto 2.0.11's own.
    const CONNECTION: &str = "1795661749: New connection from 10.0.0.1:32941 on port 1883.";
    const CLIENT: &str = "1795661749: New client connected from 10.0.0.1:32941 as orders-1 (p2, c1, k2).";
    const CLOSED: &str = "1795661754: Client orders-1 closed its connection.";

    fn told(line: &str) -> Option<(String, Option<u16>, Option<Why>)> {
        match read("mosquitto", line)? {
            Fact::BrokerLog(log) => Some((log.process, log.client.map(|client| client.port()), log.why)),
            _ => None,
        }
    }

    #[test]
    fn a_connection_gets_its_name_with_its_connect() {
        assert_eq!(told(CONNECTION), Some((UNNAMED.into(), Some(32941), None)));
        assert_eq!(told(CLIENT), Some(("orders-1".into(), Some(32941), None)));
        assert_eq!(told(CLOSED), Some(("orders-1".into(), None, Some(Why::Peer))));
    }

    #[test]
    fn a_time_that_is_written_otherwise_or_not_at_all_changes_nothing() {
        for line in [CONNECTION, CLIENT, CLOSED] {
            let text = line.split_once(": ").unwrap().1;
            assert_eq!(told(text), told(line));
            assert_eq!(told(&format!("2026-11-26T02:50:44: {text}")), told(line));
        }
    }

    #[test]
    fn the_timeout_of_a_connection_without_a_name_is_that_of_the_handshake() {
        let line = |name: &str| format!("1795661839: Client {name} has exceeded timeout, disconnecting.");
        assert_eq!(told(&line("orders-1")), Some(("orders-1".into(), None, Some(Why::Heartbeat))));
        assert_eq!(told(&line(UNNAMED)), Some((UNNAMED.into(), None, Some(Why::HandshakeTimeout))));
    }

    #[test]
    fn since_2_1_the_line_of_the_end_has_the_address_too() {
        let line =
            |name: &str, reason: &str| format!("1795661839: Client {name} [10.0.0.1:32941] disconnected{reason}");
        let port = Some(32941);
        for (reason, why) in [
            (": exceeded timeout.", Why::Heartbeat),
            (".", Why::ProtocolClose),
            (": Connection reset by peer.", Why::Peer),
            (": session taken over.", Why::Other),
        ] {
            assert_eq!(told(&line("orders-1", reason)), Some(("orders-1".into(), port, Some(why))));
        }
        let silent = told(&line(UNNAMED, ": exceeded timeout."));
        assert_eq!(silent, Some((UNNAMED.into(), port, Some(Why::HandshakeTimeout))));
    }

    #[test]
    fn a_line_about_something_else_tells_nothing() {
        for line in ["1795661749: Sending CONNACK to orders-1 (0, 0)", "1795661749: orders-1 1 whyclosed/orders/1", ""]
        {
            assert_eq!(told(line), None, "{line}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_line_makes_the_reader_panic(start in 0..CLIENT.len(), text in any::<String>()) {
            let _ = read("mosquitto", &text);
            let _ = read("mosquitto", &format!("{}{text}", &CLIENT[..start]));
        }
    }
}
