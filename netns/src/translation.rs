//! What a firewall does to addresses, as its kernel tells of each connection (ctnetlink, the group `conntrack new`).

use std::future::poll_fn;
use std::net::{IpAddr, SocketAddrV4};
use std::os::fd::AsFd;
use std::pin::Pin;

use futures_core::Stream;
use nlink::netlink::netfilter::{ConntrackEvent, ConntrackGroup, ConntrackTuple};
use nlink::netlink::{Connection, Netfilter};
use tokio::task::JoinHandle;

use crate::{Error, Namespace};

/// A connection that has other addresses behind a firewall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// Who opened it, and where to.
    pub before: (SocketAddrV4, SocketAddrV4),
    /// Who seems to have opened it, and where it arrives.
    pub after: (SocketAddrV4, SocketAddrV4),
}

/// Hands on every new translation in a namespace, until the task is aborted.
pub(crate) async fn watch(
    namespace: &Namespace,
    sink: impl Fn(Translation) + Send + 'static,
) -> Result<JoinHandle<()>, Error> {
    let failed = |source| Error::netlink("watching the firewall's new connections", source);
    let connection = Connection::<Netfilter>::new_in(namespace.as_fd()).map_err(failed)?;
    connection.subscribe(&[ConntrackGroup::New]).map_err(failed)?;
    let mut events = connection.into_events().await;
    Ok(tokio::spawn(async move {
        while let Some(event) = poll_fn(|context| Pin::new(&mut events).poll_next(context)).await {
            let Ok(ConntrackEvent::New(entry)) = event else { continue };
            let Some((before, back)) = ends(&entry.orig).zip(ends(&entry.reply)) else { continue };
            let after = (back.1, back.0);
            if after != before {
                sink(Translation { before, after });
            }
        }
    }))
}

fn ends(tuple: &ConntrackTuple) -> Option<(SocketAddrV4, SocketAddrV4)> {
    let end = |ip: Option<IpAddr>, port: Option<u16>| match ip? {
        IpAddr::V4(ip) => Some(SocketAddrV4::new(ip, port?)),
        IpAddr::V6(_) => None,
    };
    Some((end(tuple.src_ip, tuple.src_port)?, end(tuple.dst_ip, tuple.dst_port)?))
}
