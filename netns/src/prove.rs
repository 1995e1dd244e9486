//! Proof that a network is what it was planned to be, read back from the kernel.

use std::collections::HashMap;

use nlink::netlink::{Connection, Route};

use crate::address::{End, interface_name};
use crate::network::{Network, Node};
use crate::topology::ends_at;
use crate::{Error, Namespace, offload, sysctl};

impl Network {
    /// Reads the network back from the kernel and compares it with its plan: namespaces differ from each other and from
    /// the caller's, sysctls are as they were set, and both sides of each cable are up, have their MTU and MAC address,
    /// a carrier unless unplugged, and no offloads. Nodes without power are passed over.
    ///
    /// # Errors
    /// [`Error::NotAsPlanned`] with the first difference; other errors when something cannot be read.
    pub async fn prove(&self) -> Result<(), Error> {
        self.prove_namespaces()?;
        for node in (0..self.nodes.len()).filter(|&node| matches!(self.nodes[node], Node::On(_))) {
            let proven = self.prove_node(node).await;
            proven.map_err(|error| error.on_node(&self.plan.nodes[node].name))?;
        }
        Ok(())
    }

    fn prove_namespaces(&self) -> Result<(), Error> {
        let mut owners = HashMap::from([(Namespace::current()?.inode(), "the process that built it")]);
        let nodes = self.plan.nodes.iter().zip(&self.nodes);
        let places = nodes.filter_map(|(plan, node)| Some((plan.name.as_str(), node.place()?)));
        for (name, place) in std::iter::once(("the fabric", &self.fabric)).chain(places) {
            if let Some(other) = owners.insert(place.namespace.inode(), name) {
                return Err(Error::NotAsPlanned {
                    found: format!("`{name}` is in the network namespace of `{other}`"),
                });
            }
        }
        Ok(())
    }

    async fn prove_node(&self, node: usize) -> Result<(), Error> {
        let place = self.place(node)?;
        place.namespace.run(|| place.sysctls.iter().try_for_each(|(name, value)| prove_sysctl(name, value)))??;

        let ends = ends_at(&self.plan, node);
        let names: Vec<String> = (0..ends.len()).map(interface_name).collect();
        let ports: Vec<String> = ends.iter().map(|end| end.port_name()).collect();
        for ((end, name), port) in ends.iter().zip(&names).zip(&ports) {
            let unplugged = self.wires[end.wire].unplugged[end.end];
            let mtu = self.plan.wires[end.wire].mtu;
            let carrier = !unplugged;
            prove_link(&place.route, name, &Wanted { up: true, carrier, mtu, mac: end.node_mac(node) }).await?;
            prove_link(&self.fabric.route, port, &Wanted { up: carrier, carrier, mtu, mac: End::port_mac(*end) })
                .await?;
        }
        let mut on = offload::still_on(&place.namespace, &names).await?;
        on.extend(offload::still_on(self.fabric(), &ports).await?);
        if on.is_empty() {
            Ok(())
        } else {
            Err(Error::NotAsPlanned { found: format!("offloads are on: {}", on.join(", ")) })
        }
    }
}

fn prove_sysctl(name: &str, wanted: &str) -> Result<(), Error> {
    let found = sysctl::read(name)?;
    if found == wanted {
        Ok(())
    } else {
        Err(Error::Sysctl { name: name.to_owned(), wanted: wanted.to_owned(), found })
    }
}

/// What a link must be.
#[derive(PartialEq)]
struct Wanted {
    up: bool,
    carrier: bool,
    mtu: u32,
    mac: crate::address::Mac,
}

async fn prove_link(connection: &Connection<Route>, name: &str, wanted: &Wanted) -> Result<(), Error> {
    let found = connection
        .get_link_by_name(name)
        .await
        .map_err(|source| Error::netlink(format!("reading interface `{name}`"), source))?;
    let Some(link) = found else {
        return Err(Error::NotAsPlanned { found: format!("interface `{name}` is missing") });
    };
    let mac = link.address().and_then(|mac| mac.try_into().ok()).unwrap_or_default();
    let found = Wanted { up: link.is_up(), carrier: link.has_carrier(), mtu: link.mtu().unwrap_or_default(), mac };
    if found == *wanted {
        return Ok(());
    }
    let say = |what: &Wanted| {
        let state = if what.up { "up" } else { "down" };
        let carrier = if what.carrier { "with" } else { "without" };
        let mac = what.mac.map(|byte| format!("{byte:02x}")).join(":");
        format!("{state} {carrier} carrier, MTU {}, MAC {mac}", what.mtu)
    };
    Err(Error::NotAsPlanned { found: format!("interface `{name}` is {}, not {}", say(&found), say(wanted)) })
}
