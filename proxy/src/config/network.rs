//! Networks that addresses are in.

use std::net::{IpAddr, Ipv4Addr};

/// An address, of which some bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Both as an IPv6 address has them; an IPv4 address is a mapped one (RFC 4291, 2.5.5.2).
    address: u128,
    mask: u128,
}

impl Network {
    /// Reads `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `fe80::/10`, or an address alone.
    pub(super) fn parse(text: &str) -> Option<Network> {
        let (address, mask) = text.split_once('/').map_or((text, None), |(address, mask)| (address, Some(mask)));
        let address: IpAddr = address.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let mask = match mask {
            None => u128::MAX,
            Some(dotted) if address.is_ipv4() && dotted.contains('.') => {
                let mask: Ipv4Addr = dotted.parse().ok()?;
                u128::MAX << 32 | u128::from(mask.to_bits())
            }
            Some(length) => {
                let length: u32 = length.parse().ok().filter(|length| *length <= bits)?;
                u128::MAX.checked_shl(bits - length).unwrap_or(0)
            }
        };
        Some(Network { address: bits_of(address), mask })
    }

    /// Whether an address is in it.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        (bits_of(ip) ^ self.address) & self.mask == 0
    }
}

fn bits_of(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
    .to_bits()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn contains(network: &str, ip: &str) -> bool {
        Network::parse(network).unwrap().contains(ip.parse().unwrap())
    }

    #[test]
    fn an_address_is_in_the_network_whose_bits_it_has() {
        assert!(contains("10.0.0.0/8", "10.255.1.2") && !contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("10.1.0.0/255.255.0.0", "10.1.9.9") && !contains("10.1.0.0/255.255.0.0", "10.2.0.1"));
        assert!(contains("10.0.0.1", "10.0.0.1") && !contains("10.0.0.1", "10.0.0.2"));
        assert!(contains("0.0.0.0/0", "192.0.2.1") && !contains("0.0.0.0/0", "2001:db8::1"));
        assert!(contains("fe80::/10", "febf::1") && !contains("fe80::/10", "fec0::1"));
        assert!(contains("::/0", "192.0.2.1"));
    }

    #[test]
    fn an_ipv4_address_that_came_over_ipv6_is_the_same_address() {
        assert!(contains("192.0.2.0/24", "::ffff:192.0.2.7"));
    }

    #[test]
    fn what_is_no_network_is_none() {
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/x", "host", "::/255.0.0.0"] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_address_is_in_each_of_its_networks(bits: u32, length in 0..=32u32) {
            let ip = Ipv4Addr::from_bits(bits);
            let network = format!("{ip}/{length}");
            prop_assert!(contains(&network, &ip.to_string()));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = Network::parse(&text);
        }
    }
}
