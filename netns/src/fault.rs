//! Faults of a built network, each with its opposite.

use crate::address::End;
use crate::batch::Batch;
use crate::network::{Network, Node, Place, node_place, place_in};
use crate::topology::ends_at;
use crate::{Error, Namespace, Shaping, firewall, link, redirect, sockets};

/// A direction of a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both.
    Both,
    /// What the node of this index sends.
    From(usize),
}

impl Network {
    /// Cuts a wire: what is sent into it is dropped silently. The capture still sees it sent.
    ///
    /// # Errors
    /// For an index that is no wire or not on it, or when the kernel refuses.
    pub async fn cut(&mut self, wire: usize, direction: Direction) -> Result<(), Error> {
        self.set_cut(wire, direction, true).await
    }

    /// Mends a cut wire.
    ///
    /// # Errors
    /// As [`cut`](Self::cut).
    pub async fn restore(&mut self, wire: usize, direction: Direction) -> Result<(), Error> {
        self.set_cut(wire, direction, false).await
    }

    /// Pulls a wire out of a node, whose interface loses its carrier and keeps its address and routes.
    ///
    /// # Errors
    /// For an index that is no wire or not on it, or when the kernel refuses.
    pub async fn unplug(&mut self, wire: usize, node: usize) -> Result<(), Error> {
        self.set_unplugged(wire, node, true).await
    }

    /// Plugs a wire in again.
    ///
    /// # Errors
    /// As [`unplug`](Self::unplug).
    pub async fn plug(&mut self, wire: usize, node: usize) -> Result<(), Error> {
        self.set_unplugged(wire, node, false).await
    }

    /// Takes a node's power: cuts all its wires, both ways. The caller then kills its processes, and calls
    /// [`close`](Self::close). Nothing that the dying kernel does reaches anybody. A node that is off stays off.
    ///
    /// # Errors
    /// For an index that is no node, or when the kernel refuses.
    pub async fn power_off(&mut self, node: usize) -> Result<(), Error> {
        self.check_node(node)?;
        let state = std::mem::replace(&mut self.nodes[node], Node::Off(Vec::new()));
        self.nodes[node] = match state {
            Node::On(place) => Node::Dying(place),
            other => other,
        };
        self.settle_node(node).await
    }

    /// Ends a node that has no power: its sockets, its cables up to the fabric's ports, its namespace. To be called
    /// when its processes are dead. A node that still has power loses it first.
    ///
    /// # Errors
    /// As [`power_off`](Self::power_off).
    pub async fn close(&mut self, node: usize) -> Result<(), Error> {
        self.power_off(node).await?;
        let Some(place) = self.nodes[node].place() else { return Ok(()) };
        let name = &self.plan.nodes[node].name;
        sockets::destroy_all(&place.namespace).await.map_err(|error| error.on_node(name))?;
        let sysctls = place.sysctls.clone();
        self.remove_cables(node).await?;
        self.nodes[node] = Node::Off(sysctls);
        Ok(())
    }

