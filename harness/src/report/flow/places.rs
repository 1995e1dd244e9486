//! Nodes, wires and connections of a case.

use std::collections::HashMap;
use std::net::SocketAddrV4;

use serde::Deserialize;

use super::order::order;
use crate::evidence::{Event, Fact, Pair};
use crate::verdict::Verdict;

/// What `case.json` tells a reader.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct CaseFile {
    /// What the scenario shows, in one line.
    pub title: String,
    /// What it shows, at length.
    pub about: String,
    /// Its wires; where they are not told, those on which something was seen.
    pub wires: Vec<WireFile>,
}

/// A wire.
#[derive(Clone, Debug, Deserialize)]
pub struct WireFile {
    /// Its name.
    pub name: String,
    /// The nodes at its ends.
    pub ends: [String; 2],
}

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Places {
    /// The nodes from left to right.
    pub nodes: Vec<String>,
    /// Wire → the places of the nodes at its ends.
    pub wires: HashMap<String, [usize; 2]>,
    /// Service or client → the place of its node.
    pub programs: HashMap<String, usize>,
    connections: HashMap<[SocketAddrV4; 2], usize>,
}

impl Places {
    /// Reads them from a case; connections are numbered as their verdicts are.
    #[must_use]
    pub fn of(case: &CaseFile, events: &[Event], verdicts: &[Verdict]) -> Places {
        let written: Vec<&str> = events.iter().filter_map(node).collect();
        let find = |nodes: &[&str], name: &str| nodes.iter().position(|node| *node == name);
        let ends = |nodes: &[&str], [a, b]: [&str; 2]| Some([find(nodes, a)?, find(nodes, b)?]).filter(|[a, b]| a != b);
        let named = wires(case, events);
        let joined: Vec<_> = named.iter().filter_map(|(_, wire)| ends(&written, *wire)).collect();
        let nodes: Vec<&str> = order(written.len(), &joined).into_iter().map(|index| written[index]).collect();
        let wires = named.iter().filter_map(|(name, wire)| Some(((*name).to_owned(), ends(&nodes, *wire)?))).collect();
        let program = |event: &Event| match &event.fact {
            Fact::Program { name, node, .. } => Some((name.clone(), find(&nodes, node)?)),
            _ => None,
        };
        let connections = verdicts.iter().enumerate().filter_map(|(index, verdict)| Some((verdict.addresses?, index)));
        Places {
            wires,
            programs: events.iter().filter_map(program).collect(),
            connections: connections.collect(),
            nodes: nodes.into_iter().map(str::to_owned).collect(),
        }
    }

    /// The place of a node.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node == name)
    }

    /// The other end of a wire.
    #[must_use]
    pub fn across(&self, wire: &str, node: usize) -> Option<usize> {
        let [a, b] = *self.wires.get(wire)?;
        Some(if a == node { b } else { a })
    }

    /// The connection between these addresses.
    #[must_use]
    pub fn connection(&self, a: SocketAddrV4, b: SocketAddrV4) -> Option<usize> {
        self.connections.get(&[a, b]).or_else(|| self.connections.get(&[b, a])).copied()
    }

    /// The connection of a socket.
    #[must_use]
    pub fn of_pair(&self, pair: Pair) -> Option<usize> {
        self.connection(pair.local, pair.remote)
    }
}

/// A node that is told of, each once.
fn node(event: &Event) -> Option<&str> {
    match &event.fact {
        Fact::Node { node, .. } => Some(node),
        _ => None,
    }
}

/// Every wire with the nodes at its ends.
fn wires<'a>(case: &'a CaseFile, events: &'a [Event]) -> Vec<(&'a str, [&'a str; 2])> {
    let told = case.wires.iter().map(|wire| (wire.name.as_str(), [wire.ends[0].as_str(), wire.ends[1].as_str()]));
    let mut wires: Vec<_> = told.collect();
    if wires.is_empty() {
        for event in events {
            let Fact::Segment(segment) = &event.fact else { continue };
            let (wire, node) = (segment.wire.as_str(), segment.node.as_str());
            match wires.iter_mut().find(|(name, _)| *name == wire) {
                Some((_, ends)) if ends[0] != node => ends[1] = node,
                Some(_) => {}
                None => wires.push((wire, [node, node])),
            }
        }
    }
    wires
}
