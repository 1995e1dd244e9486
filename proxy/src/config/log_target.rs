//! `log` lines: where log lines go (manual, sections 3.1 and 4.2 `log`).

use std::path::PathBuf;

use super::Position;
use super::arguments::Arguments;

/// Where log lines go, how they are written, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogTarget {
    /// Where to.
    pub address: LogAddress,
    /// A longer line is cut, in bytes: 1024 unless set.
    pub length: u16,
    /// What stands before the text.
    pub format: LogFormat,
    /// The syslog facility.
    pub facility: Facility,
    /// Lines of less importance than this are left out.
    pub level: Severity,
    /// Lines of more importance than this are sent as if they were of this one.
    pub min_level: Severity,
    /// Where it is.
    pub position: Position,
}

/// Where log lines are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogAddress {
    /// A syslog server, one line a datagram.
    Udp {
        /// Its address or name.
        host: String,
        /// Its port: 514 unless set.
        port: u16,
    },
    /// A datagram socket in the file system, `/dev/log` mostly.
    Unix(PathBuf),
    /// A descriptor that is open when the process starts (`fd@N`; `stdout` is 1, `stderr` is 2).
    Descriptor(i32),
}

/// What stands before a log line's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// `<priority>date tag[pid]: `, the way local syslog daemons take it.
    #[default]
    Local,
    /// `<priority>date host tag[pid]: `.
    Rfc3164,
    /// `<priority>1 date host tag pid - - `.
    Rfc5424,
    /// `<priority>` only.
    Priority,
    /// `<severity>` only, for systemd.
    Short,
    /// `<severity>` and an ISO date.
    Timed,
    /// An ISO date only.
    Iso,
    /// Nothing.
    Raw,
}

/// A syslog facility (RFC 5424, table 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facility(u8);

impl Facility {
    /// Its number, from 0 to 23.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

/// The importance of a log line (RFC 5424, table 2); the first is the most important.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Severity {
    Emergency,
    Alert,
    Critical,
    Error,
    Warning,
    Notice,
    Info,
    Debug,
}

impl Severity {
    /// Its number, from 0 to 7.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// By number.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "auth2", "ftp", "ntp", "audit",
    "alert", "cron2", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

const SEVERITIES: [(&str, Severity); 8] = [
    ("emerg", Severity::Emergency),
    ("alert", Severity::Alert),
    ("crit", Severity::Critical),
    ("err", Severity::Error),
    ("warning", Severity::Warning),
    ("notice", Severity::Notice),
    ("info", Severity::Info),
    ("debug", Severity::Debug),
];

const FORMATS: [(&str, LogFormat); 8] = [
    ("local", LogFormat::Local),
    ("rfc3164", LogFormat::Rfc3164),
    ("rfc5424", LogFormat::Rfc5424),
    ("priority", LogFormat::Priority),
    ("short", LogFormat::Short),
    ("timed", LogFormat::Timed),
    ("iso", LogFormat::Iso),
    ("raw", LogFormat::Raw),
];

const SYSLOG_PORT: u16 = 514;

impl LogTarget {
    /// Reads what stands behind `log`: `<address> [len <length>] [format <format>] <facility> [<level> [<minlevel>]]`.
    pub(super) fn read(arguments: &mut Arguments<'_>) -> Option<LogTarget> {
        let word = arguments.required("an address and a facility")?;
        let address = match LogAddress::parse(&word.text) {
            Ok(address) => Some(address),
            Err(Refused::Unsupported(why)) => {
                arguments.unsupported(word, format!("`{}` is not implemented: {why}", word.text));
                None
            }
            Err(Refused::Malformed(why)) => {
                arguments.malformed(word, format!("`{}` is no address of a log: {why}", word.text));
                None
            }
        };
        let mut length = 1024;
        if arguments.take("len").is_some() {
            // The range of the check is that of the type.
            length = arguments.number_in(80..=65_535).and_then(|length| u16::try_from(length).ok())?;
        }
        let format = if arguments.take("format").is_some() { arguments.one_of(&FORMATS)? } else { LogFormat::Local };
        if let Some(sample) = arguments.take("sample") {
            arguments.unsupported(sample, "`sample` is not implemented: every line is logged");
            arguments.next();
        }
        let numbers: Vec<(&str, u8)> = FACILITIES.into_iter().zip(0..).collect();
        let facility = Facility(arguments.one_of(&numbers)?);
        let level = if arguments.peek().is_some() { arguments.one_of(&SEVERITIES)? } else { Severity::Debug };
        let min_level = if arguments.peek().is_some() { arguments.one_of(&SEVERITIES)? } else { Severity::Emergency };
        let position = word.position.clone();
        Some(LogTarget { address: address?, length, format, facility, level, min_level, position })
    }
}

/// Why something is not an address of a log.
enum Refused {
    Unsupported(&'static str),
    Malformed(&'static str),
}

impl LogAddress {
    /// Reads `stdout`, `stderr`, `fd@N`, a path, or `host[:port]` (manual, section 11).
    fn parse(text: &str) -> Result<LogAddress, Refused> {
        match text {
            "stdout" => return Ok(LogAddress::Descriptor(1)),
            "stderr" => return Ok(LogAddress::Descriptor(2)),
            _ => {}
        }
        let (prefix, rest) = text.split_once('@').unwrap_or(("", text));
        match prefix {
            "fd" => match rest.parse() {
                Ok(number @ 0..) => Ok(LogAddress::Descriptor(number)),
                _ => Err(Refused::Malformed("behind `fd@` stands the number of a descriptor")),
            },
            "ring" => Err(Refused::Unsupported("there are no rings")),
            "stream+unix" | "uxst" | "tcp" | "tcp4" | "tcp6" | "abns" => {
                Err(Refused::Unsupported("lines are sent as datagrams, to UDP ports and sockets in the file system"))
            }
            "" | "unix" | "uxdg" | "dgram+unix" if rest.starts_with('/') => Ok(LogAddress::Unix(rest.into())),
            "" | "udp" | "udp4" | "udp6" | "ip" | "ipv4" | "ipv6" => udp(rest),
            _ => Err(Refused::Malformed("expected an address, a path, `stdout`, `stderr` or `fd@` with a number")),
        }
    }
}

/// `host[:port]`. An IPv6 address ends in a colon when it has no port, or stands in brackets.
fn udp(text: &str) -> Result<LogAddress, Refused> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (text, ""),
    };
    let host = host.trim_matches(['[', ']']);
    if host.is_empty() {
        return Err(Refused::Malformed("a host is missing"));
    }
    let port = if port.is_empty() {
        SYSLOG_PORT
    } else {
        port.parse().map_err(|_| Refused::Malformed("behind the colon stands a UDP port"))?
    };
    Ok(LogAddress::Udp { host: host.to_owned(), port })
}
