//! Which interface leads where: pure arithmetic on a plan.

use std::collections::VecDeque;

use crate::NetworkPlan;
use crate::address::End;

/// How a node reaches another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// The node to be reached.
    pub to: usize,
    /// The neighbour that the way leads through; none when `to` is the neighbour.
    pub via: Option<usize>,
    /// The place of the interface among the node's wires.
    pub interface: usize,
}

/// The ends of wires at a node, in the order of its interfaces.
pub(crate) fn ends_at(plan: &NetworkPlan, node: usize) -> Vec<End> {
    let end_of = |(wire, plan): (usize, &crate::WirePlan)| plan.end_of(node).map(|end| End { wire, end });
    plan.wires.iter().enumerate().filter_map(end_of).collect()
}

/// The neighbour at the other side of an end.
pub(crate) fn neighbour(plan: &NetworkPlan, end: End) -> usize {
    plan.wires[end.wire].ends[end.opposite().end]
}

/// The shortest ways from a node to all that it can reach, through nodes that forward. Of equal ways, the one over the
/// wire that the plan names first.
pub(crate) fn routes_from(plan: &NetworkPlan, node: usize) -> Vec<Route> {
    let mut seen = vec![false; plan.nodes.len()];
    seen[node] = true;
    let mut routes = Vec::new();
    let mut next = VecDeque::new();
    for (interface, end) in ends_at(plan, node).into_iter().enumerate() {
        let to = neighbour(plan, end);
        if !std::mem::replace(&mut seen[to], true) {
            next.push_back(Route { to, via: None, interface });
        }
    }
    while let Some(route) = next.pop_front() {
        routes.push(route);
        if !plan.nodes[route.to].forwards {
            continue;
        }
        for end in ends_at(plan, route.to) {
            let to = neighbour(plan, end);
            if !std::mem::replace(&mut seen[to], true) {
                next.push_back(Route { to, via: route.via.or(Some(route.to)), interface: route.interface });
            }
        }
    }
    routes
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::{NodePlan, Shaping, WirePlan};

    /// a – b – c – d, and `b`, `c` forward or do not.
    fn line(b_forwards: bool, c_forwards: bool) -> NetworkPlan {
        let node = |(index, forwards): (u8, bool)| NodePlan {
            name: format!("n{index}"),
            address: Ipv4Addr::new(10, 0, 0, index),
            sysctls: Vec::new(),
            forwards,
            firewall: None,
        };
        let wire = |index: usize| WirePlan {
            name: format!("{index}"),
            ends: [index, index + 1],
            mtu: 1500,
            arp: false,
            shaping: Shaping::default(),
        };
        NetworkPlan {
            nodes: [(0, false), (1, b_forwards), (2, c_forwards), (3, false)].map(node).to_vec(),
            wires: (0..3).map(wire).collect(),
        }
    }

    #[test]
    fn a_node_that_does_not_forward_ends_the_way() {
        let routes = routes_from(&line(false, true), 0);
        assert_eq!(routes, [Route { to: 1, via: None, interface: 0 }]);
    }

    #[test]
    fn far_nodes_are_reached_through_the_first_forwarding_neighbour() {
        let routes = routes_from(&line(true, true), 0);
        let via = Some(1);
        let far = [Route { to: 2, via, interface: 0 }, Route { to: 3, via, interface: 0 }];
        assert_eq!(routes[1..], far);
    }

    #[test]
    fn each_side_of_a_node_has_its_own_interface() {
        let routes = routes_from(&line(false, false), 1);
        assert_eq!(routes, [Route { to: 0, via: None, interface: 0 }, Route { to: 2, via: None, interface: 1 }]);
    }
}
