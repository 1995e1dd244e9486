//! TCP as evidence has it: addresses, states, segments.

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

/// The two ends of a connection as one of its endpoints sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pair {
    /// The endpoint's own address and port.
    pub local: SocketAddrV4,
    /// Its peer's.
    pub remote: SocketAddrV4,
}

impl Pair {
    /// The same connection as the peer sees it.
    #[must_use]
    pub fn flipped(self) -> Pair {
        Pair { local: self.remote, remote: self.local }
    }
}

/// TCP's states (RFC 9293 §3.3.2), with the names of the kernel's tracepoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
#[expect(missing_docs, reason = "the names are RFC 9293's")]
pub enum TcpState {
    Established,
    SynSent,
    #[serde(rename = "SYN-RECEIVED")]
    SynRecv,
    #[serde(rename = "FIN-WAIT-1")]
    FinWait1,
    #[serde(rename = "FIN-WAIT-2")]
    FinWait2,
    TimeWait,
    Close,
    CloseWait,
    LastAck,
    Listen,
    Closing,
    NewSynRecv,
}

/// In whose time the kernel did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Context {
    /// In a system call of this process (or at its exit).
    Process {
        /// Its command name (`comm`).
        comm: String,
        /// Its pid in the initial PID namespace.
        pid: i32,
    },
    /// In a timer or while a packet was received: whoever ran on that processor had no part in it.
    Softirq,
}

/// Which half of a wire's way a segment was seen at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Point {
    /// The node put it on the wire.
    Sent,
    /// The wire gave it to the node.
    Delivered,
}

/// TCP header flags of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Flags(pub u8);

impl Flags {
    const LETTERS: [(u8, char); 8] =
        [(0x01, 'F'), (0x02, 'S'), (0x04, 'R'), (0x08, 'P'), (0x10, 'A'), (0x20, 'U'), (0x40, 'E'), (0x80, 'C')];

    /// FIN is set.
    #[must_use]
    pub fn fin(self) -> bool {
        self.0 & 0x01 != 0
    }
    /// SYN is set.
    #[must_use]
    pub fn syn(self) -> bool {
        self.0 & 0x02 != 0
    }
    /// RST is set.
    #[must_use]
    pub fn rst(self) -> bool {
        self.0 & 0x04 != 0
    }
    /// ACK is set.
    #[must_use]
    pub fn ack(self) -> bool {
        self.0 & 0x10 != 0
    }
}

impl From<Flags> for String {
    fn from(flags: Flags) -> String {
        Flags::LETTERS.iter().filter(|(bit, _)| flags.0 & bit != 0).map(|(_, letter)| letter).collect()
    }
}

impl TryFrom<String> for Flags {
    type Error = String;

    fn try_from(text: String) -> Result<Flags, String> {
        text.chars().try_fold(Flags(0), |flags, letter| {
            Flags::LETTERS
                .iter()
                .find(|(_, known)| *known == letter)
                .map(|(bit, _)| Flags(flags.0 | bit))
                .ok_or_else(|| format!("`{letter}` is no TCP flag"))
        })
    }
}

/// One TCP segment at one end of a wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "header fields of RFC 9293 §3.1")]
pub struct Segment {
    /// The wire's name.
    pub wire: String,
    /// The node at the end where it was seen.
    pub node: String,
    /// Sent by that node, or delivered to it.
    pub point: Point,
    pub from: SocketAddrV4,
    pub to: SocketAddrV4,
    pub flags: Flags,
    pub seq: u32,
    pub ack: u32,
    pub window: u16,
    /// Payload in bytes.
    pub payload: u32,
    /// The whole frame in bytes, link header included.
    pub frame: u32,
}
