//! The PROXY protocol: in the first bytes of a connection, a proxy says for whom it speaks (HAProxy's doc/proxy-protocol.txt).
//!
//! Headers are read as HAProxy reads them (`conn_recv_proxy`, src/connection.c), which is stricter than the specification in one
//! things: a header that does not come in one piece is refused, and one that names another family of addresses than these two.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The most bytes that a header is looked for in: `tune.bufsize` of HAProxy.
pub const LONGEST: usize = 16_384;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The length of what is before the addresses.
const FIXED: usize = 16;
const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// The two forms of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A line of text.
    One,
    /// Binary.
    Two,
}

impl Version {
    /// That of this number.
    #[must_use]
    pub fn numbered(number: u8) -> Option<Version> {
        match number {
            1 => Some(Version::One),
            2 => Some(Version::Two),
            _ => None,
        }
    }
}

/// For whom a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// For itself, or for somebody whose address cannot be told.
    Itself,
    /// For this client, which came to this address.
    For {
        /// The client's.
        source: SocketAddr,
        /// The one that it came to; of the same family.
        destination: SocketAddr,
    },
}

/// Why there is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The peer has sent FIN and nothing before it.
    Empty,
    /// The connection broke.
    Aborted,
    /// Nothing came in time.
    Late,
    /// It does not end.
    Truncated,
    /// It is something else.
    NoHeader,
    /// A part of it is not what it should be.
    Invalid,
    /// What follows the addresses is not what it should be; HAProxy believes these all the same.
    InvalidBehind(Header),
    /// It names a protocol that is neither TCP over IPv4 nor over IPv6.
    Unknown,
}

impl Problem {
    /// Whether the peer has sent nothing.
    #[must_use]
    pub fn sent_nothing(self) -> bool {
        matches!(self, Problem::Empty | Problem::Aborted | Problem::Late)
    }
}

impl fmt::Display for Problem {
    /// As HAProxy's log has it (`conn_err_code_str`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Problem::Empty => "Connection closed while waiting for PROXY protocol header",
            Problem::Aborted => "Connection error while waiting for PROXY protocol header",
            Problem::Late => "Timeout while waiting for PROXY protocol header",
            Problem::Truncated => "Truncated PROXY protocol header received",
            Problem::NoHeader => "Received something which does not look like a PROXY protocol header",
            Problem::Invalid | Problem::InvalidBehind(_) => "Received an invalid PROXY protocol header",
            Problem::Unknown => "Received an unhandled protocol in the PROXY protocol header",
        })
    }
}

/// Reads a header from the first bytes of a connection; says how many bytes it takes.
///
/// # Errors
/// When these bytes do not begin with a whole header.
pub fn read(bytes: &[u8]) -> Result<(Header, usize), Problem> {
    match bytes {
        [] => Err(Problem::Empty),
        _ if bytes.len() < 6 => Err(Problem::Truncated),
        [b'P', b'R', b'O', b'X', b'Y', b' ', line @ ..] => {
            let mut line = Text { rest: line };
            let header = line.header()?;
            Ok((header, bytes.len() - line.rest.len()))
        }
        _ => binary(bytes),
    }
}

/// Writes a header.
#[must_use]
pub fn write(version: Version, header: Header) -> Vec<u8> {
    match (version, header) {
        (Version::One, Header::Itself) => b"PROXY UNKNOWN\r\n".to_vec(),
        (Version::Two, Header::Itself) => [&SIGNATURE[..], &[LOCAL, 0, 0, 0]].concat(),
        (version, Header::For { source, destination }) => {
            let ports = [source.port(), destination.port()];
            match (version, source.ip(), destination.ip()) {
                (Version::One, IpAddr::V4(from), IpAddr::V4(to)) => text("TCP4", from, to, ports),
                (Version::One, from, to) => text("TCP6", mapped(from), mapped(to), ports),
                (Version::Two, IpAddr::V4(from), IpAddr::V4(to)) => {
                    addresses(TCP4, &from.octets(), &to.octets(), ports)
                }
                (Version::Two, from, to) => addresses(TCP6, &mapped(from).octets(), &mapped(to).octets(), ports),
            }
        }
    }
}

/// An address as IPv6 has it: where one of the two is of IPv6, both are written so.
fn mapped(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

fn text(protocol: &str, from: impl fmt::Display, to: impl fmt::Display, [source, destination]: [u16; 2]) -> Vec<u8> {
    format!("PROXY {protocol} {from} {to} {source} {destination}\r\n").into_bytes()
}

fn addresses(family: u8, from: &[u8], to: &[u8], [source, destination]: [u16; 2]) -> Vec<u8> {
    // At most 36.
    let length = (from.len() + to.len() + 4) as u16;
    let mut header = [&SIGNATURE[..], &[PROXY, family], &length.to_be_bytes(), from, to].concat();
    header.extend(source.to_be_bytes());
    header.extend(destination.to_be_bytes());
    header
}

/// How the addresses of a protocol are read.
type ReadAddresses<'a> = fn(&mut Text<'a>) -> Result<Header, Problem>;

