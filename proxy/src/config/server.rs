//! `server` and `default-server` lines: where sessions go (manual, sections 4.2 and 5.2).

use std::time::Duration;

use super::arguments::{Arguments, MILLISECONDS};
use super::directive::{Setting, Status, read_settings};
use super::{NoteKind, Position, ServerAddress, Source, Word};

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: ServerAddress,
    /// Its number.
    pub id: Option<u32>,
    /// Its part of the sessions, from 0 (none) to 256; 1 unless set.
    pub weight: u32,
    /// Its health check; `None` if it has none.
    pub check: Option<Check>,
    /// What is done with its sessions and others when its state changes, and what changes it besides checks.
    pub reactions: Reactions,
    /// Whether its sessions are ended when it is marked down (`on-marked-down shutdown-sessions`).
    pub shutdown_sessions_when_down: bool,
    /// Whether the sessions of backup servers are ended when it comes up (`on-marked-up shutdown-backup-sessions`).
    pub shutdown_backup_sessions_when_up: bool,
    /// Whether it is used only when no other is there.
    pub backup: bool,
    /// Whether it starts in maintenance: no sessions, no checks.
    pub disabled: bool,
    /// The most sessions that it takes at once.
    pub maxconn: Option<u32>,
    /// The most sessions that it takes at once while the backend has little load.
    pub minconn: Option<u32>,
    /// The most sessions that wait for it; `None` means any number.
    pub maxqueue: Option<u32>,
    /// How long its weight rises after it came up.
    pub slowstart: Option<Duration>,
    /// TCP_USER_TIMEOUT of the connections to it (`tcp-ut`).
    pub user_timeout: Option<Duration>,
    /// What connections to it come from; `None` means the proxy's `source`.
    pub source: Option<Source>,
    /// The version of the PROXY protocol in which the client is named to it.
    pub send_proxy: Option<u8>,
    /// Where it is.
    pub position: Position,
}

/// A server's health check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Between two checks.
    pub interval: Duration,
    /// Between two checks while the server's state is changing; `interval` unless set.
    pub fast_interval: Option<Duration>,
    /// Between two checks while the server is down; `interval` unless set.
    pub down_interval: Option<Duration>,
    /// How many good checks in a row bring a server up.
    pub rise: u32,
    /// How many failed checks in a row take it down.
    pub fall: u32,
    /// The address that is checked; the server's unless set.
    pub address: Option<ServerAddress>,
    /// The port that is checked; the server's unless set.
    pub port: Option<u16>,
    /// The version of the PROXY protocol in which a check says that it speaks for nobody.
    pub send_proxy: Option<u8>,
}

impl Default for Check {
    /// The documented values: every 2 s, 2 to rise, 3 to fall.
    fn default() -> Check {
        Check {
            interval: Duration::from_secs(2),
            fast_interval: None,
            down_interval: None,
            rise: 2,
            fall: 3,
            address: None,
            port: None,
            send_proxy: None,
        }
    }
}

/// What sessions tell of a server's health (`observe`, `on-error`, `error-limit`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reactions {
    /// Whether failed connections count as failed checks (`observe layer4`).
    pub observe_layer4: bool,
    /// What happens when as many as `error_limit` in a row failed.
    pub on_error: OnError,
    /// 10 unless set.
    pub error_limit: Option<u32>,
}

/// What happens when too many sessions in a row failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// Checks come at the fast interval.
    Fastinter,
    /// It counts as a failed check.
    #[default]
    FailCheck,
    /// It counts as a failed check, and one more takes the server down.
    SuddenDeath,
    /// The server is down.
    MarkDown,
}

/// The settings that servers start from.
#[derive(Debug, Clone)]
pub(super) struct ServerSettings {
    checked: bool,
    checks_send_proxy: bool,
    check: Check,
    server: Server,
}

impl ServerSettings {
    /// The documented values.
    pub(super) fn documented() -> ServerSettings {
        let position = Position { file: "".into(), line: 0, column: 0 };
        let server = Server {
            name: String::new(),
            address: ServerAddress { host: String::new(), port: None },
            id: None,
            weight: 1,
            check: None,
            reactions: Reactions::default(),
            shutdown_sessions_when_down: false,
            shutdown_backup_sessions_when_up: false,
            backup: false,
            disabled: false,
            maxconn: None,
            minconn: None,
            maxqueue: None,
            slowstart: None,
            user_timeout: None,
            source: None,
            send_proxy: None,
            position,
        };
        ServerSettings { checked: false, checks_send_proxy: false, check: Check::default(), server }
    }

