//! Clients: what opens connections, and to where.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde::Serialize;

use super::cursor::{Fields, Value};
use super::decode::{Choice, Decode, OFF_WORDS, is_off, is_on};
use super::diagnostic::{Diagnostic, Span};
use super::names::{ClientName, NodeName, ServiceName, borrowed, check_name};
use super::node::Node;
use super::shape::{Open, Shape, Shaped, WordShape};
use super::suggest;
use super::tree::{Kind, Yaml};
use super::units::duration_text;
use super::vocabulary::{Word, Words};
use super::wire::Wire;

/// More connections than one client's share of the port range holds.
const MOST_CONNECTIONS: u32 = 10_000;
/// What TCP_KEEPIDLE and TCP_KEEPINTVL take, in seconds (`MAX_TCP_KEEPIDLE`, include/net/tcp.h).
const KEEPALIVE_SECONDS: std::ops::RangeInclusive<u64> = 1..=32767;
/// What TCP_KEEPCNT takes (`MAX_TCP_KEEPCNT`, include/net/tcp.h).
const KEEPALIVE_PROBES: std::ops::RangeInclusive<u32> = 1..=127;

/// Something that opens connections.
#[derive(Clone, Debug, Serialize)]
pub struct Client<T> {
    /// Its name.
    pub name: ClientName,
    /// The node that it runs on.
    pub node: NodeName,
    /// Where it connects to.
    pub target: Target,
    /// How many connections it opens at the same time; 1 unless given.
    pub connections: u32,
    /// What it speaks, in the vocabulary's terms.
    #[serde(skip)]
    pub kind: T,
    /// The client as resolved, on one line of YAML.
    pub text: String,
    /// TCP keepalive of its sockets; off unless given, as the kernel has it.
    pub keepalive: Keepalive,
    /// TCP_USER_TIMEOUT of its sockets (tcp(7)), in whole milliseconds.
    #[serde(serialize_with = "super::units::serialize_optional_duration")]
    pub user_timeout: Option<Duration>,
    /// When it connects.
    pub starts: Starts,
    /// Its line in the file, counted from 1.
    #[serde(skip)]
    pub line: u32,
}

/// Where a client connects to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    /// The service, if one was named; else the node or its address was.
    pub service: Option<ServiceName>,
    /// The node.
    pub node: NodeName,
    /// The TCP port.
    pub port: u16,
}

/// TCP keepalive of a socket (tcp(7)).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keepalive {
    /// SO_KEEPALIVE is not set.
    #[default]
    Off,
    /// SO_KEEPALIVE is set; its node's sysctls say when.
    System,
    /// SO_KEEPALIVE is set, with times of its own.
    Custom {
        /// TCP_KEEPIDLE, whole seconds.
        #[serde(serialize_with = "super::units::serialize_duration")]
        idle: Duration,
        /// TCP_KEEPINTVL, whole seconds.
        #[serde(serialize_with = "super::units::serialize_duration")]
        interval: Duration,
        /// TCP_KEEPCNT.
        probes: u32,
    },
}

keys! {
    /// The keys that are common to all clients.
    pub struct ClientKeys {
        NODE: required NodeName = "node", "client", "where it runs";
        CONNECT: required Connect = "connect", "\"echo:7\"",
            "`NAME:PORT`; the name of a service or node, or a node's address. The two nodes must share a wire, or have none but firewalls between them";
        CONNECTIONS: optional u32 = "connections", "3", "1",
            "how many it opens, all at the same moment; 1 to 10000, and one node has 512 ephemeral ports";
        KEEPALIVE: optional Keepalive = "keepalive", "{ idle: 110s, interval: 30s, probes: 3 }", "`off`",
            "`off`; `system`: on, with the node's sysctls; `{ idle, interval, probes }`: with times of its own, whole seconds";
        USER_TIMEOUT: optional Duration = "user timeout", "60s", "none", "TCP_USER_TIMEOUT, whole milliseconds";
        STARTS: optional Starts = "starts", "later", "`now`", "`now`, before the timeline; `later`, by the step `start`";
        PROTOCOL: required Protocol = "protocol", "tcp", "what it speaks: below";
    }
}