/// The line of version 1, behind its first word.
struct Text<'a> {
    rest: &'a [u8],
}

impl Text<'_> {
    fn header(&mut self) -> Result<Header, Problem> {
        if self.rest.len() < 3 {
            return Err(Problem::Truncated);
        }
        let protocols: [(&[u8], ReadAddresses<'_>); 3] = [
            (b"TCP4 ", |line| line.addresses::<Ipv4Addr>(|byte| byte.is_ascii_digit() || byte == b'.')),
            (b"TCP6 ", |line| line.addresses::<Ipv6Addr>(|byte| byte != b' ' && byte != b'\r')),
            (b"UNKNOWN\r\n", |_| Ok(Header::Itself)),
        ];
        for (word, read) in protocols {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return read(self);
            }
        }
        Err(Problem::Unknown)
    }

    fn addresses<A>(&mut self, belongs: fn(u8) -> bool) -> Result<Header, Problem>
    where
        A: std::str::FromStr + Into<IpAddr>,
    {
        let [source, destination] = [self.field::<A>(belongs, b" ")?, self.field::<A>(belongs, b" ")?];
        let from = self.field::<u16>(|byte| byte.is_ascii_digit(), b" ")?;
        let to = self.field::<u16>(|byte| byte.is_ascii_digit(), b"\r\n")?;
        Ok(Header::For { source: (source, from).into(), destination: (destination, to).into() })
    }

    /// A field, and what ends it.
    fn field<T: std::str::FromStr>(&mut self, belongs: impl Fn(u8) -> bool, end: &[u8]) -> Result<T, Problem> {
        let length = self.rest.iter().position(|byte| !belongs(*byte)).ok_or(Problem::Truncated)?;
        let (field, rest) = self.rest.split_at(length);
        if rest.len() < end.len() {
            return Err(Problem::Truncated);
        }
        self.rest = rest.strip_prefix(end).ok_or(Problem::Invalid)?;
        std::str::from_utf8(field).ok().and_then(|field| field.parse().ok()).ok_or(Problem::Invalid)
    }
}

/// A header of version 2.
fn binary(bytes: &[u8]) -> Result<(Header, usize), Problem> {
    let (fixed, behind) = bytes.split_first_chunk::<FIXED>().ok_or(Problem::Truncated)?;
    let [signature @ .., command, family, high, low] = fixed;
    if *signature != SIGNATURE || command & 0xf0 != LOCAL {
        return Err(Problem::NoHeader);
    }
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let total = FIXED + length;
    let behind = behind.get(..length).ok_or(Problem::Truncated)?;
    if *command == LOCAL {
        return Ok((Header::Itself, total));
    }
    if *command != PROXY {
        return Err(Problem::Invalid);
    }
    let (header, extensions) = match *family {
        TCP4 => pair::<4>(behind)?,
        TCP6 => pair::<16>(behind)?,
        // The specification has these taken for nobody's; HAProxy 2.6 looks for extensions from the first byte on, and finds none.
        _ => return Err(Problem::Invalid),
    };
    if is_sound(extensions, &bytes[..total]) { Ok((header, total)) } else { Err(Problem::InvalidBehind(header)) }
}

/// Two addresses of `N` bytes and two ports, and what is behind them.
fn pair<const N: usize>(bytes: &[u8]) -> Result<(Header, &[u8]), Problem>
where
    IpAddr: From<[u8; N]>,
{
    let (source, rest) = bytes.split_first_chunk::<N>().ok_or(Problem::Invalid)?;
    let (destination, rest) = rest.split_first_chunk::<N>().ok_or(Problem::Invalid)?;
    let ([a, b, c, d], rest) = rest.split_first_chunk::<4>().ok_or(Problem::Invalid)?;
    let end = |ip: [u8; N], port: [u8; 2]| SocketAddr::new(ip.into(), u16::from_be_bytes(port));
    Ok((Header::For { source: end(*source, [*a, *b]), destination: end(*destination, [*c, *d]) }, rest))
}

