//! A built network: its namespaces, and how it came up and goes down.

use std::net::Ipv4Addr;
use std::os::fd::AsFd;

use nlink::netlink::{Connection, Route};
use tokio::runtime::Handle;

use crate::address::{End, LOOPBACK, interface, interface_name};
use crate::batch::Batch;
use crate::link::Interface;
use crate::topology::{ends_at, neighbour, routes_from};
use crate::{
    Error, Firewall, Namespace, NetworkPlan, NodePlan, Shaping, Translation, firewall, link, offload, redirect,
    shaping, sockets, sysctl, translation,
};

/// Nodes in namespaces of their own, and the *fabric*, a namespace in which their wires lie.
///
/// A wire is two veth pairs, from each node to a port in the fabric, and two redirects between the ports. So whatever
/// is done to a wire happens outside the nodes, as it does to a real cable.
///
/// Dropping a network closes all its descriptors. [`down`](Self::down) also ends the connections that could keep a
/// namespace alive.
pub struct Network {
    pub(crate) plan: NetworkPlan,
    pub(crate) fabric: Place,
    pub(crate) nodes: Vec<Node>,
    pub(crate) wires: Vec<Wire>,
    /// Where nodes were before they moved: the sockets there, which nobody reaches, end with the network.
    pub(crate) left: Vec<Place>,
}

/// A namespace and what is needed to work in it.
pub(crate) struct Place {
    pub namespace: Namespace,
    pub route: Connection<Route>,
    /// What was set there, as read back.
    pub sysctls: Vec<(String, String)>,
}

/// What stands of a node.
pub(crate) enum Node {
    /// It runs.
    On(Place),
    /// Its wires are cut, and its processes are about to be killed.
    Dying(Place),
    /// It is gone; these were its sysctls.
    Off(Vec<(String, String)>),
}

/// The state of a wire, by end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire {
    /// Whether what the node at this end sends is cut off.
    pub cut: [bool; 2],
    /// Whether the cable is out of the node at this end.
    pub unplugged: [bool; 2],
    /// Whether the redirect of what comes from this end is in place.
    pub joined: [bool; 2],
}

impl Node {
    /// The node's place, unless it is gone.
    pub(crate) fn place(&self) -> Option<&Place> {
        match self {
            Self::On(place) | Self::Dying(place) => Some(place),
            Self::Off(_) => None,
        }
    }
}

impl Network {
    /// Builds a network.
    ///
    /// Must be called in a Tokio runtime with I/O enabled, which must live as long as the network.
    ///
    /// # Errors
    /// [`Error::Plan`] before anything is built; [`Error::Privilege`] without root; [`Error::NoNetem`] or
    /// [`Error::KernelOption`] where the kernel lacks something; else what was refused and why. Nothing stays behind.
    pub async fn build(plan: NetworkPlan) -> Result<Self, Error> {
        plan.check()?;
        // All namespaces are started before the first is waited for, so that they are made at the same time.
        let fabric =
            tokio::spawn(place(|| sysctl::FABRIC.iter().map(|(name, value)| sysctl::set(name, value)).collect()));
        let starting: Vec<_> = plan.nodes.iter().map(|node| tokio::spawn(node_place(node))).collect();
        let fabric = finished(fabric.await)?;
        let mut nodes = Vec::with_capacity(plan.nodes.len());
        for (node, place) in plan.nodes.iter().zip(starting) {
            nodes.push(Node::On(finished(place.await).map_err(|error| error.on_node(&node.name))?));
        }
        let wires = vec![Wire::default(); plan.wires.len()];
        let mut network = Self { plan, fabric, nodes, wires, left: Vec::new() };
        network.lay_wires().await?;
        for node in 0..network.nodes.len() {
            network.configure(node).await?;
        }
        network.turn_offloads_off(None).await?;
        Ok(network)
    }

    /// What the network was built from, with the shaping of its wires as it is now.
    pub fn plan(&self) -> &NetworkPlan {
        &self.plan
    }

    /// The namespace of a node.
    ///
    /// # Errors
    /// [`Error::NoSuch`] for a wrong index, [`Error::PoweredOff`] after [`close`](Self::close).
    pub fn node(&self, node: usize) -> Result<&Namespace, Error> {
        self.place(node).map(|place| &place.namespace)
    }

    /// The namespace in which all wires lie.
    pub fn fabric(&self) -> &Namespace {
        &self.fabric.namespace
    }

    /// All sysctls that were set on a node, with the values read back then. Empty for a wrong index.
    pub fn sysctls(&self, node: usize) -> &[(String, String)] {
        match self.nodes.get(node) {
            Some(Node::On(place) | Node::Dying(place)) => &place.sysctls,
            Some(Node::Off(sysctls)) => sysctls,
            None => &[],
        }
    }

    /// Hands on every connection that gets other addresses at a node, until the task is aborted or the node loses its power.
    ///
    /// # Errors
    /// For an index that is no node, or when the kernel refuses.
    pub async fn watch_translations(
        &self,
        node: usize,
        sink: impl Fn(Translation) + Send + 'static,
    ) -> Result<tokio::task::JoinHandle<()>, Error> {
        let watching = translation::watch(self.node(node)?, sink).await;
        watching.map_err(|error| error.on_node(&self.plan.nodes[node].name))
    }

