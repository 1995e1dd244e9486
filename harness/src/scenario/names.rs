//! The names that a scenario gives to its things, and which of them exist.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::cursor::Value;
use super::decode::Decode;
use super::diagnostic::Diagnostic;
use super::shape::{Shape, Shaped};
use super::suggest;
use super::tree::{Entry, Yaml, shown};

/// The longest name: what a host name's label may have (RFC 1035, 2.3.4).
const LONGEST: usize = 63;

/// What [`fits`], as a regular expression.
pub(super) fn pattern() -> String {
    format!("[A-Za-z0-9]([A-Za-z0-9_.-]{{0,{}}}[A-Za-z0-9])?", LONGEST - 2)
}

/// The names in one file.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// `None` if the file has no section `nodes`: then that is the error, and not each name.
    pub nodes: Option<Vec<Arc<str>>>,
    /// Those of the nodes that are firewalls.
    pub firewalls: Vec<Arc<str>>,
    pub wires: Vec<Arc<str>>,
    pub services: Vec<Arc<str>>,
    pub clients: Vec<Arc<str>>,
    /// The matrix: dimensions and the names of their values.
    pub dimensions: Vec<(String, Vec<String>)>,
}

impl Scope {
    pub fn of(root: &Yaml, dimensions: Vec<(String, Vec<String>)>) -> Self {
        Self {
            nodes: section(root, "nodes"),
            firewalls: firewalls(root),
            wires: section(root, "wires").unwrap_or_default(),
            services: section(root, "services").unwrap_or_default(),
            clients: section(root, "clients").unwrap_or_default(),
            dimensions,
        }
    }

    fn node_names(&self) -> Option<Vec<&str>> {
        self.nodes.as_deref().map(borrowed)
    }

    fn firewall_names(&self) -> Option<Vec<&str>> {
        Some(borrowed(&self.firewalls))
    }

    fn wire_names(&self) -> Option<Vec<&str>> {
        Some(borrowed(&self.wires))
    }

    fn service_names(&self) -> Option<Vec<&str>> {
        Some(borrowed(&self.services))
    }

    fn client_names(&self) -> Option<Vec<&str>> {
        Some(borrowed(&self.clients))
    }

    fn process_names(&self) -> Option<Vec<&str>> {
        Some([borrowed(&self.services), borrowed(&self.clients)].concat())
    }
}

/// The names in a section.
fn section(root: &Yaml, name: &str) -> Option<Vec<Arc<str>>> {
    let names = like(root, name)?.value.entries().iter();
    Some(names.map(|entry| Arc::from(entry.key.as_str())).collect())
}

/// The nodes that are firewalls.
fn firewalls(root: &Yaml) -> Vec<Arc<str>> {
    let nodes = like(root, "nodes").map(|section| section.value.entries()).unwrap_or_default();
    let firewalls = nodes.iter().filter(|node| like(&node.value, "firewall").is_some());
    firewalls.map(|node| Arc::from(node.key.as_str())).collect()
}

/// The entry of a key; one that is misspelt counts, since that alone is then the error.
fn like<'a>(yaml: &'a Yaml, name: &str) -> Option<&'a Entry> {
    let entries = yaml.entries();
    let exact = entries.iter().find(|entry| suggest::same(&entry.key, name));
    exact.or_else(|| entries.iter().find(|entry| suggest::nearest(&entry.key, [name]).is_some()))
}

/// Reports a name of the author's own that is not fit to be one: it goes into host names, file names and patterns.
pub(super) fn check_name(what: &str, name: &str, value: &Value<'_>) {
    if !fits(name) {
        let message = format!("`{}` cannot be the name of a {what}", shown(name));
        value.context().report(value.key_error(message).help(format!(
            "a name has letters, digits, `-`, `_` and `.`, starts and ends with a letter or digit, \
             and is not longer than {LONGEST}"
        )));
    }
}

fn fits(name: &str) -> bool {
    name.len() <= LONGEST
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// Reports a name that is not among those that exist.
fn check_known(value: &Value<'_>, what: &str, plural: &str, text: &str, names: &[&str]) -> bool {
    let known = names.contains(&text);
    if !known {
        let (message, help) = suggest::unknown(what, text, plural, names);
        value.error_with_help(message, help);
    }
    known
}

pub(super) fn borrowed(names: &[Arc<str>]) -> Vec<&str> {
    names.iter().map(|name| &**name).collect()
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $plural:literal, $scope:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(Arc::from(name))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, formatter)
            }
        }

        impl Shaped for $name {
            const SHAPE: Shape = Shape::Name($what);
        }

        impl Decode for $name {
            const EXPECTED: &'static str = concat!("the name of a ", $what);

            fn decode(value: &Value<'_>) -> Option<Self> {
                let text = value.scalar(Self::EXPECTED)?;
                let names = $scope(value.context().scope);
                let known = names.is_none_or(|names| check_known(value, $what, $plural, text, &names));
                known.then(|| Self::from(text))
            }
        }
    };
}

name!(
    /// The name of a node that the scenario has.
    NodeName, "node", "nodes",
    Scope::node_names
);
name!(
    /// The name of a node that the scenario has, and that is a firewall.
    FirewallName, "firewall", "firewalls",
    Scope::firewall_names
);
name!(
    /// The name of a wire that the scenario has.
    WireName, "wire", "wires",
    Scope::wire_names
);
name!(
    /// The name of a service that the scenario has.
    ServiceName, "service", "services",
    Scope::service_names
);
name!(
    /// The name of a client that the scenario has.
    ClientName, "client", "clients",
    Scope::client_names
);
name!(
    /// The name of a service or a client that the scenario has: of something that runs as a process.
    ProcessName, "service or client", "services and clients",
    Scope::process_names
);

impl From<&ServiceName> for ProcessName {
    fn from(name: &ServiceName) -> Self {
        Self(Arc::clone(&name.0))
    }
}

impl From<&ClientName> for ProcessName {
    fn from(name: &ClientName) -> Self {
        Self(Arc::clone(&name.0))
    }
}

/// Reports names that a service and a client share: steps name either, so the name would not say which.
pub(super) fn check_processes(clients: &[(&str, Value<'_>)]) {
    for (name, value) in clients {
        let scope = value.context().scope;
        if scope.services.iter().any(|service| &**service == *name) {
            let message = format!("`{name}` is the name of a service already");
            let diagnostic: Diagnostic = value.key_error(message);
            value
                .context()
                .report(diagnostic.help("give the client a name of its own: steps name services and clients alike"));
        }
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn the_pattern_of_names_takes_what_fits_and_nothing_else() {
        let pattern = Regex::new(&format!("^({})$", pattern())).unwrap();
        let (longest, longer) = ("a".repeat(LONGEST), "a".repeat(LONGEST + 1));
        for name in ["a", "s1", "lb-s1", "a.b_c", "-a", "a-", "_a", "", "a b", "é", "a/b", "1", &longest, &longer] {
            assert_eq!(pattern.is_match(name), fits(name), "`{name}`");
        }
    }
}
