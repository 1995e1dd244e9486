//! Addresses in a configuration (manual, sections 4.2 `bind` and `server`, 11 "Address formats").

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

/// What a proxy listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindAddress {
    /// TCP ports.
    Tcp {
        /// The local address; the unspecified one (`0.0.0.0`, `::`) means any.
        address: IpAddr,
        /// The ports.
        ports: RangeInclusive<u16>,
    },
    /// Something else, as written: a Unix socket, an inherited descriptor, a host's name.
    Other(String),
}

impl BindAddress {
    /// Reads one element of `bind`'s first argument; `None` if it has no port.
    pub(super) fn parse(text: &str) -> Option<BindAddress> {
        if text.starts_with('/') || text.contains('@') && !text.starts_with("ipv") {
            return Some(BindAddress::Other(text.to_owned()));
        }
        let text = text.strip_prefix("ipv4@").or_else(|| text.strip_prefix("ipv6@")).unwrap_or(text);
        let (host, ports) = text.rsplit_once(':')?;
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let ports = first.parse().ok()?..=last.parse().ok()?;
        match host_address(host) {
            Some(address) => Some(BindAddress::Tcp { address, ports }),
            None => Some(BindAddress::Other(text.to_owned())),
        }
    }
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress {
    /// Its address or name, as written, without the port.
    pub host: String,
    /// Its port; `None` means the port that the client connected to, as does an offset (`+1`).
    pub port: Option<u16>,
}

impl ServerAddress {
    /// Reads `host[:port]`; `None` if the port is not one.
    pub(super) fn parse(text: &str) -> Option<ServerAddress> {
        let text = text.strip_prefix("ipv4@").or_else(|| text.strip_prefix("ipv6@")).unwrap_or(text);
        let Some((host, port)) = text.rsplit_once(':').filter(|(host, _)| !text.starts_with('/') && !host.is_empty())
        else {
            return Some(ServerAddress { host: text.to_owned(), port: None });
        };
        let port = if port.is_empty() || port.starts_with(['+', '-']) { None } else { Some(port.parse().ok()?) };
        Some(ServerAddress { host: host.trim_matches(['[', ']']).to_owned(), port })
    }

    /// The address, if it is not a name.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

/// An address without its port; an empty one and `*` are any IPv4 address, as HAProxy has it.
fn host_address(host: &str) -> Option<IpAddr> {
    match host {
        "" | "*" => Some(Ipv4Addr::UNSPECIFIED.into()),
        "::" | "[::]" => Some(Ipv6Addr::UNSPECIFIED.into()),
        _ => host.trim_matches(['[', ']']).parse().ok(),
    }
}