keys! {
    /// Keepalive times of a client's own.
    pub struct KeepaliveKeys {
        IDLE: required Duration = "idle", "110s", "TCP_KEEPIDLE: how long nothing has come before the first probe";
        INTERVAL: required Duration = "interval", "30s", "TCP_KEEPINTVL: between two probes";
        PROBES: required u32 = "probes", "3", "TCP_KEEPCNT: how many are not answered before the connection is given up";
    }
}

shape! {
    /// `NAME:PORT`
    pub Connect = Shape::Form { name: "target", pattern: || ".+:[0-9]+".into(), number: None, expected: "a target and its port, such as `server:5672`" }
}

shape! {
    /// What a client speaks.
    pub Protocol = Shape::Open(Open::Protocol)
}

shape! {
    /// The section `clients`.
    pub Clients = Shape::named(&Shape::Open(Open::Client), 0)
}

impl Choice for Starts {
    const WHAT: &'static str = "start";
    const CHOICES: &'static [(&'static str, Self, &'static str)] =
        &[("now", Self::Now, "before the timeline starts"), ("later", Self::Later, "when the step `start` starts it")];
}

impl Shaped for Keepalive {
    const SHAPE: Shape = Shape::Either(&[
        OFF_WORDS,
        Shape::Words(|| vec![WordShape { word: "system", about: "on, with the times of the node's sysctls" }]),
        KeepaliveKeys::SHAPE,
    ]);
}

impl Decode for Keepalive {
    const EXPECTED: &'static str = "`off`, `system` or `{ idle: …, interval: …, probes: … }`";

    fn decode(value: &Value<'_>) -> Option<Self> {
        match value.text() {
            Some(text) if is_off(text) => return Some(Self::Off),
            Some("system") => return Some(Self::System),
            Some(text) if is_on(text) => {
                let message = format!("expected {}, found `on`", Self::EXPECTED);
                value.error_with_help(message, "`system` is on, with the times of the node's sysctls");
                return None;
            }
            _ if !value.is_mapping() => {
                value.mismatch(Self::EXPECTED);
                return None;
            }
            _ => {}
        }
        let mut fields = value.fields(KeepaliveKeys::TABLE)?;
        let idle = fields.required(KeepaliveKeys::IDLE);
        let interval = fields.required(KeepaliveKeys::INTERVAL);
        let probes = fields.required(KeepaliveKeys::PROBES);
        for (key, duration) in [(KeepaliveKeys::IDLE.name, idle), (KeepaliveKeys::INTERVAL.name, interval)] {
            check_seconds(&fields, key, duration);
        }
        if probes.is_some_and(|probes| !KEEPALIVE_PROBES.contains(&probes)) {
            let (least, most) = (KEEPALIVE_PROBES.start(), KEEPALIVE_PROBES.end());
            fields.error_at(KeepaliveKeys::PROBES.name, format!("the kernel takes from {least} to {most} probes"));
        }
        fields.finish();
        Some(Self::Custom { idle: idle?, interval: interval?, probes: probes? })
    }
}

fn check_seconds(fields: &Fields<'_>, key: &str, duration: Option<Duration>) {
    let Some(duration) = duration else { return };
    if duration.subsec_nanos() > 0 || !KEEPALIVE_SECONDS.contains(&duration.as_secs()) {
        let text = duration_text(duration);
        let (least, most) = (KEEPALIVE_SECONDS.start(), KEEPALIVE_SECONDS.end());
        fields.error_at(key, format!("the kernel takes whole seconds here, from {least}s to {most}s, not {text}"));
    }
}

/// When a client connects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Starts {
    /// Before the timeline starts.
    #[default]
    Now,
    /// When a step of the timeline starts it.
    Later,
}