/// What may follow the addresses: a type, a length, a value, again and again. Only a checksum says anything about the header itself.
fn is_sound(mut extensions: &[u8], header: &[u8]) -> bool {
    const CHECKSUM: u8 = 0x03;
    const AUTHORITY: u8 = 0x02;
    const UNIQUE_ID: u8 = 0x05;
    while !extensions.is_empty() {
        let Some(([kind, high, low], rest)) = extensions.split_first_chunk::<3>() else { return false };
        let Some((value, rest)) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low]))) else {
            return false;
        };
        let fits = match *kind {
            CHECKSUM => {
                // It is made with zeros in its own place.
                let at = header.len() - rest.len() - value.len();
                let bytes = header
                    .iter()
                    .enumerate()
                    .map(|(place, byte)| if (at..at + value.len()).contains(&place) { 0 } else { *byte });
                *value == crc32c(bytes).to_be_bytes()
            }
            AUTHORITY => value.len() <= 255,
            UNIQUE_ID => value.len() <= 128,
            _ => true,
        };
        if !fits {
            return false;
        }
        extensions = rest;
    }
    true
}

/// CRC32c (RFC 4960, appendix B).
fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    let shifted = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(byte), shifted))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn addresses() -> impl Strategy<Value = Header> {
        let v4 = any::<([u8; 4], [u8; 4])>().prop_map(|(a, b)| (IpAddr::from(a), IpAddr::from(b)));
        let v6 = any::<([u8; 16], [u8; 16])>().prop_map(|(a, b)| (IpAddr::from(a), IpAddr::from(b)));
        (prop_oneof![v4, v6], any::<[u16; 2]>()).prop_map(|((from, to), [source, destination])| Header::For {
            source: (from, source).into(),
            destination: (to, destination).into(),
        })
    }

    fn header() -> impl Strategy<Value = (Version, Header)> {
        let versions = prop::sample::select(vec![Version::One, Version::Two]);
        (versions, prop_oneof![1 => Just(Header::Itself), 9 => addresses()])
    }

    fn with_extension(kind: u8, value: &[u8]) -> Vec<u8> {
        let ends = Header::For { source: ([192, 0, 2, 1], 1).into(), destination: ([192, 0, 2, 2], 2).into() };
        let mut bytes = write(Version::Two, ends);
        bytes.push(kind);
        bytes.extend((value.len() as u16).to_be_bytes());
        bytes.extend(value);
        let length = (bytes.len() - FIXED) as u16;
        bytes[14..16].copy_from_slice(&length.to_be_bytes());
        bytes
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_whatever_follows((version, header) in header(), more: Vec<u8>) {
            let mut bytes = write(version, header);
            let length = bytes.len();
            bytes.extend(more);
            prop_assert_eq!(read(&bytes), Ok((header, length)));
        }

        #[test]
        fn a_header_that_is_cut_anywhere_is_none((version, header) in header(), at: prop::sample::Index) {
            let bytes = write(version, header);
            prop_assert!(read(&bytes[..at.index(bytes.len())]).is_err());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }

        #[test]
        fn no_damage_to_a_header_makes_it_panic_or_read_too_far((version, header) in header(), at: prop::sample::Index, with: u8) {
            let mut bytes = write(version, header);
            let at = at.index(bytes.len());
            bytes[at] = with;
            if let Ok((_, length)) = read(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }

        #[test]
        fn no_extensions_make_it_panic(kind: u8, value: Vec<u8>, length: u16) {
            let mut bytes = with_extension(kind, &value);
            let at = bytes.len() - value.len();
            bytes[at - 2..at].copy_from_slice(&length.to_be_bytes());
            let _ = read(&bytes);
        }
    }

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32c(b"123456789".iter().copied()), 0xe306_9283);
    }

    #[test]
    fn a_header_with_a_wrong_checksum_is_refused_and_one_with_the_right_one_is_not() {
        let mut bytes = with_extension(3, &[0; 4]);
        let sum = crc32c(bytes.iter().copied()).to_be_bytes();
        assert!(matches!(read(&bytes), Err(Problem::InvalidBehind(_))));
        let at = bytes.len() - 4;
        bytes[at..].copy_from_slice(&sum);
        assert!(read(&bytes).is_ok());
    }

    #[test]
    fn a_header_may_come_with_extensions_that_nobody_knows() {
        let bytes = with_extension(0xe0, b"anything");
        assert_eq!(read(&bytes).map(|(_, length)| length), Ok(bytes.len()));
    }

    #[test]
    fn each_mistake_has_its_name() {
        for (bytes, problem) in [
            (&b""[..], Problem::Empty),
            (b"PROX", Problem::Truncated),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2", Problem::Truncated),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r", Problem::Truncated),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 x\r\n", Problem::Invalid),
            (b"PROXY TCP4 192.0.2.1 nowhere 1 2\r\n", Problem::Invalid),
            (b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", Problem::Invalid),
            (b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", Problem::Unknown),
            (b"GET / HTTP/1.0\r\n\r\n", Problem::NoHeader),
            (b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0", Problem::NoHeader),
            (b"\r\n\r\n\0\r\nQUIT\n\x22\x11\0\0", Problem::Invalid),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\0", Problem::Invalid),
        ] {
            assert_eq!(read(bytes), Err(problem), "{}", bytes.escape_ascii());
        }
    }
}
