//! `proxy: relay`: this project's own proxy, with HAProxy's configuration.

use std::sync::Arc;

use super::Kind;
use super::haproxy::{self, ConfigKeys, Program};
use crate::scenario::ServiceWord;

/// The word in a scenario.
pub const WORD: ServiceWord<Arc<dyn Kind>> = ServiceWord {
    key: "proxy",
    value: Some("relay"),
    beside: &[],
    about: "the proxy that comes with this program, with HAProxy's configuration: [what it takes](relay.md)",
    keys: &[ConfigKeys::TABLE],
    decode: |fields| haproxy::decode(fields, &RELAY, None),
};

/// It is a part of this very program, so that it is there wherever this is.
const RELAY: Program = Program { name: "relay", command: &["", "relay", "-db"] };