/// The network that clients find their targets in.
pub(super) struct Surroundings<'a> {
    pub nodes: &'a [Node],
    pub wires: &'a [Wire],
    /// Where each service runs.
    pub homes: Vec<(ServiceName, NodeName)>,
    /// Whether all of that was read without errors.
    pub whole: bool,
}

impl Surroundings<'_> {
    /// Whether there is a way over wires from one node to another, with none but firewalls between them.
    fn joins(&self, from: &NodeName, to: &NodeName) -> bool {
        let forwards = |name: &NodeName| self.nodes.iter().any(|node| node.name == *name && node.firewall.is_some());
        let mut reached = vec![from];
        let mut next = 0;
        while let Some(&here) = reached.get(next) {
            next += 1;
            if here != from && !forwards(here) {
                continue;
            }
            for wire in self.wires.iter().filter(|wire| wire.ends.contains(here)) {
                let new = wire.ends.iter().filter(|end| !reached.contains(end)).collect::<Vec<_>>();
                reached.extend(new);
            }
        }
        from != to && reached.contains(&to)
    }
}

/// Reads the section `clients`.
pub(super) fn decode<W: Words>(section: &Value<'_>, around: &Surroundings<'_>) -> Vec<Client<W::Client>> {
    let entries = section.entries().unwrap_or_default();
    super::names::check_processes(&entries);
    let mut clients = Vec::new();
    for (name, value) in entries {
        check_name("client", name, &value);
        match client::<W>(name, &value, around) {
            Some(client) => clients.push(client),
            None => value.context().explain(value.span(), "client"),
        }
    }
    clients
}

fn client<W: Words>(name: &str, value: &Value<'_>, around: &Surroundings<'_>) -> Option<Client<W::Client>> {
    let mut fields = value.fields(ClientKeys::TABLE)?;
    let node = fields.required(ClientKeys::NODE);
    let target = fields.required_value(ClientKeys::CONNECT).and_then(|place| target(&place, node.as_ref(), around));
    let connections = connections(&mut fields);
    let keepalive = fields.optional(ClientKeys::KEEPALIVE);
    let user_timeout = user_timeout(&mut fields);
    let starts = fields.optional(ClientKeys::STARTS);
    let protocol = fields.required_value(ClientKeys::PROTOCOL);
    let kind = protocol.and_then(|protocol| kind::<W>(&protocol, &fields, value.yaml().span));
    Some(Client {
        name: ClientName::from(name),
        node: node?,
        target: target?,
        connections,
        kind: kind?,
        text: value.yaml().to_line(),
        keepalive: keepalive.unwrap_or_default(),
        user_timeout,
        starts: starts.unwrap_or_default(),
        line: value.key_line(),
    })
}

fn connections(fields: &mut Fields<'_>) -> u32 {
    let connections = fields.optional(ClientKeys::CONNECTIONS);
    if connections.is_some_and(|count| !(1..=MOST_CONNECTIONS).contains(&count)) {
        fields.error_at(ClientKeys::CONNECTIONS.name, format!("a client has from 1 to {MOST_CONNECTIONS} connections"));
    }
    connections.unwrap_or(1)
}

fn user_timeout(fields: &mut Fields<'_>) -> Option<Duration> {
    let timeout = fields.optional(ClientKeys::USER_TIMEOUT)?;
    let fits = timeout.subsec_nanos().is_multiple_of(1_000_000) && i32::try_from(timeout.as_millis()).is_ok();
    if timeout.is_zero() || !fits {
        fields.error_at(ClientKeys::USER_TIMEOUT.name, "the kernel takes whole milliseconds here, from 1ms to 24 days");
    }
    Some(timeout)
}

