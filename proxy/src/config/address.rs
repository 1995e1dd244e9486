//! Addresses in a configuration (manual, sections 4.2 `bind` and `server`, 11 "Address formats").

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::arguments::Arguments;

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
    /// A stream socket in the file system.
    Unix(PathBuf),
    /// Something else, as written: an inherited descriptor, an abstract socket, a host's name.
    Other(String),
}

impl BindAddress {
    /// Reads one element of `bind`'s first argument; `None` if it has no port, or one that is none.
    pub(super) fn parse(text: &str) -> Option<BindAddress> {
        if let Some(path) = text.strip_prefix("unix@").or_else(|| text.strip_prefix("uxst@")) {
            return Some(BindAddress::Unix(path.into()));
        }
        if text.starts_with('/') {
            return Some(BindAddress::Unix(text.into()));
        }
        let plain = without_family(text);
        if plain.contains('@') {
            return Some(BindAddress::Other(text.to_owned()));
        }
        let (host, ports) = plain.rsplit_once(':')?;
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        if first == 0 || first > last {
            return None;
        }
        match host_address(host) {
            Some(address) => Some(BindAddress::Tcp { address, ports: first..=last }),
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
        let text = without_family(text);
        let Some((host, port)) = text.rsplit_once(':').filter(|(host, _)| !text.starts_with('/') && !host.is_empty())
        else {
            return Some(ServerAddress { host: text.trim_matches(['[', ']']).to_owned(), port: None });
        };
        if port.contains(']') {
            return Some(ServerAddress { host: text.trim_matches(['[', ']']).to_owned(), port: None });
        }
        let port = if port.is_empty() || port.starts_with(['+', '-']) { None } else { Some(port.parse().ok()?) };
        Some(ServerAddress { host: host.trim_matches(['[', ']']).to_owned(), port })
    }

    /// Whether it is a host and no Unix socket, descriptor or the like.
    pub(super) fn is_tcp(text: &str) -> bool {
        let text = without_family(text);
        !text.starts_with('/') && !text.contains('@')
    }

    /// The address, if it is not a name.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

/// What connections to servers come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The address; an unspecified one means that the system chooses.
    pub address: IpAddr,
    /// The ports; `None` means that the system chooses.
    pub ports: Option<RangeInclusive<u16>>,
    /// The only network interface that they go out by (SO_BINDTODEVICE).
    pub interface: Option<String>,
}

impl Source {
    /// Reads `<address>[:<port>[-<port>]] [interface <name>]`; the manual's `usesrc` is refused.
    pub(super) fn read(arguments: &mut Arguments<'_>) -> Option<Source> {
        let word = arguments.required("an address")?;
        let text = without_family(&word.text);
        let (host, ports) = match text.rsplit_once(':') {
            Some((host, ports)) if !ports.contains(']') => (host, ports),
            _ => (text, ""),
        };
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let ports = match (first.parse(), last.parse()) {
            (Ok(first), Ok(last)) if first != 0 && first <= last => Some(first..=last),
            _ => None,
        };
        let mut source = host_address(host).map(|address| Source { address, ports, interface: None });
        if source.is_none()
            || source.as_ref().is_some_and(|source| source.ports.is_none() && !matches!(first, "" | "0"))
        {
            arguments.malformed(word, format!("`{}` is no source: expected address[:port[-port]]", word.text));
            source = None;
        }
        loop {
            if let Some(usesrc) = arguments.take("usesrc") {
                arguments
                    .unsupported(usesrc, "`usesrc` is not implemented: connections come from this host's addresses");
                arguments.next();
            } else if arguments.take("interface").is_some() {
                let interface = arguments.text("an interface");
                if let Some(source) = &mut source {
                    source.interface = interface;
                }
            } else {
                return source;
            }
        }
    }
}

/// What is behind a prefix that says nothing but that it is IP and TCP.
fn without_family(text: &str) -> &str {
    let text = text.strip_prefix("stream+").unwrap_or(text);
    ["ip@", "ipv4@", "ipv6@", "tcp@", "tcp4@", "tcp6@"]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))
        .unwrap_or(text)
}

/// An address without its port; an empty one and `*` are any IPv4 address, as HAProxy has it.
fn host_address(host: &str) -> Option<IpAddr> {
    match host {
        "" | "*" => Some(Ipv4Addr::UNSPECIFIED.into()),
        "::" | "[::]" => Some(Ipv6Addr::UNSPECIFIED.into()),
        _ => host.trim_matches(['[', ']']).parse().ok(),
    }
}
