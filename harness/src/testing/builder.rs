//! A scenario that is written in code, in the words of the scenario files.

use std::fmt::Write as _;

use super::{Error, Scenario};

/// Writes a scenario: each part is named here, and said as in a file.
///
/// ```
/// # use whyclosed::testing::Scenario;
/// let scenario = Scenario::build("dead-peer", "A peer that dies in silence")
///     .node("client", "")
///     .node("server", "")
///     .wire("cable", "ends: [client, server]")
///     .service("server", "node: server, server: echo, port: 5672")
///     .client("orders", "node: client, connect: 'server:5672', protocol: tcp, keepalive: { idle: 10s, interval: 5s, probes: 3 }")
///     .step("idle: 1s")
///     .step("cut: cable")
///     .step("wait: { until: closed, at: client, at most: 2m }")
///     .expect("connection: orders client->server, mechanism: tcp-keepalive, nominal: 25s")
///     .finish()?;
/// # Ok::<(), whyclosed::testing::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    name: String,
    title: String,
    sections: [(&'static str, Vec<(String, String)>); 4],
    timeline: Vec<String>,
    expect: Vec<String>,
}

const NODES: usize = 0;
const WIRES: usize = 1;
const SERVICES: usize = 2;
const CLIENTS: usize = 3;

impl Builder {
    pub(super) fn new(name: &str, title: &str) -> Builder {
        let sections = ["nodes", "wires", "services", "clients"].map(|section| (section, Vec::new()));
        Builder { name: name.into(), title: title.into(), sections, timeline: Vec::new(), expect: Vec::new() }
    }

    /// A node, and its keys: `sysctl: { net.ipv4.tcp_retries2: 5 }`, or nothing.
    pub fn node(self, name: &str, keys: &str) -> Builder {
        self.with(NODES, name, keys)
    }

    /// A wire, and its keys: `ends: [client, server], delay: 20ms`.
    pub fn wire(self, name: &str, keys: &str) -> Builder {
        self.with(WIRES, name, keys)
    }

    /// A service, and its keys: `node: server, server: echo, port: 5672`.
    pub fn service(self, name: &str, keys: &str) -> Builder {
        self.with(SERVICES, name, keys)
    }

    /// A client, and its keys: `node: client, connect: 'server:5672', protocol: tcp`.
    pub fn client(self, name: &str, keys: &str) -> Builder {
        self.with(CLIENTS, name, keys)
    }

    /// The next step of the timeline: `cut: cable`.
    pub fn step(mut self, step: &str) -> Builder {
        self.timeline.push(step.into());
        self
    }

    /// What is expected of one connection, or of several: `connection: orders client->server, mechanism: tcp-keepalive`. Of all others
    /// nothing is expected, unless `others: none` is.
    pub fn expect(mut self, keys: &str) -> Builder {
        self.expect.push(keys.into());
        self
    }

    /// The scenario.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all that is wrong with it, drawn in the text that was made of it.
    pub fn finish(self) -> Result<Scenario, Error> {
        let text = self.text();
        Scenario::from_text(&self.name, text)
    }

    fn with(mut self, section: usize, name: &str, keys: &str) -> Builder {
        self.sections[section].1.push((name.into(), keys.into()));
        self
    }

    fn text(&self) -> String {
        // A title may hold anything; JSON's strings are YAML's.
        let mut text = format!("title: {}\n", serde_json::Value::from(self.title.as_str()));
        for (section, parts) in self.sections.iter().filter(|(_, parts)| !parts.is_empty()) {
            let _ = writeln!(text, "{section}:");
            for (name, keys) in parts {
                let _ = writeln!(text, "  {name}: {{ {keys} }}");
            }
        }
        for (section, parts) in [("timeline", &self.timeline), ("expect", &self.expect)] {
            if !parts.is_empty() {
                let _ = writeln!(text, "{section}:");
            }
            for part in parts {
                let _ = writeln!(text, "  - {{ {part} }}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Builder {
        Scenario::build("small", "A \"small\": one")
            .node("client", "")
            .node("server", "")
            .wire("cable", "ends: [client, server]")
            .service("server", "node: server, server: echo, port: 5672")
            .client("orders", "node: client, connect: 'server:5672', protocol: tcp")
    }

    #[test]
    fn what_is_written_in_code_is_a_scenario() {
        let finished = small().step("close: orders").expect("connection: orders *->*, mechanism: app-close").finish();
        assert!(finished.is_ok(), "{finished:?}");
    }

    #[test]
    fn what_is_wrong_is_drawn_in_the_text_that_was_made_of_it() {
        let error = small().step("clsoe: orders").finish().expect_err("there is no such step").to_string();
        for words in ["clsoe", "close", "{ clsoe: orders }"] {
            assert!(error.contains(words), "`{words}` is not in:\n{error}");
        }
    }
}
