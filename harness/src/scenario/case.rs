//! A case: a scenario as resolved for one combination of its matrix.

use std::path::PathBuf;

use serde::Serialize;

use super::client::{self, Client};
use super::cursor::{Fields, Value};
use super::expectation::{self, Expectation, Others};
use super::matrix;
use super::node::{self, Node};
use super::service::{self, Service};
use super::step::{self, Step};
use super::units::Bytes;
use super::vocabulary::Words;
use super::wire::{self, Wire};

/// What the kernel takes as the size of a socket's buffer, within reason.
const CAPTURE_BUFFERS: std::ops::RangeInclusive<u64> = 1000..=1 << 30;

/// What actually runs: everything is known, every name exists, nothing refers to the matrix any more.
///
/// Serialized, it is the record of what was run; services, clients and steps are in it as their resolved YAML.
#[derive(Clone, Debug, Serialize)]
#[serde(bound = "")]
pub struct Case<W: Words> {
    /// The scenario's path below the folder of scenarios, without extension: `seed/idle`.
    pub scenario: String,
    /// The matrix: dimension → name of the value, in the order of the file.
    #[serde(rename = "case", serialize_with = "super::units::serialize_pairs")]
    pub values: Vec<(String, String)>,
    /// What the scenario shows, in one line.
    pub title: String,
    /// What it shows, at length; empty if the file does not say.
    pub about: String,
    /// The scenario's folder, from which paths in it start.
    pub directory: PathBuf,
    /// The file that it was read from; empty if it was not read from one.
    #[serde(skip)]
    pub file: PathBuf,
    /// What the kernel may hold of the capture until it is read; 64 MiB unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture_buffer: Option<Bytes>,
    /// The hosts.
    pub nodes: Vec<Node>,
    /// The cables between them.
    pub wires: Vec<Wire>,
    /// What runs on the hosts.
    pub services: Vec<Service<W::Service>>,
    /// What opens connections.
    pub clients: Vec<Client<W::Client>>,
    /// What happens, in this order.
    pub timeline: Vec<Step<W::Step>>,
    /// What the author claims of connections.
    pub expect: Vec<Expectation>,
    /// What the author claims of all other connections.
    pub others: Others,
}

keys! {
    /// The sections of a scenario.
    pub struct Sections {
        TITLE: required String = "title", "Keepalive does not notice a frozen application", "what the scenario shows, in one line";
        ABOUT: optional String = "about", "Its kernel still answers.", "nothing", "the same at length";
        MATRIX: optional matrix::Section = "matrix", "{ length: { short: { idle: 2s }, full: { idle: 110s } } }", "one case",
            "parameters: each combination of their values is a case";
        NODES: required node::Nodes = "nodes", "{ client: {}, server: {} }", "the hosts";
        WIRES: optional wire::Wires = "wires", "{ cable: { ends: [client, server] } }", "none", "the cables between them";
        SERVICES: optional service::Services = "services", "{ echo: { node: server, server: echo, port: 7 } }", "none",
            "what runs on the hosts";
        CLIENTS: optional client::Clients = "clients", "{ app: { node: client, connect: \"echo:7\", protocol: tcp } }", "none",
            "what opens connections";
        TIMELINE: required step::Timeline = "timeline", "[ idle: 200s ]", "what happens, step by step";
        EXPECT: optional expectation::Expect = "expect", "[ { connection: app client->server, mechanism: open } ]", "nothing",
            "what the author claims of the connections";
        CAPTURE_BUFFER: optional Bytes = "capture buffer", "256MB", "64MiB",
            "how much of the capture the kernel may hold until it is read. What it could not hold is counted, and a case with such a gap is inconclusive";
    }
}

impl<W: Words> Case<W> {
    /// The case's name: the scenario's, and the matrix's values if there are any: `seed/idle[length=short,proxy=haproxy]`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}{}", self.scenario, label(&self.values))
    }
}

fn capture_buffer(fields: &mut Fields<'_>) -> Option<Bytes> {
    let buffer = fields.optional(Sections::CAPTURE_BUFFER);
    if buffer.is_some_and(|buffer| !CAPTURE_BUFFERS.contains(&buffer.0)) {
        fields.error_at(Sections::CAPTURE_BUFFER.name, "the kernel takes from 1kB to 1GiB here");
    }
    buffer
}

/// The values of a matrix as part of a name: `[length=short,proxy=haproxy]`; nothing without a matrix.
pub(super) fn label(values: &[(String, String)]) -> String {
    if values.is_empty() {
        return String::new();
    }
    let pairs: Vec<_> = values.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("[{}]", pairs.join(","))
}

/// Reads a whole scenario whose references are replaced. `None` means that an error has been added; errors may have
/// been added to the context also when there is a case.
pub(super) fn decode<W: Words>(root: &Value<'_>, scenario: &str, values: Vec<(String, String)>) -> Option<Case<W>> {
    let context = root.context();
    let mut fields = root.fields(Sections::TABLE)?;
    let title = fields.required(Sections::TITLE);
    let about = fields.optional(Sections::ABOUT);
    let capture_buffer = capture_buffer(&mut fields);
    // Read already, and known here.
    let _ = fields.optional_value(Sections::MATRIX);

    let nodes = fields.required_value(Sections::NODES).map(|section| node::decode(&section));
    let nodes = nodes.unwrap_or_default();
    let before = context.error_count();
    let wires = fields.optional_value(Sections::WIRES).map(|section| wire::decode(&section));
    let wires = wires.unwrap_or_default();
    let services = fields.optional_value(Sections::SERVICES).map(|section| service::decode::<W>(&section));
    let services = services.unwrap_or_default();
    let around = client::Surroundings {
        nodes: &nodes,
        wires: &wires,
        homes: services.iter().map(|service| (service.name.clone(), service.node.clone())).collect(),
        whole: !context.broken && context.error_count() == before,
    };
    let clients = fields.optional_value(Sections::CLIENTS).map(|section| client::decode::<W>(&section, &around));
    let clients = clients.unwrap_or_default();
    let timeline = fields.required_value(Sections::TIMELINE).map(|section| {
        let steps = step::decode::<W>(&section);
        step::check::<W>(&section, &steps, &services, &clients);
        steps
    });
    let expect = fields.optional_value(Sections::EXPECT).map(|section| expectation::decode::<W>(&section, &values));
    let (expect, others) = expect.unwrap_or_default();
    fields.finish();

    Some(Case {
        scenario: scenario.to_owned(),
        values,
        title: title?,
        about: about.unwrap_or_default(),
        directory: context.directory.to_owned(),
        file: PathBuf::new(),
        capture_buffer,
        nodes,
        wires,
        services,
        clients,
        timeline: timeline?,
        expect,
        others,
    })
}
