//! `proxy: haproxy`: the real HAProxy of this machine, with the user's configuration untouched; and any program that is told the
//! same, and tells the same.
//!
//! It is started as `haproxy -db -f ours -f user's`. Ours comes first, as `log global` copies the global section's targets when
//! it is parsed (manual, 4.2 `log`); it adds a log target and a stats socket and changes nothing else.

use std::io::{Read, Write};
use std::net::SocketAddrV4;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr};
use proxy::config::{Bind, BindAddress, Configuration, Proxy, SectionKind, Server};
use proxy::log::{Notice, SessionLog};
use proxy::sessions::{self, Session};

use super::image::{self, Source, Usual};
use super::{Kind, Reload, Surroundings, config_file, v4};
use crate::evidence::{Fact, Pair, ProxyLog, ProxyNotice, ProxyRules, ProxyServer, ProxyTimeouts, Role};
use crate::keys;
use crate::lab::container::Image;
use crate::lab::enter::Place;
use crate::lab::process::{Process, ReadLine};
use crate::scenario::{Fields, FileOrText, ServiceWord};

/// The word in a scenario.
pub const WORD: ServiceWord<Arc<dyn Kind>> = ServiceWord {
    key: "proxy",
    value: Some("haproxy"),
    beside: &["image"],
    about: "HAProxy with your own configuration: the one that is installed, or one from an image",
    keys: &[ConfigKeys::TABLE, image::ImageKeys::TABLE],
    decode: |fields| {
        let image = image::source(fields)?;
        decode(fields, &Program { name: "haproxy", command: &["haproxy", "-db"] }, image)
    },
};

/// The image that is meant by its public name.
const IMAGE: Usual = Usual { name: "haproxy:2.6", instead: "whyclosed/haproxy", variable: "WHYCLOSED_HAPROXY_IMAGE" };

keys! {
    /// The configuration of a proxy that has one.
    pub(super) struct ConfigKeys {
        CONFIG: required FileOrText = "config", "haproxy.cfg",
            "your file, relative to the scenario's folder, or its text; used untouched";
    }
}

/// A program that reads HAProxy's configuration and answers on its stats socket.
#[derive(Debug)]
pub struct Program {
    /// The kind's name, as evidence has it.
    pub name: &'static str,
    /// How it is started in the foreground; the files of its configuration follow.
    pub command: &'static [&'static str],
}

const SOCKET: &str = "/run/whyclosed/haproxy.sock";
/// In an image it may be another user from the start.
const SOCKET_IN_IMAGE: &str = "/tmp/whyclosed-haproxy.sock";
const OURS: &str = "/run/whyclosed/ours.cfg";
const THEIRS: &str = "/run/whyclosed/haproxy.cfg";
/// HAProxy answers at once or is frozen.
const ANSWER_LIMIT: Duration = Duration::from_millis(500);

#[derive(Debug)]
struct Haproxy {
    program: &'static Program,
    config: FileOrText,
    port: Option<u16>,
    /// The image that it runs from, if it is not this machine's own program.
    image: Option<Source>,
    /// Whether the next process spells its stats socket in the other way.
    other_spelling: AtomicBool,
}

/// Reads the keys of such a program.
pub fn decode(fields: &mut Fields<'_>, program: &'static Program, image: Option<Source>) -> Option<Arc<dyn Kind>> {
    let config = fields.required(ConfigKeys::CONFIG)?;
    // Variables of the environment name timeouts and servers; a port that is one is given by `ready`.
    let port = config_file::text(&config).ok().and_then(|text| {
        let configuration = configuration(&text, &[]);
        let mut ports = configuration.proxies.iter().flat_map(ports);
        ports.next()
    });
    Some(Arc::new(Haproxy { program, config, port, image, other_spelling: AtomicBool::default() }))
}

fn configuration(text: &str, env: &[(String, String)]) -> Configuration {
    Configuration::read(&[(THEIRS, text)], &env.iter().cloned().collect())
}

