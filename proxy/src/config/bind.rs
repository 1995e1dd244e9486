//! `bind` lines: what a proxy listens on (manual, sections 4.2 `bind` and 5.1).

use std::time::Duration;

use super::arguments::{Arguments, MILLISECONDS};
use super::directive::{Setting, Status, read_settings};
use super::{BindAddress, Note, NoteKind, Position, Word};

/// Something that a proxy listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// The address and ports.
    pub address: BindAddress,
    /// Its name.
    pub name: Option<String>,
    /// Its number.
    pub id: Option<u32>,
    /// How many connections may wait to be accepted; `None` means the proxy's `backlog`.
    pub backlog: Option<u32>,
    /// The most connections that are taken here.
    pub maxconn: Option<u32>,
    /// TCP_USER_TIMEOUT of the connections (`tcp-ut`).
    pub user_timeout: Option<Duration>,
    /// The largest segment that the client may send (`mss`), in bytes; negative: so much less than the system's.
    pub mss: Option<i32>,
    /// The only network interface that clients come from.
    pub interface: Option<String>,
    /// Whether an IPv6 address takes IPv4 clients too (`v4v6`) or not (`v6only`); `None` means the system's setting.
    pub ipv6_only: Option<bool>,
    /// Whether connections are taken only once the client has sent something (TCP_DEFER_ACCEPT).
    pub defer_accept: bool,
    /// Whether the address need not be this host's (IP_TRANSPARENT).
    pub transparent: bool,
    /// Whether clients may send data with their SYN (TCP_FASTOPEN).
    pub fast_open: bool,
    /// Whether a proxy in front names the client in the first line of a connection (PROXY protocol).
    pub accept_proxy: bool,
    /// Where it is.
    pub position: Position,
}

impl Bind {
    pub(super) fn new(address: BindAddress, position: Position) -> Bind {
        Bind {
            address,
            name: None,
            id: None,
            backlog: None,
            maxconn: None,
            user_timeout: None,
            mss: None,
            interface: None,
            ipv6_only: None,
            defer_accept: false,
            transparent: false,
            fast_open: false,
            accept_proxy: false,
            position,
        }
    }

    /// The addresses of one word, between commas.
    pub(super) fn addresses(word: &Word, notes: &mut Vec<Note>) -> Vec<Bind> {
        let mut binds = Vec::new();
        for text in word.text.split(',') {
            match BindAddress::parse(text) {
                Some(address) => {
                    if let BindAddress::Other(other) = &address {
                        let message = format!(
                            "`{other}` is not implemented: listen on the addresses of this host, and their ports"
                        );
                        notes.push(Note::at(word, NoteKind::Unsupported, message));
                    }
                    binds.push(Bind::new(address, word.position.clone()));
                }
                None => {
                    let message = format!("`{text}` is no address to listen on: expected [address]:port[-port]");
                    notes.push(Note::at(word, NoteKind::Malformed, message));
                }
            }
        }
        binds
    }

    /// Reads what stands behind `bind`.
    pub(super) fn read(arguments: &mut Arguments<'_>) -> Vec<Bind> {
        let Some(word) = arguments.required("[address]:port") else { return Vec::new() };
        let mut binds = arguments.with_notes(|notes| Bind::addresses(word, notes));
        for bind in &binds {
            if let BindAddress::Unix(path) = &bind.address {
                let message = format!("`{}` is not implemented: clients come by TCP", path.display());
                arguments.unsupported(word, message);
            }
        }
        // The settings hold for all of them; read once, so that each of their notes comes once.
        let mut settings = Bind::new(BindAddress::Other(String::new()), word.position.clone());
        read_settings("`bind` line", SETTINGS, &mut settings, arguments);
        for bind in &mut binds {
            let address = std::mem::replace(&mut bind.address, BindAddress::Other(String::new()));
            *bind = Bind { address, ..settings.clone() };
        }
        binds
    }
}

/// 1 to 65535 bytes, or so many less.
fn segment(arguments: &mut Arguments<'_>) -> Option<i32> {
    let word = arguments.first();
    let size = arguments.number::<i32>()?;
    match word {
        Some(word) if !(1..=65535).contains(&size.unsigned_abs()) => {
            arguments.malformed(word, format!("`{size}` is not between 1 and 65535, nor between -65535 and -1"));
            None
        }
        _ => Some(size),
    }
}

const NO_TLS: &str = "there is no TLS here";

const fn tls(keyword: &'static str, values: usize) -> Setting<Bind> {
    Setting::other(keyword, values, Status::Moot, NO_TLS)
}

const UNIX_ONLY: &str = "it is for Unix sockets";
const THREADS: &str = "threads take connections as they come";

