//! The names, indices and MAC addresses of a wire's four interfaces, all derived from the plan.
//!
//! Interface indices are chosen and not taken as they come, so that a port is the same port after a reboot of its node,
//! for the capture as for the redirects.

/// The index of the loopback interface in every namespace.
pub(crate) const LOOPBACK: u32 = 1;

/// The first index of our own. A new namespace has more than a loopback where the kernel has tunnels: `sit0`, `tunl0`, `gre0`
/// come by themselves and take the first free indices (net.core.fb_tunnels_only_for_init_net, ip-link(8)).
const FIRST: u32 = 1000;

/// A MAC address.
pub(crate) type Mac = [u8; 6];

/// One end of one wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// The wire's index in the plan.
    pub wire: usize,
    /// 0 or 1, as in the wire's `ends`.
    pub end: usize,
}

impl End {
    /// The end that the interface with this index in the fabric is the port of.
    pub(crate) fn of_port(index: usize) -> Option<Self> {
        let port = index.checked_sub(FIRST as usize)?;
        Some(Self { wire: port / 2, end: port % 2 })
    }

    /// The other end of the same wire.
    pub(crate) fn opposite(self) -> Self {
        Self { end: 1 - self.end, ..self }
    }

    /// The index of this end's port in the fabric.
    pub(crate) fn port(self) -> u32 {
        FIRST + u32::from(self.wire16()) * 2 + u32::from(self.end == 1)
    }

    /// The name of this end's port in the fabric: `w0a`, `w0b`.
    pub(crate) fn port_name(self) -> String {
        format!("w{}{}", self.wire, if self.end == 0 { 'a' } else { 'b' })
    }

    /// The MAC address of this end's port in the fabric. No frame bears it; it differs from every node's, so that the
    /// fabric's own stack takes no frame for its own.
    pub(crate) fn port_mac(self) -> Mac {
        let [high, low] = self.wire16().to_be_bytes();
        [0x06, 0, high, low, 0, u8::from(self.end == 1)]
    }

    /// The MAC address of this end's interface at `node`: locally administered (IEEE 802, the bit of value 2), and the
    /// same after each reboot.
    pub(crate) fn node_mac(self, node: usize) -> Mac {
        let [wire_high, wire_low] = self.wire16().to_be_bytes();
        let [node_high, node_low] = u16::try_from(node).unwrap_or(u16::MAX).to_be_bytes();
        [0x02, 0, node_high, node_low, wire_high, wire_low]
    }

    /// A checked plan has no more wires than this can count.
    fn wire16(self) -> u16 {
        u16::try_from(self.wire).unwrap_or(u16::MAX)
    }
}

/// The index of a node's interface, by its place among the node's wires.
pub(crate) fn interface(place: usize) -> u32 {
    FIRST + u32::try_from(place).unwrap_or(u32::MAX - FIRST)
}

/// The name of a node's interface, by its place among the node's wires.
pub(crate) fn interface_name(place: usize) -> String {
    format!("eth{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_found_again_by_its_index() {
        for wire in [0, 1, 7, 40_000] {
            for end in [0, 1] {
                let end = End { wire, end };
                assert_eq!(End::of_port(end.port() as usize), Some(end));
            }
        }
    }

    #[test]
    fn the_loopback_is_no_port() {
        assert_eq!(End::of_port(LOOPBACK as usize), None);
    }
}
