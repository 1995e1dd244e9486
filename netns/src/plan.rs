//! What a network is to be: nodes, wires and how the wires treat packets.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::{Error, Firewall};

/// The smallest MTU that every IPv4 host must take (RFC 791), and the largest that IPv4 can name.
const MTU: std::ops::RangeInclusive<u32> = 68..=65535;

/// The nodes and wires of a network. Both are known by their index from here on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkPlan {
    /// The hosts.
    pub nodes: Vec<NodePlan>,
    /// The cables between them.
    pub wires: Vec<WirePlan>,
}

/// One host.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePlan {
    /// Its name, for messages.
    pub name: String,
    /// Its one address, a /32 on each of its interfaces.
    pub address: Ipv4Addr,
    /// Its own sysctls, in dotted form. They win over what every node gets.
    pub sysctls: Vec<(String, String)>,
    /// Whether it routes packets between its wires.
    pub forwards: bool,
    /// What it does with what it routes; none passes everything on and remembers nothing.
    pub firewall: Option<Firewall>,
}

/// One cable between two nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct WirePlan {
    /// Its name, for messages.
    pub name: String,
    /// The indices of the nodes at its two ends.
    pub ends: [usize; 2],
    /// The largest IP packet it carries, in bytes.
    pub mtu: u32,
    /// Whether its nodes ask for each other's MAC address by ARP; else they know it for ever, as one knows a router's.
    pub arp: bool,
    /// What it does to the packets it carries, the same in both directions.
    pub shaping: Shaping,
}

/// What a wire does to the packets it carries: netem's parameters (tc-netem(8)).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shaping {
    /// The time a packet takes.
    pub delay: Option<Duration>,
    /// How much that time varies, up and down. Needs a delay.
    pub jitter: Option<Duration>,
    /// How many packets are lost, in per cent.
    pub loss: Option<f64>,
    /// How many are delivered twice, in per cent.
    pub duplicate: Option<f64>,
    /// How many overtake those before them, in per cent. Needs a delay.
    pub reorder: Option<f64>,
    /// How many have one bit flipped, in per cent.
    pub corrupt: Option<f64>,
    /// How fast the wire is, in bits per second.
    pub rate_bits_per_s: Option<u64>,
    /// The seed of all this chance, so that a run can be repeated; the direction from the second end has the next one.
    pub seed: Option<u64>,
}

impl Shaping {
    /// Whether packets pass untouched and at once. A seed alone does nothing.
    pub fn is_none(&self) -> bool {
        Self { seed: None, ..self.clone() } == Self::default()
    }

    /// What netem would refuse or silently ignore.
    fn problem(&self) -> Option<String> {
        let chances =
            [("loss", self.loss), ("duplicate", self.duplicate), ("reorder", self.reorder), ("corrupt", self.corrupt)];
        for (what, percent) in chances {
            if percent.is_some_and(|percent| !(0.0..=100.0).contains(&percent)) {
                return Some(format!("its {what} is not between 0 and 100 per cent"));
            }
        }
        let needs_delay = [("jitter", self.jitter.is_some()), ("reorder", self.reorder.is_some())];
        for (what, given) in needs_delay {
            if given && self.delay.is_none() {
                return Some(format!("it has {what} without a delay"));
            }
        }
        (self.rate_bits_per_s == Some(0)).then(|| "its rate is 0, which is a cut and not a rate".to_owned())
    }
}

impl WirePlan {
    /// Which end of the wire a node is at.
    pub(crate) fn end_of(&self, node: usize) -> Option<usize> {
        self.ends.iter().position(|&end| end == node)
    }
}

impl NetworkPlan {
    /// Finds the first thing in the plan that cannot be built.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let mut addresses = HashSet::new();
        for node in &self.nodes {
            let address = node.address;
            if address.is_unspecified() || address.is_loopback() || address.is_multicast() || address.is_broadcast() {
                return wrong(format!("{address} of node `{}` is no address that a host can have", node.name));
            }
            if node.firewall.is_some() && !node.forwards {
                return wrong(format!("node `{}` is a firewall and does not forward", node.name));
            }
            if !addresses.insert(address) {
                return wrong(format!("node `{}` has the address {address} of another node", node.name));
            }
        }
        for wire in &self.wires {
            let WirePlan { name, ends: [a, b], mtu, shaping, arp: _ } = wire;
            if *a.max(b) >= self.nodes.len() {
                return wrong(format!("wire `{name}` ends at node {}, which is not there", a.max(b)));
            }
            if a == b {
                return wrong(format!("both ends of wire `{name}` are at one node"));
            }
            if !MTU.contains(mtu) {
                return wrong(format!("the MTU {mtu} of wire `{name}` is not between 68 and 65535"));
            }
            if let Some(problem) = shaping.problem() {
                return wrong(format!("wire `{name}`: {problem}"));
            }
        }
        // Addresses are derived from indices of 16 bits.
        if self.nodes.len().max(self.wires.len()) > usize::from(u16::MAX) {
            return wrong("more than 65535 nodes or wires".to_owned());
        }
        Ok(())
    }
}

fn wrong(problem: String) -> Result<(), Error> {
    Err(Error::Plan { problem })
}