    /// Takes the network down: ends every TCP connection in it, and lets its namespaces go.
    ///
    /// A namespace is gone when the last process has left it, which is the caller's to see to.
    ///
    /// # Errors
    /// When the sockets of a node cannot be listed or ended. Its descriptors are closed even then.
    pub async fn down(self) -> Result<(), Error> {
        let mut result = Ok(());
        for (plan, node) in self.plan.nodes.iter().zip(&self.nodes) {
            let Some(place) = node.place() else { continue };
            let ended = sockets::destroy_all(&place.namespace).await.map_err(|error| error.on_node(&plan.name));
            result = result.and(ended.map(drop));
        }
        for place in &self.left {
            result = result.and(sockets::destroy_all(&place.namespace).await.map(drop));
        }
        result
    }

    /// What stands of a node, by index.
    pub(crate) fn place(&self, node: usize) -> Result<&Place, Error> {
        let count = self.nodes.len();
        let state = self.nodes.get(node).ok_or(Error::NoSuch { what: "node", index: node, count })?;
        state.place().ok_or_else(|| Error::PoweredOff { node: self.plan.nodes[node].name.clone() })
    }

    /// Lays every wire of a network that has none yet, and joins them.
    async fn lay_wires(&mut self) -> Result<(), Error> {
        let mut batch = Batch::default();
        let ends: Vec<End> = (0..self.wires.len()).flat_map(|wire| [0, 1].map(|end| End { wire, end })).collect();
        for &end in &ends {
            self.lay(end, &mut batch)?;
        }
        for &end in &ends {
            batch.push_needing(
                redirect::REDIRECT_OPTION,
                self.joining(end),
                redirect::join(end.port(), end.opposite().port())?,
            );
        }
        batch.send(&self.fabric.route).await?;
        for wire in &mut self.wires {
            wire.joined = [true, true];
        }
        for wire in 0..self.wires.len() {
            self.apply_shaping(wire).await?;
        }
        Ok(())
    }

    /// Lays the cable from a node to its port in the fabric.
    pub(crate) fn lay(&self, end: End, batch: &mut Batch) -> Result<(), Error> {
        let plan = &self.plan.wires[end.wire];
        let node = plan.ends[end.end];
        let place = ends_at(&self.plan, node).iter().position(|&other| other == end).unwrap_or_default();
        let port = Interface { index: end.port(), name: end.port_name(), mac: end.port_mac() };
        let peer = Interface { index: interface(place), name: interface_name(place), mac: end.node_mac(node) };
        let of_wire = format!("of wire `{}` at node `{}`", plan.name, self.plan.nodes[node].name);
        let namespace = self.place(node)?.namespace.as_fd();
        batch.push(format!("making the interfaces {of_wire}"), link::veth(&port, &peer, namespace, plan.mtu));
        batch.push_needing(
            redirect::INGRESS_OPTION,
            format!("adding the ingress {of_wire}"),
            redirect::ingress(end.port()),
        );
        Ok(())
    }

    /// What joining an end is called in errors.
    pub(crate) fn joining(&self, end: End) -> String {
        let wire = &self.plan.wires[end.wire];
        format!("joining wire `{}` from node `{}`", wire.name, self.plan.nodes[wire.ends[end.end]].name)
    }

    /// Gives a node's interfaces its address and tells them the way to all other nodes.
    pub(crate) async fn configure(&self, node: usize) -> Result<(), Error> {
        let batch = self.configuration(node).map_err(|error| error.on_node(&self.plan.nodes[node].name))?;
        let sent = batch.send(&self.place(node)?.route).await;
        sent.map_err(|error| error.on_node(&self.plan.nodes[node].name))
    }

    fn configuration(&self, node: usize) -> Result<Batch, Error> {
        let address_of = |node: usize| -> Ipv4Addr { self.plan.nodes[node].address };
        let own = address_of(node);
        let mut batch = Batch::default();
        batch.push("setting `lo` up".to_owned(), link::up(LOOPBACK));
        for (place, end) in ends_at(&self.plan, node).into_iter().enumerate() {
            let (index, name) = (interface(place), interface_name(place));
            let other = neighbour(&self.plan, end);
            batch.push(format!("giving `{name}` the address {own}"), link::address(index, own)?);
            batch.push(format!("setting `{name}` up"), link::up(index));
            if !self.plan.wires[end.wire].arp {
                batch.push(
                    format!("telling `{name}` the MAC address of {}", address_of(other)),
                    link::neighbour(index, address_of(other), end.opposite().node_mac(other))?,
                );
            }
        }
        for route in routes_from(&self.plan, node) {
            let to = address_of(route.to);
            let message = link::route(interface(route.interface), own, to, route.via.map(address_of));
            batch.push(format!("adding the route to {to}"), message);
        }
        Ok(batch)
    }

