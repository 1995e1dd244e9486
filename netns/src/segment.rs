//! TCP segments in captured frames (RFC 791, RFC 9293).

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

/// Length of an Ethernet header without tags.
const ETHERNET: usize = 14;
/// EtherType of IPv4.
const IPV4: u16 = 0x0800;
/// IP protocol number of TCP.
const TCP: u8 = 6;

/// The control bits of a segment (RFC 9293, 3.1), and ECE and CWR (RFC 3168).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronize sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement number counts.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer counts.
    pub const URG: Self = Self(0x20);

    /// Whether all bits of `other` are set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Flags {
    /// The names of the bits that are set, as `SYN,ACK`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 8] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
        let set = NAMES.iter().enumerate().filter(|(bit, _)| self.0 >> bit & 1 == 1);
        f.write_str(&set.map(|(_, name)| *name).collect::<Vec<_>>().join(","))
    }
}

/// A TCP segment over IPv4, read from a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Who sent it.
    pub from: SocketAddrV4,
    /// To whom.
    pub to: SocketAddrV4,
    /// Its control bits.
    pub flags: Flags,
    /// Sequence number of its first byte.
    pub seq: u32,
    /// The next byte that its sender expects; counts with [`Flags::ACK`].
    pub ack: u32,
    /// Its window as written, not scaled.
    pub window: u16,
    /// Its data.
    pub payload: &'a [u8],
    /// Length of the whole frame in bytes, with its Ethernet header.
    pub frame_len: usize,
}

impl<'a> Segment<'a> {
    /// Reads the segment in an Ethernet frame; none if it holds something else, a later fragment of a packet, or if it
    /// is cut short. Checksums are not looked at.
    pub fn parse(frame: &'a [u8]) -> Option<Self> {
        let (ethernet, packet) = frame.split_at_checked(ETHERNET)?;
        if be16(ethernet, 12)? != IPV4 {
            return None;
        }
        let (version_and_length, &protocol) = (packet.first()?, packet.get(9)?);
        let fragment_offset = be16(packet, 6)? & 0x1FFF;
        if version_and_length >> 4 != 4 || protocol != TCP || fragment_offset != 0 {
            return None;
        }
        let header_length = usize::from(version_and_length & 0x0F) * 4;
        let total_length = usize::from(be16(packet, 2)?);
        // Ethernet pads short packets, so the IP header says where the segment ends.
        let segment = packet.get(header_length.max(20)..total_length)?;
        let data_offset = usize::from(segment.get(12)? >> 4) * 4;
        Some(Self {
            from: SocketAddrV4::new(address(packet, 12)?, be16(segment, 0)?),
            to: SocketAddrV4::new(address(packet, 16)?, be16(segment, 2)?),
            flags: Flags(*segment.get(13)?),
            seq: be32(segment, 4)?,
            ack: be32(segment, 8)?,
            window: be16(segment, 14)?,
            payload: segment.get(data_offset.max(20)..)?,
            frame_len: frame.len(),
        })
    }
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn address(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    be32(bytes, at).map(Ipv4Addr::from_bits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 10.0.0.1:4369 to 10.0.0.2:5672, PSH and ACK, `hi`, padded to 60 bytes as Ethernet does.
    fn frame() -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend([0x08, 0x00]);
        frame.extend([0x45, 0, 0, 42, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend([0x11, 0x11, 0x16, 0x28, 0, 0, 0, 7, 0, 0, 0, 9, 0x50, 0x18, 1, 2, 0, 0, 0, 0]);
        frame.extend(b"hi");
        frame.resize(60, 0);
        frame
    }

    #[test]
    fn a_segment_is_read_without_the_padding() {
        let frame = frame();
        let segment = Segment::parse(&frame).unwrap();
        let expected = Segment {
            from: "10.0.0.1:4369".parse().unwrap(),
            to: "10.0.0.2:5672".parse().unwrap(),
            flags: Flags(Flags::PSH.0 | Flags::ACK.0),
            seq: 7,
            ack: 9,
            window: 0x0102,
            payload: b"hi",
            frame_len: 60,
        };
        assert_eq!(segment, expected);
    }

    #[test]
    fn a_frame_cut_short_is_no_segment() {
        let frame = frame();
        for length in 0..56 {
            assert_eq!(Segment::parse(&frame[..length]), None, "of {length} bytes");
        }
    }

    #[test]
    fn a_later_fragment_is_no_segment() {
        let mut frame = frame();
        frame[ETHERNET + 7] = 1;
        assert_eq!(Segment::parse(&frame), None);
    }

    #[test]
    fn flags_are_shown_by_name() {
        assert_eq!(Flags(Flags::SYN.0 | Flags::ACK.0).to_string(), "SYN,ACK");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Segment::parse(&bytes);
        }

        #[test]
        fn no_change_of_a_segment_makes_the_parser_panic(at in 0..60_usize, byte: u8, length in 0..=60_usize) {
            let mut frame = frame();
            frame[at] = byte;
            let _ = Segment::parse(&frame[..length]);
        }
    }
}