    /// Reads what stands behind `default-server`.
    pub(super) fn read(&mut self, arguments: &mut Arguments<'_>) {
        read_settings("server", SETTINGS, self, arguments);
    }

    /// Reads what stands behind `server`: name, address and settings.
    pub(super) fn server(&self, arguments: &mut Arguments<'_>) -> Option<Server> {
        let name = arguments.required("a name and an address")?;
        let address = arguments.required("an address")?;
        if let Some(character) = super::wrong_character(&name.text) {
            arguments.malformed(name, format!("`{character}` cannot be in the name of a server: `{}`", name.text));
        }
        fixed_port(address, arguments);
        let address = server_address(address, arguments);
        let mut own = self.clone();
        if let Some(address) = &address {
            own.server.address = address.clone();
        }
        own.read(arguments);
        // A check goes the way of sessions, unless it goes elsewhere (manual, 5.2 `check-send-proxy`).
        let elsewhere = own.check.port.is_some() || own.check.address.is_some();
        let like_sessions = own.server.send_proxy.filter(|_| !elsewhere);
        let send_proxy = like_sessions.or_else(|| own.checks_send_proxy.then(|| own.server.send_proxy.unwrap_or(1)));
        let check = own.checked.then_some(Check { send_proxy, ..own.check });
        Some(Server {
            name: name.text.clone(),
            address: address?,
            check,
            position: name.position.clone(),
            ..own.server
        })
    }
}

fn server_address(word: &Word, arguments: &mut Arguments<'_>) -> Option<ServerAddress> {
    let text = word.text.as_str();
    if !ServerAddress::is_tcp(text) {
        arguments.unsupported(word, format!("`{text}` is not implemented: servers are reached by TCP"));
    }
    let address = ServerAddress::parse(text);
    if address.is_none() {
        arguments.malformed(word, format!("`{text}` is no server's address: expected address[:port]"));
    }
    address
}

/// Without a port, HAProxy goes to the one that the client came to, or to one so much above or below it.
fn fixed_port(word: &Word, arguments: &mut Arguments<'_>) {
    let port = word.text.rsplit_once(':').map_or("", |(_, port)| port);
    if ServerAddress::is_tcp(&word.text) && (port.is_empty() || port.contains(']') || port.starts_with(['+', '-'])) {
        let message = format!("`{}` is not implemented: write the server's own port", word.text);
        arguments.unsupported(word, message);
    }
}

const NO_TLS: &str = "there is no TLS here";

const fn tls(keyword: &'static str, values: usize) -> Setting<ServerSettings> {
    Setting::other(keyword, values, Status::Moot, NO_TLS)
}

const fn http(keyword: &'static str, values: usize) -> Setting<ServerSettings> {
    Setting::other(keyword, values, Status::HttpOnly, "")
}

const fn refused(keyword: &'static str, values: usize, why: &'static str) -> Setting<ServerSettings> {
    Setting::other(keyword, values, Status::Unsupported, why)
}

const NO_LOOKUPS: &str = "names are looked up once, when the proxy starts";
const NO_AGENT: &str = "servers are not asked how they are";
/// `do_connect_server` of 2.6 (`src/backend.c`) looks for bytes to send in the buffer of what the server has sent.
const NO_EARLY_BYTES: &str = "HAProxy 2.6 sends no bytes with a SYN in TCP mode, whatever is set";
const NO_TABLES: &str = "there are no tables of clients";

