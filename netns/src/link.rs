//! Requests about links, addresses, routes and neighbours (rtnetlink(7)).

use std::net::Ipv4Addr;

use nix::libc::IFF_UP;
use nlink::netlink::neigh::Neighbor;
use nlink::netlink::route::{Ipv4Route, ResolvedRouteInterfaces};
use nlink::netlink::types::link::{IfInfoMsg, IflaAttr, IflaInfo};
use nlink::netlink::types::route::RouteScope;
use nlink::netlink::{MessageBuilder, NlMsgType};
use nlink::{AddressConfig, Ipv4Address, NeighborConfig, RouteConfig};
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::Error;
use crate::address::Mac;
use crate::batch::{change, create};

/// `VETH_INFO_PEER` of linux/veth.h.
const VETH_INFO_PEER: u16 = 1;

/// One interface that is to be made.
pub(crate) struct Interface {
    /// The index it shall have in its namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its MAC address.
    pub mac: Mac,
}

/// Makes a veth pair (veth(4)): `port` up, in the namespace that is asked, and `peer` down, in `peer_namespace`.
pub(crate) fn veth(port: &Interface, peer: &Interface, peer_namespace: BorrowedFd<'_>, mtu: u32) -> MessageBuilder {
    let mut message = create(NlMsgType::RTM_NEWLINK);
    write_interface(&mut message, port, mtu, IFF_UP);
    let info = message.nest_start(IflaAttr::Linkinfo as u16);
    message.append_attr_str(IflaInfo::Kind as u16, "veth");
    let data = message.nest_start(IflaInfo::Data as u16);
    let peer_nest = message.nest_start(VETH_INFO_PEER);
    write_interface(&mut message, peer, mtu, 0);
    message.append_attr(IflaAttr::NetNsFd as u16, &peer_namespace.as_raw_fd().to_ne_bytes());
    message.nest_end(peer_nest);
    message.nest_end(data);
    message.nest_end(info);
    message
}

fn write_interface(message: &mut MessageBuilder, interface: &Interface, mtu: u32, flags: i32) {
    message.append(&header(interface.index, flags));
    message.append_attr_str(IflaAttr::Ifname as u16, &interface.name);
    message.append_attr(IflaAttr::Address as u16, &interface.mac);
    message.append_attr_u32(IflaAttr::Mtu as u16, mtu);
    // More queues than one could let packets overtake each other.
    message.append_attr_u32(IflaAttr::NumTxQueues as u16, 1);
    message.append_attr_u32(IflaAttr::NumRxQueues as u16, 1);
}

/// The header of a message about the link `index` that is to have `flags`, of which only `IFF_UP` is touched.
fn header(index: u32, flags: i32) -> IfInfoMsg {
    IfInfoMsg {
        ifi_index: index.cast_signed(),
        ifi_flags: flags.cast_unsigned(),
        ifi_change: IFF_UP.cast_unsigned(),
        ..IfInfoMsg::new()
    }
}

/// Sets a link up.
pub(crate) fn up(index: u32) -> MessageBuilder {
    let mut message = change(NlMsgType::RTM_NEWLINK);
    message.append(&header(index, IFF_UP));
    message
}

/// Sets a link down.
pub(crate) fn down(index: u32) -> MessageBuilder {
    let mut message = change(NlMsgType::RTM_NEWLINK);
    message.append(&header(index, 0));
    message
}

/// Deletes a link, and with a veth its peer, wherever that is.
pub(crate) fn delete(index: u32) -> MessageBuilder {
    let mut message = change(NlMsgType::RTM_DELLINK);
    message.append(&header(index, 0));
    message
}

/// Gives a link an address of its own, a /32.
pub(crate) fn address(index: u32, address: Ipv4Addr) -> Result<MessageBuilder, Error> {
    let mut message = create(NlMsgType::RTM_NEWADDR);
    Ipv4Address::with_index(index, address, 32)
        .write_add(&mut message, index)
        .map_err(|source| Error::netlink(format!("encoding the address {address}"), source))?;
    Ok(message)
}

/// Routes packets for `to` out of a link: straight, or through the neighbour `via`.
pub(crate) fn route(index: u32, from: Ipv4Addr, to: Ipv4Addr, via: Option<Ipv4Addr>) -> MessageBuilder {
    let route = Ipv4Route::new(to, 32).prefsrc(from);
    let route = match via {
        Some(via) => route.gateway(via).onlink(),
        None => route.scope(RouteScope::Link),
    };
    let mut message = create(NlMsgType::RTM_NEWROUTE);
    route.write_add(&mut message, &ResolvedRouteInterfaces { oif: Some(index), ..Default::default() });
    message
}

/// Tells a link the MAC address of a neighbour, for ever.
pub(crate) fn neighbour(index: u32, neighbour: Ipv4Addr, mac: Mac) -> Result<MessageBuilder, Error> {
    let mut message = create(NlMsgType::RTM_NEWNEIGH);
    Neighbor::with_index_v4(index, neighbour)
        .lladdr(mac)
        .permanent()
        .write_add(&mut message, index)
        .map_err(|source| Error::netlink(format!("encoding the neighbour {neighbour}"), source))?;
    Ok(message)
}
