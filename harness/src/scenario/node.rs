//! Nodes: the hosts of a scenario, and their addresses.

use std::net::Ipv4Addr;

use serde::Serialize;

use super::cursor::Value;
use super::diagnostic::Span;
use super::firewall::Firewall;
use super::names::{NodeName, check_name};
use super::shape::Shape;
use super::tree::shown;

/// One host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// Its one address, given in the scenario or else the next free one from 10.0.0.1 upwards.
    pub address: Ipv4Addr,
    /// Kernel parameters of its network namespace, as name (`net.ipv4.tcp_keepalive_time`) and value.
    #[serde(serialize_with = "super::units::serialize_pairs")]
    pub sysctls: Vec<(String, String)>,
    /// What it does as a firewall; other nodes forward nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firewall: Option<Firewall>,
    /// Its line in the file, counted from 1.
    #[serde(skip)]
    pub line: u32,
}

keys! {
    /// The keys of a node.
    pub struct NodeKeys {
        ADDRESS: optional Ipv4Addr = "address", "172.19.19.91", "the next free one from 10.0.0.1",
            "the node's one IPv4 address, on each of its wires";
        SYSCTL: optional Sysctls = "sysctl", "{ net.ipv4.tcp_keepalive_time: 120 }", "the kernel's documented defaults",
            "kernel parameters of its network namespace; only names that start with `net.`";
        FIREWALL: optional Firewall = "firewall", "{ idle: 350s, unknown: reset }", "none",
            "it routes between its wires and tracks connections: [keys and models](firewalls.md)";
    }
}

shape! {
    /// Kernel parameters and their values.
    pub Sysctls = Shape::Map { keys: &[], of: &Shape::Text, names: Some(|| r"net(\.[A-Za-z0-9_-]+){2,}".into()), least: 0 }
}

shape! {
    /// The section `nodes`.
    pub Nodes = Shape::named(&NodeKeys::SHAPE, 1)
}

/// Reads the section `nodes`.
pub(super) fn decode(section: &Value<'_>) -> Vec<Node> {
    let entries = section.entries().unwrap_or_default();
    if entries.is_empty() && (section.is_null() || section.is_mapping()) {
        section.error_with_help("a scenario needs nodes", "for example `nodes: { client: {}, server: {} }`");
    }
    let mut given: Vec<(Ipv4Addr, Span, &str)> = Vec::new();
    let mut nodes = Vec::new();
    for (name, value) in entries {
        check_name("node", name, &value);
        let Some(mut fields) = value.fields(NodeKeys::TABLE) else { continue };
        let address = fields.optional_value(NodeKeys::ADDRESS).and_then(|place| {
            let address = address(&place)?;
            if let Some((_, first, other)) = given.iter().find(|(taken, ..)| *taken == address) {
                let message = format!("nodes `{other}` and `{name}` have one address, {address}");
                let diagnostic = super::Diagnostic::new(place.span(), message);
                place.context().report(diagnostic.also(*first, format!("given to `{other}` here")));
            }
            given.push((address, place.span(), name));
            Some(address)
        });
        let sysctls = fields.optional_value(NodeKeys::SYSCTL).map(|place| sysctls(&place));
        let firewall = fields.optional(NodeKeys::FIREWALL);
        fields.finish();
        nodes.push((NodeName::from(name), address, sysctls.unwrap_or_default(), firewall, value.key_line()));
    }
    let taken: Vec<_> = given.iter().map(|(address, ..)| *address).collect();
    let mut free = free_addresses(&taken);
    nodes
        .into_iter()
        .map(|(name, address, sysctls, firewall, line)| Node {
            name,
            address: address.or_else(|| free.next()).unwrap_or(Ipv4Addr::UNSPECIFIED),
            sysctls,
            firewall,
            line,
        })
        .collect()
}

fn address(place: &Value<'_>) -> Option<Ipv4Addr> {
    let address: Ipv4Addr = place.decode()?;
    let host = !(address.is_unspecified() || address.is_loopback() || address.is_multicast() || address.is_broadcast());
    if !host {
        place.error(format!("{address} cannot be the address of a host"));
    }
    host.then_some(address)
}

/// The addresses of 10.0.0.0/8 that end in neither 0 nor 255 and are not taken, in order.
fn free_addresses(taken: &[Ipv4Addr]) -> impl Iterator<Item = Ipv4Addr> {
    let first = u32::from(Ipv4Addr::new(10, 0, 0, 1));
    let last = u32::from(Ipv4Addr::new(10, 255, 255, 254));
    (first..=last)
        .map(Ipv4Addr::from)
        .filter(|address| !matches!(address.octets()[3], 0 | 255) && !taken.contains(address))
}

fn sysctls(place: &Value<'_>) -> Vec<(String, String)> {
    let mut sysctls = Vec::new();
    for (name, value) in place.entries().unwrap_or_default() {
        check_sysctl(name, &value);
        if let Some(text) = value.scalar("the value of the kernel parameter") {
            sysctls.push((name.to_owned(), text.to_owned()));
        }
    }
    sysctls
}

fn check_sysctl(name: &str, value: &Value<'_>) {
    let parts: Vec<_> = name.split('.').collect();
    let fit = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    let well_formed = parts.len() > 2 && parts.iter().all(fit);
    if parts[0] == "net" && well_formed {
        return;
    }
    let message = format!("`{}` is not a kernel parameter of a network namespace", shown(name));
    let help = if name.starts_with("tcp_") || name.starts_with("ip_") {
        format!("did you mean `net.ipv4.{}`?", shown(name))
    } else {
        "these start with `net.`, as in `net.ipv4.tcp_keepalive_time`".to_owned()
    };
    value.context().report(value.key_error(message).help(help));
}