/// What can stand behind the address. A further setting is one entry here.
pub(super) const SETTINGS: &[Setting<ServerSettings>] = &[
    Setting::new("weight", "<0..256>", "its part of the sessions", |s, a| {
        if let Some(weight) = a.number_in(0..=256) {
            s.server.weight = weight;
        }
    }),
    Setting::new("check", "", "it is checked", |s, _| s.checked = true),
    Setting::new("no-check", "", "it is not checked", |s, _| s.checked = false),
    Setting::new("inter", "<time>", "between two checks", |s, a| {
        if let Some(time) = a.positive_time() {
            s.check.interval = time;
        }
    }),
    Setting::new("fastinter", "<time>", "between two checks while its state is changing", |s, a| {
        s.check.fast_interval = a.positive_time();
    }),
    Setting::new("downinter", "<time>", "between two checks while it is down", |s, a| {
        s.check.down_interval = a.positive_time();
    }),
    Setting::new("rise", "<number>", "how many good checks in a row bring it up", |s, a| {
        if let Some(rise) = a.number_in(1..=u32::MAX) {
            s.check.rise = rise;
        }
    }),
    Setting::new("fall", "<number>", "how many failed checks in a row take it down", |s, a| {
        if let Some(fall) = a.number_in(1..=u32::MAX) {
            s.check.fall = fall;
        }
    }),
    Setting::new("port", "<port>", "the port that is checked", |s, a| s.check.port = a.number()),
    Setting::new("addr", "<address>", "the address that is checked", |s, a| {
        if let Some(word) = a.required("an address") {
            s.check.address = server_address(word, a);
        }
    }),
    Setting::new("backup", "", "it is used only when no other is there", |s, _| s.server.backup = true),
    Setting::new("no-backup", "", "it is used beside the others", |s, _| s.server.backup = false),
    Setting::new("disabled", "", "it starts in maintenance", |s, _| s.server.disabled = true),
    Setting::new("enabled", "", "it starts ready", |s, _| s.server.disabled = false),
    Setting::new("maxconn", "<number>", "the most sessions that it takes at once; others wait", |s, a| {
        s.server.maxconn = a.number().filter(|most| *most != 0);
    }),
    Setting::new("maxqueue", "<number>", "how many sessions may wait for it alone", |s, a| {
        s.server.maxqueue = a.number().filter(|most| *most != 0);
    }),
    Setting::new("minconn", "<number>", "its `maxconn` while its backend has little load", |s, a| {
        s.server.minconn = a.number();
    }),
    Setting::new("on-marked-down", "shutdown-sessions", "its sessions are ended when it is marked down", |s, a| {
        s.server.shutdown_sessions_when_down = a.one_of(&[("shutdown-sessions", true)]).unwrap_or(false);
    }),
    Setting::new(
        "on-marked-up",
        "shutdown-backup-sessions",
        "the sessions of backup servers are ended when it comes up",
        |s, a| {
            s.server.shutdown_backup_sessions_when_up =
                a.one_of(&[("shutdown-backup-sessions", true)]).unwrap_or(false);
        },
    ),
    Setting::new("observe", "none | layer4", "whether sessions without a connection count for its health", |s, a| {
        s.server.reactions.observe_layer4 = a.one_of(&[("none", false), ("layer4", true)]).unwrap_or(false);
    }),
    Setting::new(
        "on-error",
        "fastinter | fail-check | sudden-death | mark-down",
        "what too many of them do",
        |s, a| {
            let actions = [
                ("fastinter", OnError::Fastinter),
                ("fail-check", OnError::FailCheck),
                ("sudden-death", OnError::SuddenDeath),
                ("mark-down", OnError::MarkDown),
            ];
            s.server.reactions.on_error = a.one_of(&actions).unwrap_or_default();
        },
    ),
    Setting::new("error-limit", "<number>", "how many of them in a row are too many", |s, a| {
        s.server.reactions.error_limit = a.number_in(1..=i32::MAX.unsigned_abs());
    }),
    Setting::new("slowstart", "<time>", "how long its load rises after it came up", |s, a| {
        s.server.slowstart = a.time(MILLISECONDS).flatten();
    }),
    Setting::new(
        "tcp-ut",
        "<time>",
        "TCP_USER_TIMEOUT of the connections to it, if it is written with its address",
        |s, a| {
            let limit = a.time(MILLISECONDS).flatten();
            // `srv_parse_tcp_ut` asks for the address before a name is looked up, and on `default-server` there is none.
            if s.server.address.ip().is_some() {
                s.server.user_timeout = limit;
            } else {
                let why =
                    "`tcp-ut` has no effect here: HAProxy 2.6 forgets it unless the server is written with its address";
                a.note_keyword(NoteKind::Warning, why);
            }
        },
    ),
    Setting::new(
        "source",
        "<address>[:<port>[-<port>]] [interface <name>]",
        "what connections to it come from",
        |s, a| {
            s.server.source = Source::read(a);
        },
    ),
    Setting::new("id", "<number>", "a number for it", |s, a| s.server.id = a.number()),
    Setting::new("send-proxy", "", "its clients are named to it, by version 1 of the PROXY protocol", |s, _| {
        s.server.send_proxy = Some(1);
    }),
    Setting::new("send-proxy-v2", "", "its clients are named to it, by version 2 of the PROXY protocol", |s, _| {
        s.server.send_proxy = Some(2);
    }),
    Setting::new("no-send-proxy", "", "its clients are not named to it", |s, _| s.server.send_proxy = None),
    Setting::new("no-send-proxy-v2", "", "its clients are not named to it", |s, _| s.server.send_proxy = None),
    refused("send-proxy-v2-ssl", 0, NO_TLS),
    refused("send-proxy-v2-ssl-cn", 0, NO_TLS),
    Setting::new("check-send-proxy", "", "checks say by the PROXY protocol that they speak for nobody", |s, _| {
        s.checks_send_proxy = true;
    }),
    Setting::new("no-check-send-proxy", "", "checks say so only where sessions do", |s, _| s.checks_send_proxy = false),
    refused("proxy-v2-options", 1, "a header of the PROXY protocol has addresses, and no more"),
    Setting::other("no-send-proxy-v2-ssl", 0, Status::Moot, NO_TLS),
    Setting::other("no-send-proxy-v2-ssl-cn", 0, Status::Moot, NO_TLS),
    refused("agent-check", 0, NO_AGENT),
    Setting::other("no-agent-check", 0, Status::Moot, NO_AGENT),
    refused("agent-addr", 1, NO_AGENT),
    refused("agent-inter", 1, NO_AGENT),
    refused("agent-port", 1, NO_AGENT),
    refused("agent-send", 1, NO_AGENT),
    refused("track", 1, "each server is checked for itself"),
    refused("socks4", 1, "servers are reached directly"),
    refused("check-via-socks4", 0, "servers are reached directly"),
    refused("namespace", 1, "servers are reached from the proxy's own network namespace"),
    Setting::other("tfo", 0, Status::Moot, NO_EARLY_BYTES),
    Setting::other("no-tfo", 0, Status::Moot, NO_EARLY_BYTES),
    refused("init-addr", 1, NO_LOOKUPS),
    refused("resolvers", 1, NO_LOOKUPS),
    refused("resolve-net", 1, NO_LOOKUPS),
    refused("resolve-opts", 1, NO_LOOKUPS),
    refused("resolve-prefer", 1, NO_LOOKUPS),
    refused("usesrc", 1, "it must follow `source`"),
    Setting::other("stick", 0, Status::Moot, NO_TABLES),
    Setting::other("non-stick", 0, Status::Moot, NO_TABLES),
    refused("ssl", 0, NO_TLS),
    refused("check-ssl", 0, NO_TLS),
    refused("proto", 1, "bytes are passed on as they are"),
    refused("check-proto", 1, "a check is a connection"),
    http("cookie", 1),
    Setting::other("redir", 1, Status::Removed, "it is for HTTP mode"),
    http("ws", 1),
    http("max-reuse", 1),
    http("pool-low-conn", 1),
    http("pool-max-conn", 1),
    http("pool-purge-delay", 1),
    Setting::other("log-proto", 1, Status::Moot, "it is for `ring`"),
    tls("allow-0rtt", 0),
    tls("alpn", 1),
    tls("ca-file", 1),
    tls("check-alpn", 1),
    tls("check-sni", 1),
    tls("ciphers", 1),
    tls("ciphersuites", 1),
    tls("crl-file", 1),
    tls("crt", 1),
    tls("force-sslv3", 0),
    tls("force-tlsv10", 0),
    tls("force-tlsv11", 0),
    tls("force-tlsv12", 0),
    tls("force-tlsv13", 0),
    tls("no-check-ssl", 0),
    tls("no-ssl", 0),
    tls("no-ssl-reuse", 0),
    tls("no-sslv3", 0),
    tls("no-tls-tickets", 0),
    tls("no-tlsv10", 0),
    tls("no-tlsv11", 0),
    tls("no-tlsv12", 0),
    tls("no-tlsv13", 0),
    tls("no-verifyhost", 0),
    tls("npn", 1),
    tls("sni", 1),
    tls("ssl-max-ver", 1),
    tls("ssl-min-ver", 1),
    tls("ssl-reuse", 0),
    tls("tls-tickets", 0),
    tls("verify", 1),
    tls("verifyhost", 1),
];