/// Reads `connect: NAME:PORT`, where the name is a service, a node or a node's address.
fn target(place: &Value<'_>, from: Option<&NodeName>, around: &Surroundings<'_>) -> Option<Target> {
    const EXPECTED: &str = "a target and its port, such as `server:5672`";
    let text = place.scalar(EXPECTED)?;
    let port = text.rsplit_once(':').map(|(name, port)| (name, port.parse::<u16>()));
    let Some((name, Ok(port @ 1..))) = port else {
        place.mismatch(EXPECTED);
        return None;
    };
    let (service, node) = owner(name, place, around)?;
    if let Some(from) = from
        && around.whole
        && !around.joins(from, &node)
    {
        no_way(place, from, &node);
    }
    Some(Target { service, node, port })
}

fn owner(name: &str, place: &Value<'_>, around: &Surroundings<'_>) -> Option<(Option<ServiceName>, NodeName)> {
    let scope = place.context().scope;
    let services = borrowed(&scope.services);
    let nodes = scope.nodes.as_deref().map(borrowed);
    let is_node = nodes.as_ref().is_none_or(|nodes| nodes.contains(&name));
    if services.contains(&name) {
        let (service, node) = around.homes.iter().find(|(service, _)| service.as_str() == name)?;
        if nodes.is_some() && is_node && node.as_str() != name {
            place.error_with_help(
                format!("`{name}` is a node, and also a service on another node, `{node}`"),
                "give one of them another name",
            );
            return None;
        }
        return Some((Some(service.clone()), node.clone()));
    }
    if let Ok(address) = name.parse::<Ipv4Addr>() {
        let node = around.nodes.iter().find(|node| node.address == address);
        if node.is_none() && around.whole {
            place.error(format!("no node has the address {address}"));
        }
        return node.map(|node| (None, node.name.clone()));
    }
    if is_node {
        return Some((None, NodeName::from(name)));
    }
    let mut candidates = [services, nodes.unwrap_or_default()].concat();
    candidates.sort_unstable();
    candidates.dedup();
    let (message, help) = suggest::unknown("service or node", name, "services and nodes", &candidates);
    let diagnostic = Diagnostic::new(place.part(0..name.len()), message);
    place.context().report(diagnostic.help(help));
    None
}

fn no_way(place: &Value<'_>, from: &NodeName, to: &NodeName) {
    if from == to {
        place.error_with_help(
            format!("client and target are both on `{from}`: the connection would be on no wire"),
            "only what goes over a wire is evidence; put the client on a node of its own",
        );
    } else {
        place.error_with_help(
            format!("no way from client to target: no wire joins `{from}` and `{to}`"),
            format!("only firewalls forward; add a wire, `{from}-{to}: {{ ends: [{from}, {to}] }}`"),
        );
    }
}

/// Lets the protocol's word read the client's keys that are not common to all clients.
///
/// `protocol: { command: [ … ] }` is the protocol `command` with that key among the client's.
fn kind<W: Words>(protocol: &Value<'_>, fields: &Fields<'_>, span: Span) -> Option<W::Client> {
    let mut rest = fields.rest();
    let word = match protocol.yaml().entries() {
        [only] => {
            let word = word::<W>(&only.key, only.key_span, protocol)?;
            rest.extend(protocol.yaml().entries().iter().cloned());
            word
        }
        _ => word::<W>(protocol.scalar("a protocol")?, protocol.span(), protocol)?,
    };
    let rest = Yaml { span, kind: Kind::Mapping(rest) };
    let client = Value::behind(&rest, fields.owner(), protocol.context());
    (word.decode)(client.with_known(fields.tables()))
}

fn word<W: Words>(name: &str, span: Span, protocol: &Value<'_>) -> Option<&'static Word<W::Client>> {
    let word = W::PROTOCOLS.iter().find(|word| suggest::same(word.name, name));
    if word.is_none() {
        let names: Vec<_> = W::PROTOCOLS.iter().map(|word| word.name).collect();
        let (message, help) = suggest::unknown("protocol", name, "protocols", &names);
        protocol.context().report(Diagnostic::new(span, message).help(help));
    }
    word
}