    /// Starts a node anew: a fresh namespace with the address, MAC addresses, routes and sysctls that it had, and its
    /// wires as they were, cut or unplugged or neither. A node that still runs is closed first.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub async fn reboot(&mut self, node: usize) -> Result<(), Error> {
        self.close(node).await?;
        let plan = &self.plan.nodes[node];
        let place = node_place(plan).await.map_err(|error| error.on_node(&plan.name))?;
        self.live_in(node, place).await
    }

    /// Moves a node into a namespace that somebody else has made, as a container's engine does: with the address, MAC
    /// addresses, routes and sysctls that it had, and its wires as they were. What it had open stays behind, and
    /// reaches nobody.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub async fn move_to(&mut self, node: usize, namespace: Namespace) -> Result<(), Error> {
        self.check_node(node)?;
        let plan = &self.plan.nodes[node];
        let place = place_in(namespace, plan).await.map_err(|error| error.on_node(&plan.name))?;
        self.power_off(node).await?;
        if self.nodes[node].place().is_some() {
            self.remove_cables(node).await?;
        }
        if let Node::Dying(before) = std::mem::replace(&mut self.nodes[node], Node::Off(Vec::new())) {
            self.left.push(before);
        }
        self.live_in(node, place).await
    }

    /// Lays a node's cables to its new place, and brings it up there.
    async fn live_in(&mut self, node: usize, place: Place) -> Result<(), Error> {
        self.nodes[node] = Node::On(place);
        let ends = ends_at(&self.plan, node);
        let mut batch = Batch::default();
        for &end in &ends {
            self.lay(end, &mut batch)?;
            if self.wires[end.wire].unplugged[end.end] {
                batch.push(self.plugging(end), link::down(end.port()));
            }
        }
        batch.send(&self.fabric.route).await?;
        self.configure(node).await?;
        self.turn_offloads_off(Some(node)).await?;
        for end in ends {
            self.apply_shaping(end.wire).await?;
        }
        self.settle_node(node).await
    }

    /// Removes the cables of a node up to the fabric's ports.
    async fn remove_cables(&self, node: usize) -> Result<(), Error> {
        let name = &self.plan.nodes[node].name;
        let mut batch = Batch::default();
        for end in ends_at(&self.plan, node) {
            let doing = format!("removing the cable of wire `{}` from node `{name}`", self.plan.wires[end.wire].name);
            batch.push(doing, link::delete(end.port()));
        }
        batch.send(&self.fabric.route).await
    }

    /// Lets a firewall forget every connection that it tracks. Its rules and settings stay. There is no opposite: what it learns
    /// again it learns from what passes.
    ///
    /// # Errors
    /// For an index that is no node, for a node that is no firewall or has no power, or when the kernel refuses.
    pub async fn forget(&self, node: usize) -> Result<(), Error> {
        let place = self.place(node)?;
        let plan = &self.plan.nodes[node];
        let no_firewall = || Error::NoFirewall { node: plan.name.clone() };
        let firewall = plan.firewall.as_ref().ok_or_else(no_firewall)?;
        firewall::forget(&place.namespace, firewall).await.map_err(|error| error.on_node(&plan.name))
    }

    /// Changes what a wire does to packets, both ways. What is under way arrives as it would have.
    ///
    /// # Errors
    /// [`Error::NoNetem`] where the kernel cannot; [`Error::Plan`] for a shaping that makes no sense.
    pub async fn shape(&mut self, wire: usize, shaping: Shaping) -> Result<(), Error> {
        self.check_wire(wire)?;
        let mut changed = self.plan.clone();
        let before = std::mem::replace(&mut changed.wires[wire].shaping, shaping);
        changed.check()?;
        let old = std::mem::replace(&mut self.plan, changed);
        if before.is_none() && self.plan.wires[wire].shaping.is_none() {
            return Ok(());
        }
        // A wire that was shaped keeps its netem, if only with nothing to do: with it would go what is under way.
        let applied = self.put_shaping(wire).await;
        if applied.is_err() {
            self.plan = old;
        }
        applied
    }

    async fn set_cut(&mut self, wire: usize, direction: Direction, cut: bool) -> Result<(), Error> {
        self.check_wire(wire)?;
        match direction {
            Direction::Both => self.wires[wire].cut = [cut, cut],
            Direction::From(node) => {
                let end = self.end_of(wire, node)?;
                self.wires[wire].cut[end] = cut;
            }
        }
        self.settle(&[wire]).await
    }

    async fn set_unplugged(&mut self, wire: usize, node: usize, unplugged: bool) -> Result<(), Error> {
        self.check_wire(wire)?;
        let end = End { wire, end: self.end_of(wire, node)? };
        self.wires[wire].unplugged[end.end] = unplugged;
        if !self.has_port(end) {
            return Ok(());
        }
        let mut batch = Batch::default();
        batch.push(self.plugging(end), if unplugged { link::down(end.port()) } else { link::up(end.port()) });
        batch.send(&self.fabric.route).await
    }

    async fn settle_node(&mut self, node: usize) -> Result<(), Error> {
        let wires: Vec<usize> = ends_at(&self.plan, node).into_iter().map(|end| end.wire).collect();
        self.settle(&wires).await
    }

    /// Brings the redirects of some wires in line with what is cut and who has power.
    async fn settle(&mut self, wires: &[usize]) -> Result<(), Error> {
        let mut batch = Batch::default();
        let mut changes = Vec::new();
        for end in wires.iter().flat_map(|&wire| [0, 1].map(|end| End { wire, end })) {
            let state = &self.wires[end.wire];
            let powered = self.plan.wires[end.wire].ends.iter().all(|&node| matches!(self.nodes[node], Node::On(_)));
            let wanted = powered && !state.cut[end.end];
            if wanted == state.joined[end.end] {
                continue;
            }
            if wanted {
                let message = redirect::join(end.port(), end.opposite().port())?;
                batch.push_needing(redirect::REDIRECT_OPTION, self.joining(end), message);
            } else {
                batch.push(format!("un{}", self.joining(end)), redirect::part(end.port()));
            }
            changes.push((end, wanted));
        }
        batch.send(&self.fabric.route).await?;
        for (end, joined) in changes {
            self.wires[end.wire].joined[end.end] = joined;
        }
        Ok(())
    }

    fn plugging(&self, end: End) -> String {
        let wire = &self.plan.wires[end.wire];
        format!("changing the carrier of wire `{}` at node `{}`", wire.name, self.plan.nodes[wire.ends[end.end]].name)
    }

    fn end_of(&self, wire: usize, node: usize) -> Result<usize, Error> {
        self.check_node(node)?;
        let plan = &self.plan.wires[wire];
        let not_on_wire = || Error::NotOnWire { node: self.plan.nodes[node].name.clone(), wire: plan.name.clone() };
        plan.end_of(node).ok_or_else(not_on_wire)
    }

    fn check_wire(&self, wire: usize) -> Result<(), Error> {
        let count = self.wires.len();
        if wire < count { Ok(()) } else { Err(Error::NoSuch { what: "wire", index: wire, count }) }
    }

    fn check_node(&self, node: usize) -> Result<(), Error> {
        let count = self.nodes.len();
        if node < count { Ok(()) } else { Err(Error::NoSuch { what: "node", index: node, count }) }
    }
}
