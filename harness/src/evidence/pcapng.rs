//! A writer of pcapng, the capture format that Wireshark reads and that can hold several interfaces and comments
//! (draft-ietf-opsawg-pcapng).
//!
//! Every port of the fabric is an interface. A frame that a node sent comes *in* at its port, a frame that is delivered to
//! a node goes *out* at its port, so a frame that was lost on the way is there once.

use std::io::{self, Write};

/// Ethernet (`LINKTYPE_ETHERNET`).
const ETHERNET: u16 = 1;
/// Packets are never cut.
const NO_LIMIT: u32 = 0;
/// Times are counted in 10^-9 s.
const NANOSECONDS: u8 = 9;

const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const BYTE_ORDER_MAGIC: u32 = 0x1A2B_3C4D;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;

const OPT_END: u16 = 0;
const OPT_COMMENT: u16 = 1;
const SHB_HARDWARE: u16 = 2;
const SHB_OS: u16 = 3;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_DESCRIPTION: u16 = 3;
const IF_TSRESOL: u16 = 9;
const EPB_FLAGS: u16 = 2;

/// What a capture says about where it came from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The machine's hardware (`x86_64`).
    pub hardware: &'a str,
    /// The operating system (`Linux 6.18`).
    pub os: &'a str,
    /// The program that wrote it.
    pub application: &'a str,
}

/// An interface of a capture, as [`PcapngWriter::interface`] gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interface(u32);

/// Which way a frame crossed its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crossing {
    /// Sent by the node at the port.
    Inbound,
    /// Delivered to the node at the port.
    Outbound,
}

/// One frame at one port.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// The port.
    pub interface: Interface,
    /// When, in nanoseconds since 1970-01-01 UTC.
    pub time: u64,
    /// Which way.
    pub crossing: Crossing,
    /// The whole frame, from the destination's MAC on.
    pub frame: &'a [u8],
    /// What is to be said about it.
    pub comment: Option<&'a str>,
}

/// Writes one section of pcapng.
#[derive(Debug)]
pub struct PcapngWriter<W> {
    output: W,
    interfaces: u32,
}

impl<W: Write> PcapngWriter<W> {
    /// Starts a capture with its section header.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub fn new(output: W, origin: Origin<'_>) -> io::Result<PcapngWriter<W>> {
        let mut body = Vec::new();
        body.extend(BYTE_ORDER_MAGIC.to_le_bytes());
        let version: [u16; 2] = [1, 0];
        body.extend(version.iter().flat_map(|number| number.to_le_bytes()));
        let length_unknown: i64 = -1;
        body.extend(length_unknown.to_le_bytes());
        option(&mut body, SHB_HARDWARE, origin.hardware.as_bytes());
        option(&mut body, SHB_OS, origin.os.as_bytes());
        option(&mut body, SHB_USERAPPL, origin.application.as_bytes());
        option(&mut body, OPT_END, &[]);
        let mut writer = PcapngWriter { output, interfaces: 0 };
        writer.block(SECTION_HEADER, &body)?;
        Ok(writer)
    }

    /// Describes an interface; it must be there before its packets are. The name is short (`client-lb@client`), the
    /// description may be a sentence.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub fn interface(&mut self, name: &str, description: &str) -> io::Result<Interface> {
        let mut body = Vec::new();
        body.extend(ETHERNET.to_le_bytes());
        body.extend(0_u16.to_le_bytes());
        body.extend(NO_LIMIT.to_le_bytes());
        option(&mut body, IF_NAME, name.as_bytes());
        option(&mut body, IF_DESCRIPTION, description.as_bytes());
        option(&mut body, IF_TSRESOL, &[NANOSECONDS]);
        option(&mut body, OPT_END, &[]);
        self.block(INTERFACE_DESCRIPTION, &body)?;
        let interface = Interface(self.interfaces);
        self.interfaces += 1;
        Ok(interface)
    }

    /// Adds a packet. They should come in the order of time.
    ///
    /// # Errors
    /// If the output cannot be written, or the frame is longer than a block can be.
    pub fn packet(&mut self, packet: Packet<'_>) -> io::Result<()> {
        let length = u32::try_from(packet.frame.len()).map_err(io::Error::other)?;
        let [low, high] = halves(packet.time);
        let mut body = Vec::with_capacity(packet.frame.len() + 64);
        for field in [packet.interface.0, high, low, length, length] {
            body.extend(field.to_le_bytes());
        }
        padded(&mut body, packet.frame);
        let direction: u32 = match packet.crossing {
            Crossing::Inbound => 1,
            Crossing::Outbound => 2,
        };
        option(&mut body, EPB_FLAGS, &direction.to_le_bytes());
        if let Some(comment) = packet.comment {
            option(&mut body, OPT_COMMENT, comment.as_bytes());
        }
        option(&mut body, OPT_END, &[]);
        self.block(ENHANCED_PACKET, &body)
    }

    /// Writes out what is buffered and gives the output back.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.output.flush()?;
        Ok(self.output)
    }

    /// A block has its length at both of its ends.
    fn block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len() + 12).map_err(io::Error::other)?.to_le_bytes();
        self.output.write_all(&kind.to_le_bytes())?;
        self.output.write_all(&length)?;
        self.output.write_all(body)?;
        self.output.write_all(&length)
    }
}