fn ports(proxy: &Proxy) -> Vec<u16> {
    let port = |bind: &Bind| match &bind.address {
        BindAddress::Tcp { ports, .. } => Some(*ports.start()),
        _ => None,
    };
    proxy.binds.iter().filter_map(port).collect()
}

impl Haproxy {
    /// The words with which it is started on our file and the user's.
    fn argv(&self, theirs: &str) -> impl Iterator<Item = String> {
        let files = ["-f", OURS, "-f", theirs].map(String::from);
        self.program.command.iter().map(ToString::to_string).chain(files)
    }

    /// Our file.
    fn ours(&self, log: &str) -> (PathBuf, String) {
        // A process of HAProxy's takes the stats socket over too if it is told of one of that name, and its file stays where only the old
        // process has it. So no two in a row spell it in the same way.
        let detour = if self.other_spelling.fetch_xor(true, Ordering::Relaxed) { "/./" } else { "/" };
        let (folder, file) = self.socket().rsplit_once('/').unwrap_or_default();
        let socket = format!("{folder}{detour}{file}");
        (
            OURS.into(),
            format!(
                "global\n    log {log} local0\n    stats socket {socket} mode 600 level admin expose-fd listeners\n"
            ),
        )
    }

    fn socket(&self) -> &'static str {
        if self.image.is_some() { SOCKET_IN_IMAGE } else { SOCKET }
    }
}

impl Kind for Haproxy {
    fn name(&self) -> &'static str {
        self.program.name
    }

    fn role(&self) -> Role {
        Role::Proxy
    }

    fn port(&self) -> Option<u16> {
        self.port
    }

    fn ready_within(&self) -> Duration {
        if self.image.is_some() { image::READY_WITHIN } else { Duration::from_secs(10) }
    }

    fn image(&self) -> std::io::Result<Option<Image>> {
        let Some(source) = &self.image else { return Ok(None) };
        // A container has no /dev/log.
        let files = [self.ours("stdout len 8192 format rfc3164"), (THEIRS.into(), config_file::text(&self.config)?)];
        let files = files.map(|(path, text)| (path, text.into_bytes())).into();
        let command = image::when_wired(self.argv(THEIRS));
        Ok(Some(Image { command, files, ..image::chosen(Some(source), &IMAGE) }))
    }

    fn place(&self, directory: &Path, env: &[(String, String)]) -> std::io::Result<Place> {
        let mut files = vec![self.ours("/dev/log len 8192 format rfc3164")];
        let theirs = config_file::place(&self.config, THEIRS, &mut files)?;
        Ok(Place { files, ..Place::of(self.argv(&theirs).collect(), directory, env) })
    }

    fn settings(&self, service: &Surroundings<'_>) -> Vec<Fact> {
        let Ok(text) = config_file::text(&self.config) else { return Vec::new() };
        let configuration = configuration(&text, service.env);
        let frontends = configuration.proxies.iter().filter(|proxy| proxy.kind != SectionKind::Backend);
        frontends.filter_map(|frontend| settings(service, &configuration, frontend)).collect()
    }

    fn reads(&self, _service: &Surroundings<'_>) -> ReadLine {
        Arc::new(|service, line| session_log(service, line).map(Fact::ProxyLog).or_else(|| notice(service, line)))
    }

    fn reload(&self) -> Option<Reload> {
        // A container has one program.
        self.image.is_none().then_some(Reload::Anew { socket: SOCKET })
    }

    fn operate(&self, process: &Process, order: &str) -> std::io::Result<()> {
        let answer = ask(&process.path(self.socket()), order)?;
        // It answers with nothing but an empty line when it has done so.
        if answer.trim().is_empty() { Ok(()) } else { Err(std::io::Error::other(answer.trim().to_owned())) }
    }

    fn sessions(&self, service: &str, process: &Process) -> Vec<Fact> {
        if process.is_stopped() {
            return Vec::new();
        }
        let Ok(text) = ask(&process.path(self.socket()), "show sess all") else { return Vec::new() };
        sessions::parse(&text).unwrap_or_default().iter().filter_map(|session| joined(service, session)).collect()
    }
}