/// What can stand behind the address. A further setting is one entry here.
pub(super) const SETTINGS: &[Setting<Bind>] = &[
    Setting::new("name", "<name>", "a name for it", |bind, a| bind.name = a.text("a name")),
    Setting::new("id", "<number>", "a number for it", |bind, a| bind.id = a.number()),
    Setting::new("backlog", "<number>", "how many connections may wait to be accepted here", |bind, a| {
        bind.backlog = a.number().filter(|most| *most != 0);
    }),
    Setting::new("maxconn", "<number>", "the most connections that are taken here; others wait", |bind, a| {
        bind.maxconn = a.number().filter(|most| *most != 0);
    }),
    Setting::new("tcp-ut", "<time>", "TCP_USER_TIMEOUT of the clients' connections", |bind, a| {
        bind.user_timeout = a.time(MILLISECONDS).flatten();
    }),
    Setting::new("mss", "<bytes>", "the largest segment; if negative, so much less than the system's", |bind, a| {
        bind.mss = segment(a);
    }),
    Setting::new("interface", "<name>", "the only network interface that clients come from", |bind, a| {
        bind.interface = a.text("an interface");
    }),
    // `v6only` is the stronger of the two, wherever it stands.
    Setting::new("v4v6", "", "`::` takes IPv4 clients too", |bind, _| {
        bind.ipv6_only.get_or_insert(false);
    }),
    Setting::new("v6only", "", "`::` takes no IPv4 clients", |bind, _| bind.ipv6_only = Some(true)),
    Setting::new("defer-accept", "", "a client is taken once it has sent something, or after a second", |bind, _| {
        bind.defer_accept = true;
    }),
    Setting::new("transparent", "", "the address need not be this host's", |bind, _| bind.transparent = true),
    Setting::new("tfo", "", "clients may send bytes with their SYN", |bind, _| bind.fast_open = true),
    Setting::new("accept-proxy", "", "clients say first for whom they speak, by the PROXY protocol", |bind, _| {
        bind.accept_proxy = true;
    }),
    Setting::other("accept-netscaler-cip", 1, Status::Unsupported, "NetScaler's header is not read"),
    Setting::other("namespace", 1, Status::Unsupported, "it listens in its own network namespace"),
    Setting::other("expose-fd", 1, Status::Unsupported, "sockets are not handed on"),
    Setting::other("level", 1, Status::Moot, "it is for `stats socket`"),
    Setting::other("severity-output", 1, Status::Moot, "it is for `stats socket`"),
    Setting::other("nice", 1, Status::Moot, "all connections are of the same importance"),
    Setting::other("process", 1, Status::Moot, THREADS),
    Setting::other("thread", 1, Status::Moot, THREADS),
    Setting::other("shards", 1, Status::Moot, THREADS),
    Setting::other("proto", 1, Status::Unsupported, "bytes are passed on as they are"),
    Setting::other("gid", 1, Status::Moot, UNIX_ONLY),
    Setting::other("group", 1, Status::Moot, UNIX_ONLY),
    Setting::other("mode", 1, Status::Moot, UNIX_ONLY),
    Setting::other("uid", 1, Status::Moot, UNIX_ONLY),
    Setting::other("user", 1, Status::Moot, UNIX_ONLY),
    Setting::other("ssl", 0, Status::Unsupported, NO_TLS),
    Setting::other("quic-force-retry", 0, Status::Unsupported, "there is no QUIC here"),
    tls("allow-0rtt", 0),
    tls("alpn", 1),
    tls("ca-file", 1),
    tls("ca-ignore-err", 1),
    tls("ca-sign-file", 1),
    tls("ca-sign-pass", 1),
    tls("ca-verify-file", 1),
    tls("ciphers", 1),
    tls("ciphersuites", 1),
    tls("crl-file", 1),
    tls("crt", 1),
    tls("crt-ignore-err", 1),
    tls("crt-list", 1),
    tls("curves", 1),
    tls("ecdhe", 1),
    tls("force-sslv3", 0),
    tls("force-tlsv10", 0),
    tls("force-tlsv11", 0),
    tls("force-tlsv12", 0),
    tls("force-tlsv13", 0),
    tls("generate-certificates", 0),
    tls("no-ca-names", 0),
    tls("no-sslv3", 0),
    tls("no-tls-tickets", 0),
    tls("no-tlsv10", 0),
    tls("no-tlsv11", 0),
    tls("no-tlsv12", 0),
    tls("no-tlsv13", 0),
    tls("npn", 1),
    tls("prefer-client-ciphers", 0),
    tls("ssl-max-ver", 1),
    tls("ssl-min-ver", 1),
    tls("strict-sni", 0),
    tls("tls-ticket-keys", 1),
    tls("verify", 1),
];