/// Adds an option: its code, its length without padding, its value. A value that is too long for one is cut off.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(usize::from(u16::MAX - 3))];
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    body.extend(code.to_le_bytes());
    body.extend(length.to_le_bytes());
    padded(body, value);
}

/// Adds bytes, and zeroes up to a multiple of four.
fn padded(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend(bytes);
    body.extend(std::iter::repeat_n(0, bytes.len().next_multiple_of(4) - bytes.len()));
}

/// The low and the high half of a number.
fn halves(number: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = number.to_le_bytes();
    [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const ORIGIN: Origin<'_> = Origin { hardware: "x86_64", os: "Linux 6.18", application: "whyclosed" };
    /// An ARP request, 42 bytes: no multiple of four.
    const FRAME: [u8; 42] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0,
        1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2,
    ];

    /// A capture of two ports: one frame sent at the first, delivered at the second 5 ms later.
    fn capture() -> Vec<u8> {
        let mut writer = PcapngWriter::new(Vec::new(), ORIGIN).unwrap();
        let client = writer.interface("client-lb@client", "wire client-lb at node client").unwrap();
        let lb = writer.interface("client-lb@lb", "wire client-lb at node lb").unwrap();
        let sent = Packet {
            interface: client,
            time: 1_795_415_744_625_538_001,
            crossing: Crossing::Inbound,
            frame: &FRAME,
            comment: None,
        };
        writer.packet(sent).unwrap();
        let delivered = Packet {
            interface: lb,
            time: sent.time + 5_000_000,
            crossing: Crossing::Outbound,
            comment: Some("closes: proxy-timeout-client"),
            ..sent
        };
        writer.packet(delivered).unwrap();
        writer.finish().unwrap()
    }

    /// What a program of Wireshark's says about the capture, or nothing if it is not installed.
    fn wireshark(program: &str, before: &[&str], after: &[&str], name: &str) -> Option<String> {
        let file = std::env::temp_dir().join(format!("whyclosed-pcapng-{name}-{}.pcapng", std::process::id()));
        std::fs::write(&file, capture()).unwrap();
        let output = Command::new(program).args(before).arg(&file).args(after).output();
        std::fs::remove_file(&file).unwrap();
        let Ok(output) = output else {
            eprintln!("not tested: {program} is not installed");
            return None;
        };
        let complaints: Vec<_> = std::str::from_utf8(&output.stderr)
            .unwrap()
            .lines()
            .filter(|line| !line.starts_with("Running as user"))
            .collect();
        assert!(output.status.success() && complaints.is_empty(), "{complaints:?}");
        Some(String::from_utf8(output.stdout).unwrap())
    }

    #[test]
    fn tshark_reads_time_port_direction_and_comment() {
        let fields = [
            "frame.time_epoch",
            "frame.interface_name",
            "frame.packet_flags_direction",
            "frame.len",
            "frame.comment",
            "_ws.malformed",
        ];
        let after: Vec<&str> =
            ["-T", "fields"].into_iter().chain(fields.iter().flat_map(|field| ["-e", *field])).collect();
        let Some(text) = wireshark("tshark", &["-r"], &after, "tshark") else { return };
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
        assert_eq!(lines[0][1..], ["client-lb@client", "0x00000001", "42", "", ""]);
        assert_eq!(lines[1][1..], ["client-lb@lb", "0x00000002", "42", "closes: proxy-timeout-client", ""]);
        assert!(lines[0][0].ends_with("625538001") && lines[1][0].ends_with("630538001"), "{text}");
    }

    #[test]
    fn capinfos_reads_origin_and_interfaces() {
        let Some(text) = wireshark("capinfos", &[], &[], "capinfos") else { return };
        for part in [
            "Linux 6.18",
            "x86_64",
            "whyclosed",
            "Name = client-lb@lb",
            "Number of interfaces in file: 2",
            "Time precision = nanoseconds (9)",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn every_block_has_its_length_at_both_ends_and_is_a_multiple_of_four() {
        let capture = capture();
        let word = |at: usize| u32::from_le_bytes(capture[at..at + 4].try_into().unwrap());
        let (mut at, mut blocks) = (0, Vec::new());
        while at < capture.len() {
            let length = word(at + 4);
            assert_eq!(length % 4, 0);
            blocks.push(word(at));
            at += length as usize;
            assert_eq!(word(at - 4), length);
        }
        assert_eq!(
            blocks,
            [SECTION_HEADER, INTERFACE_DESCRIPTION, INTERFACE_DESCRIPTION, ENHANCED_PACKET, ENHANCED_PACKET]
        );
    }
}