fn settings(service: &Surroundings<'_>, configuration: &Configuration, frontend: &Proxy) -> Option<Fact> {
    let ms = |timeout: Option<Duration>| timeout.map(|t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX));
    let backend = frontend.default_backend.as_ref().unwrap_or(&frontend.name);
    let timeouts = configuration.session(&frontend.name, backend)?.timeouts;
    let backend = configuration.backend(backend)?;
    let servers: Vec<ProxyServer> = backend.servers.iter().filter_map(|server| known(service, server)).collect();
    Some(Fact::ProxySettings {
        service: service.name.into(),
        frontend: frontend.name.clone(),
        ports: ports(frontend),
        servers: servers.iter().map(|server| server.address).collect(),
        lazy_ms: None,
        timeouts: ProxyTimeouts {
            connect: ms(timeouts.connect),
            client: ms(timeouts.client),
            server: ms(timeouts.server),
            tunnel: ms(timeouts.tunnel),
            client_fin: ms(timeouts.client_fin),
            server_fin: ms(timeouts.server_fin),
            queue: ms(timeouts.queue),
        },
        rules: Some(ProxyRules {
            retries: backend.retries,
            redispatch: backend.redispatch,
            maxconn: frontend.maxconn,
            hard_stop_after: ms(configuration.global.hard_stop_after),
            hands_over_ms: None,
            servers,
        }),
    })
}

/// A server whose address is known.
fn known(service: &Surroundings<'_>, server: &Server) -> Option<ProxyServer> {
    let host = &server.address.host;
    let address = service.address_of(host)?;
    Some(ProxyServer {
        name: server.name.clone(),
        address: SocketAddrV4::new(address, server.address.port?),
        fall: server.check.as_ref().map(|check| check.fall),
        maxconn: server.maxconn,
        ends_sessions_when_down: server.shutdown_sessions_when_down,
        ends_backup_sessions_when_up: server.shutdown_backup_sessions_when_up,
    })
}

fn notice(service: &str, line: &str) -> Option<Fact> {
    let notice = match Notice::parse(line)? {
        Notice::ServerDown { backend, server } => ProxyNotice::ServerDown { backend, server },
        Notice::ServerUp { backend, server } => ProxyNotice::ServerUp { backend, server },
        Notice::NoServer { backend } => ProxyNotice::NoServer { backend },
        Notice::Stopped { proxy } => ProxyNotice::Stopped { proxy },
        Notice::HardStop => ProxyNotice::HardStop,
    };
    Some(Fact::ProxyNotice { service: service.into(), notice, line: line.into() })
}

fn session_log(service: &str, line: &str) -> Option<ProxyLog> {
    let log = SessionLog::parse(line).ok()?;
    Some(ProxyLog {
        service: service.into(),
        client: v4(log.client?)?,
        frontend: log.frontend,
        backend: log.backend,
        server: log.server,
        total_ms: u64::try_from(log.total.as_millis()).ok(),
        bytes: log.bytes,
        termination: log.termination.to_string(),
        words: None,
        session: None,
        retries: Some(log.retries),
        connected: Some(log.connected.is_some()),
        line: line.into(),
    })
}

fn joined(service: &str, session: &Session) -> Option<Fact> {
    Some(Fact::ProxySession {
        service: service.into(),
        client: Pair { local: v4(session.listener?)?, remote: v4(session.client?)? },
        server: Pair { local: v4(session.source?)?, remote: v4(session.server_address?)? },
    })
}

/// One command on HAProxy's stats socket (management guide, 9.3).
fn ask(socket: &Path, command: &str) -> std::io::Result<String> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let end = nix::sys::socket::socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    // Without SOCK_NONBLOCK this would wait for ever when a frozen HAProxy's backlog is full (unix(7)).
    nix::sys::socket::connect(end.as_raw_fd(), &UnixAddr::new(socket)?)?;
    let mut stream = UnixStream::from(end);
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    stream.set_write_timeout(Some(ANSWER_LIMIT))?;
    stream.write_all(format!("{command}\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