    /// Turns offloads off at both sides of every cable, or of one node's.
    pub(crate) async fn turn_offloads_off(&self, only: Option<usize>) -> Result<(), Error> {
        let wanted = |node: usize| only.is_none_or(|only| only == node);
        let mut ports = Vec::new();
        for node in (0..self.nodes.len()).filter(|&node| wanted(node)) {
            let ends = ends_at(&self.plan, node);
            let names: Vec<String> = (0..ends.len()).map(interface_name).collect();
            let off = offload::turn_off(self.node(node)?, &names).await;
            off.map_err(|error| error.on_node(&self.plan.nodes[node].name))?;
            ports.extend(ends.into_iter().map(End::port_name));
        }
        offload::turn_off(self.fabric(), &ports).await
    }

    /// Gives both ports of a wire the shaping that the plan says.
    pub(crate) async fn apply_shaping(&self, wire: usize) -> Result<(), Error> {
        if self.plan.wires[wire].shaping.is_none() { Ok(()) } else { self.put_shaping(wire).await }
    }

    /// Puts netem with the shaping that the plan says at both ports of a wire, or changes the one that is there.
    pub(crate) async fn put_shaping(&self, wire: usize) -> Result<(), Error> {
        let plan = &self.plan.wires[wire];
        let mut batch = Batch::default();
        for end in [0, 1].map(|end| End { wire, end }).into_iter().filter(|&end| self.has_port(end)) {
            // Chance must not strike both directions alike.
            let seed = plan.shaping.seed.map(|seed| seed.wrapping_add(end.end as u64));
            let message = shaping::shape(end.port(), &Shaping { seed, ..plan.shaping.clone() })?;
            batch.push_needing(shaping::OPTION, format!("shaping wire `{}`", plan.name), message);
        }
        batch.send(&self.fabric.route).await.map_err(|error| match error {
            Error::KernelOption { .. } => Error::NoNetem { wire: plan.name.clone() },
            other => other,
        })
    }

    /// Whether the port of an end exists: it goes with its node.
    pub(crate) fn has_port(&self, end: End) -> bool {
        self.nodes[self.plan.wires[end.wire].ends[end.end]].place().is_some()
    }
}

/// Sysctls, each with its value.
type Sysctls = Vec<(String, String)>;

/// Makes the namespace of a node, with its sysctls and rules set before any interface appears in it.
pub(crate) fn node_place(node: &NodePlan) -> impl Future<Output = Result<Place, Error>> + Send + 'static {
    let node = node.clone();
    async move {
        let (at_once, with_rules) = sysctls(&node);
        let place = place(move || sysctl::set_all(node.forwards, &at_once)).await?;
        ruled(place, node.firewall.as_ref(), with_rules).await
    }
}

/// Makes a namespace that somebody else has made a node's place, with the node's sysctls and rules.
pub(crate) async fn place_in(namespace: Namespace, node: &NodePlan) -> Result<Place, Error> {
    let runtime = Handle::current();
    let (at_once, with_rules) = sysctls(node);
    let prepare = || -> Result<_, Error> {
        let sysctls = sysctl::set_all(node.forwards, &at_once)?;
        Ok((route(&runtime)?, sysctls))
    };
    let (route, sysctls) = namespace.run(prepare)??;
    ruled(Place { namespace, route, sysctls }, node.firewall.as_ref(), with_rules).await
}

/// A node's own sysctls: those to be set at once, and those that exist only with a firewall's rules, as connection tracking may
/// be a module.
fn sysctls(node: &NodePlan) -> (Sysctls, Sysctls) {
    let with_rules = |(name, _): &(String, String)| node.firewall.is_some() && name.starts_with(firewall::SYSCTLS);
    node.sysctls.iter().cloned().partition(|sysctl| !with_rules(sysctl))
}

/// Gives a firewall's place its rules, and then the sysctls that come with them.
async fn ruled(mut place: Place, firewall: Option<&Firewall>, sysctls: Sysctls) -> Result<Place, Error> {
    let Some(firewall) = firewall else { return Ok(place) };
    firewall::install(&place.namespace, firewall).await?;
    place.sysctls.extend(place.namespace.run(|| sysctl::set_over(firewall::ALWAYS, &sysctls))??);
    Ok(place)
}

async fn place(
    set_sysctls: impl FnOnce() -> Result<Vec<(String, String)>, Error> + Send + 'static,
) -> Result<Place, Error> {
    let runtime = Handle::current();
    let prepare = move |_: &Namespace| {
        let sysctls = set_sysctls()?;
        Ok((route(&runtime)?, sysctls))
    };
    let (namespace, (route, sysctls)) = Namespace::create_and(prepare).await?;
    Ok(Place { namespace, route, sysctls })
}

/// A netlink socket of the namespace that the calling thread is in.
fn route(runtime: &Handle) -> Result<Connection<Route>, Error> {
    let _entered = runtime.enter();
    Connection::<Route>::new()
        .map_err(|source| Error::netlink("opening a netlink socket in a network namespace", source))
}

fn finished<T>(joined: Result<Result<T, Error>, tokio::task::JoinError>) -> Result<T, Error> {
    joined.unwrap_or_else(|error| Err(Error::system("making a network namespace", std::io::Error::other(error))))
}
