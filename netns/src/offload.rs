//! Offloads of interfaces, off (ethtool(8), netdev-features.rst): with them on, "segments" of 64 kB without checksums
//! pass.

use std::os::fd::AsFd;

use nlink::netlink::{Connection, Ethtool};

use crate::{Error, Namespace};

/// The features that let a frame differ from what a real cable would carry, as the kernel names them
/// (`ETH_SS_FEATURES`).
const OFFLOADS: &[&str] = &[
    "tx-scatter-gather",
    "tx-scatter-gather-fraglist",
    "tx-checksum-ip-generic",
    "tx-checksum-sctp",
    "tx-tcp-segmentation",
    "tx-tcp-ecn-segmentation",
    "tx-tcp-mangleid-segmentation",
    "tx-tcp-accecn-segmentation",
    "tx-tcp6-segmentation",
    "tx-generic-segmentation",
    "tx-udp-segmentation",
    "tx-gso-list",
    "rx-checksum",
    "rx-gro",
    "rx-gro-list",
    "rx-udp-gro-forwarding",
];

/// Turns all offloads of some interfaces of a namespace off.
pub(crate) async fn turn_off(namespace: &Namespace, interfaces: &[String]) -> Result<(), Error> {
    let connection = connect(namespace).await?;
    for name in interfaces {
        let failed = |source| Error::netlink(format!("turning the offloads of interface `{name}` off"), source);
        let known = connection.get_features(name.as_str()).await.map_err(failed)?;
        connection
            .set_features(name.as_str(), |mut features| {
                for offload in OFFLOADS.iter().filter(|offload| known.is_active(offload)) {
                    features = features.disable(offload);
                }
                features
            })
            .await
            .map_err(failed)?;
    }
    Ok(())
}

/// The offloads that are on, one `interface: feature` each.
pub(crate) async fn still_on(namespace: &Namespace, interfaces: &[String]) -> Result<Vec<String>, Error> {
    let connection = connect(namespace).await?;
    let mut on = Vec::new();
    for name in interfaces {
        let features = connection
            .get_features(name.as_str())
            .await
            .map_err(|source| Error::netlink(format!("reading the offloads of interface `{name}`"), source))?;
        on.extend(
            OFFLOADS.iter().filter(|offload| features.is_active(offload)).map(|offload| format!("{name}: {offload}")),
        );
    }
    Ok(on)
}

async fn connect(namespace: &Namespace) -> Result<Connection<Ethtool>, Error> {
    Connection::<Ethtool>::new_in_async(namespace.as_fd())
        .await
        .map_err(|source| Error::netlink("reaching ethtool in a network namespace", source))
}
