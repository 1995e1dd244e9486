//! The places of a scenario that have keys, each with its tables: for the reference (docs/scenarios.md) and for whoever tries every
//! example in it.

use super::case::Sections;
use super::client::ClientKeys;
use super::expectation::{ExpectKeys, OthersKeys};
use super::firewall::FirewallKeys;
use super::keys::Key;
use super::matrix::MatrixKeys;
use super::node::NodeKeys;
use super::service::ServiceKeys;
use super::shape::Shape;
use super::vocabulary::{Word, Words};
use super::wire::{QualityKeys, WireKeys};

/// A place that has keys.
#[derive(Clone, Debug)]
pub struct Place {
    /// What kind of place it is.
    pub of: Of,
    /// Its name: `wire`, `service server: echo`, `step cut`.
    pub name: String,
    /// Its own keys.
    pub own: Vec<Key>,
    /// Keys that it shares with others, which have a place of their own.
    pub common: Vec<Key>,
    /// Keys that make it this place, with their values: `server: echo`.
    pub fixed: Vec<(&'static str, &'static str)>,
}

/// Where a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// The whole file.
    File,
    /// The section `matrix`.
    Matrix,
    /// An entry of `nodes`.
    Node,
    /// The key `firewall` of a node.
    Firewall,
    /// An entry of `wires`.
    Wire,
    /// An entry of `services`.
    Service,
    /// An entry of `clients`.
    Client,
    /// What follows a verb.
    Step,
    /// An item of `expect`.
    Expectation,
}

/// All places with keys, in the order of a scenario.
#[must_use]
pub fn places<W: Words>() -> Vec<Place> {
    let plain = |of, name: &str, tables: &[&[Key]]| Place {
        of,
        name: name.to_owned(),
        own: tables.concat(),
        common: Vec::new(),
        fixed: Vec::new(),
    };
    let mut places = vec![
        plain(Of::File, "sections", &[Sections::TABLE]),
        plain(Of::Matrix, "matrix", &[MatrixKeys::TABLE]),
        plain(Of::Node, "node", &[NodeKeys::TABLE]),
        plain(Of::Firewall, "firewall", &[FirewallKeys::TABLE]),
        plain(Of::Wire, "wire", &[WireKeys::TABLE, QualityKeys::TABLE]),
    ];
    places.extend(services::<W>());
    places.extend(clients::<W>());
    places.extend(W::STEPS.iter().filter_map(step));
    places.push(plain(Of::Expectation, "expect", &[ExpectKeys::TABLE]));
    places.push(plain(Of::Expectation, "others", &[OthersKeys::TABLE]));
    places
}

/// The keys that all services have, with the first kind as the one that shows them, and then each kind's.
fn services<W: Words>() -> Vec<Place> {
    let kinds = W::SERVICES.iter().map(|word| Place {
        of: Of::Service,
        name: word
            .value
            .map_or_else(|| format!("service {}", word.key), |value| format!("service {}: {value}", word.key)),
        own: word.keys.concat(),
        common: ServiceKeys::TABLE.to_vec(),
        fixed: match word.value {
            Some(value) => vec![(word.key, value)],
            // Among its keys, and beside another word not required.
            None => word
                .keys
                .iter()
                .copied()
                .flatten()
                .filter(|key| key.name == word.key)
                .map(|key| (key.name, key.example))
                .collect(),
        },
    });
    let kinds: Vec<_> = kinds.collect();
    let first = kinds.first().map(|kind| Place {
        name: "service".to_owned(),
        own: ServiceKeys::TABLE.to_vec(),
        common: kind.own.clone(),
        ..kind.clone()
    });
    first.into_iter().chain(kinds).collect()
}

/// The keys that all clients have, with the first protocol as the one that shows them, and then each protocol's.
fn clients<W: Words>() -> Vec<Place> {
    let protocols = W::PROTOCOLS.iter().map(|word| Place {
        of: Of::Client,
        name: format!("client {}", word.name),
        own: tables(&word.takes).concat(),
        common: ClientKeys::TABLE.to_vec(),
        fixed: vec![(ClientKeys::PROTOCOL.name, word.name)],
    });
    let protocols: Vec<_> = protocols.collect();
    let first = protocols.first().map(|protocol| Place {
        name: "client".to_owned(),
        own: ClientKeys::TABLE.to_vec(),
        common: protocol.own.clone(),
        ..protocol.clone()
    });
    first.into_iter().chain(protocols).collect()
}

/// A verb that takes keys.
fn step<T>(word: &Word<T>) -> Option<Place> {
    let own = tables(&word.takes).concat();
    let place =
        || Place { of: Of::Step, name: format!("step {}", word.name), own, common: Vec::new(), fixed: Vec::new() };
    (!tables(&word.takes).is_empty()).then(place)
}

/// The tables of keys that a value may have.
fn tables(shape: &Shape) -> Vec<&'static [Key]> {
    match shape {
        Shape::Keys(tables) => tables.to_vec(),
        Shape::Either(shapes) => shapes.iter().flat_map(tables).collect(),
        _ => Vec::new(),
    }
}

impl Key {
    /// Every value that shows the key: its example, and, where that is a mapping, each of its keys beside those that must be there.
    #[must_use]
    pub fn examples(&self) -> Vec<String> {
        let nested = match self.takes {
            Shape::List(of, _) => mappings(of).into_iter().map(|mapping| format!("[ {mapping} ]")).collect(),
            other => mappings(&other),
        };
        [self.example.to_owned()].into_iter().chain(nested).collect()
    }
}

fn mappings(shape: &Shape) -> Vec<String> {
    let keys = tables(shape).concat();
    keys.iter().flat_map(|key| key.examples().into_iter().map(|value| mapping(&keys, key, &value))).collect()
}

/// A mapping in which a key has a value, beside those that must be there with their examples.
#[must_use]
pub fn mapping(keys: &[Key], shown: &Key, value: &str) -> String {
    let others = keys.iter().filter(|key| key.default.is_none() && key.name != shown.name);
    let entries =
        others.map(|key| format!("{}: {}", key.name, key.example)).chain([format!("{}: {value}", shown.name)]);
    format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
}
