//! From a configuration to a loop that works: sockets are bound, names looked up, privileges given up.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Group, Pid, Uid, User};

use super::backend::{Backend, Parts as BackendParts};
use super::balance;
use super::check::{self, Check};
use super::counters::Counters;
use super::frontend::{Frontend, Listener, Logs, Routes, Rules};
use super::listening;
use super::log::{Target, wall};
use super::moment::Moment;
use super::operator::Operators;
use super::outgoing::Outgoing;
use super::pipe::Pipes;
use super::proxy_protocol::Version;
use super::server::{Health, Server, State};
use super::session::Limits;
use super::takeover::Taken;
use super::worker::{Parts, Stop, Worker};
use crate::config::{
    self, Bind, BindAddress, Configuration, Global, Identity, LogHostname, LogTarget, Position, Proxy, SectionKind,
    ServerAddress, UseBackend, Who,
};

/// Descriptors for other things than sessions: logs, listeners, checks, the operator.
const RESERVE: u64 = 100;
/// `stats timeout` and `stats maxconn` when they are not set (manual, 3.1).
const OPERATOR_LIMIT: Duration = Duration::from_secs(10);
const OPERATORS: u32 = 10;

/// Why a proxy could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something that the configuration asks for at this place could not be done.
    #[error("{position}: {doing}: {cause}")]
    Asked {
        /// Where it is asked for.
        position: Position,
        /// What was being done.
        doing: String,
        /// What went wrong.
        cause: std::io::Error,
    },
    /// Something else could not be done.
    #[error("relay: {doing}: {cause}")]
    Machine {
        /// What was being done.
        doing: String,
        /// What went wrong.
        cause: std::io::Error,
    },
}

fn asked(position: &Position, doing: String, cause: impl Into<std::io::Error>) -> Error {
    Error::Asked { position: position.clone(), doing, cause: cause.into() }
}

fn machine(doing: &str, cause: impl Into<std::io::Error>) -> Error {
    Error::Machine { doing: doing.to_owned(), cause: cause.into() }
}

/// Binds and looks up all that the configuration names; sockets that a process has which is asked at `old` are taken over.
///
/// # Errors
/// When an address cannot be bound, a name cannot be looked up, a user does not exist.
pub fn start(configuration: &Configuration, old: Option<&Path>) -> Result<Parts, Error> {
    let global = &configuration.global;
    let descriptors = raise_descriptors(global)?;
    let pipes = Pipes::most(descriptors);
    let fits = u32::try_from(descriptors.saturating_sub(RESERVE + 2 * pipes) / 2).unwrap_or(u32::MAX).max(1);
    let maxconn = global.maxconn.map_or(fits, |most| most.min(fits));
    let taking = |path: &Path| {
        Taken::from(path).map_err(|e| machine(&format!("taking the sockets over from {}", path.display()), e))
    };
    let mut taken = old.map(taking).transpose()?.unwrap_or_default();
    let mut targets = Targets::default();
    let numbers = numbers(&configuration.proxies);
    let (mut backends, checks, places) = backends(configuration, &numbers, maxconn, &mut targets)?;
    let (mut frontends, mut listeners) = (Vec::new(), Vec::new());
    for proxy in configuration.proxies.iter().filter(|proxy| proxy.takes_clients() && !proxy.disabled) {
        for ((address, line), name) in addresses(proxy).zip(entrances(proxy)) {
            let socket = listening::listening(address, line, proxy, maxconn, taken.at(address))
                .map_err(|e| asked(&line.position, format!("listening on {address}"), e))?;
            listeners.push(Listener::new(socket, name, frontends.len(), line));
        }
        frontends.push(Frontend {
            name: proxy.name.clone(),
            number: numbers[&proxy.position],
            backends: route(proxy, &places, &mut backends),
            rules: Rules {
                acls: proxy.acls.clone(),
                connection: proxy.connection_rules.clone(),
                session: proxy.session_rules.clone(),
            },
            limits: Limits { ordinary: proxy.timeouts.client.into(), fin: proxy.timeouts.client_fin.into() },
            keepalive: proxy.client_keepalive,
            maxconn: proxy.maxconn.unwrap_or(maxconn),
            sessions: 0,
            counters: Counters::default(),
            logs: logs(&proxy.logs, proxy.log_tag.as_ref(), global, &mut targets)?,
            format: proxy.log_format.clone(),
            error_format: proxy.error_log_format.clone(),
            logging: proxy.logging,
            lines: 0,
        });
    }
    let host = match &global.log_send_hostname {
        Some(LogHostname::Name(name)) => name.clone(),
        _ => rustix::system::uname().nodename().to_string_lossy().into_owned(),
    };
    let stop = Stop::new(global.hard_stop_after).map_err(|e| machine("taking signals", e))?;
    let spread_checks = global.spread_checks;
    let (operators, logs) = (operators(global)?, logs(&global.logs, None, global, &mut targets)?);
    Ok(Parts {
        frontends,
        listeners,
        backends,
        checks,
        spread_checks,
        operators,
        logs,
        maxconn,
        fits,
        pipes,
        host,
        stop,
    })
}

/// Tells those who came before to stop, gives up privileges, and works until it is stopped.
///
/// # Errors
/// When there is no such user, or waiting fails.
pub fn work(parts: Parts, global: &Global, stop: &[(Pid, Signal)]) -> Result<(), Error> {
    if let Some(path) = &global.pidfile {
        let written = fs::write(path, format!("{}\n", std::process::id()));
        written.map_err(|e| machine(&format!("writing {}", path.display()), e))?;
    }
    wall::learn_zone();
    let mut worker = Worker::new(parts).map_err(|e| machine("preparing to wait for sockets", e))?;
    for (pid, signal) in stop {
        // One that has ended already need not be stopped.
        let _ = nix::sys::signal::kill(*pid, *signal);
    }
    drop_privileges(global)?;
    worker.run().map_err(|e| machine("waiting for sockets", e))
}

/// Every address that a proxy listens on, with its `bind` line.
fn addresses(proxy: &Proxy) -> impl Iterator<Item = (SocketAddr, &Bind)> {
    let of = |line: &'_ Bind| match &line.address {
        BindAddress::Tcp { address, ports } => Some((*address, ports.clone())),
        _ => None,
    };
    let lines = proxy.binds.iter().filter_map(move |line| Some((line, of(line)?)));
    lines.flat_map(|(line, (address, ports))| ports.map(move |port| (SocketAddr::new(address, port), line)))
}

/// What the log calls the sockets of [`addresses`]: by their names, or else by their numbers, which count those that have none.
fn entrances(proxy: &Proxy) -> Vec<Arc<str>> {
    let taken: Vec<u32> = proxy.binds.iter().filter_map(|bind| bind.id).collect();
    let mut free = (1..).filter(|number| !taken.contains(number));
    let name = |(_, bind): (SocketAddr, &Bind)| {
        let number = bind.id.or_else(|| free.next()).unwrap_or_default();
        bind.name.as_deref().map_or_else(|| number.to_string().into(), Arc::from)
    };
    addresses(proxy).map(name).collect()
}

/// Which backend takes which of a frontend's sessions. Those that none takes end as in a backend without servers.
fn route(proxy: &Proxy, places: &HashMap<String, usize>, backends: &mut Vec<Backend>) -> Routes {
    let with_condition = |rule: &UseBackend| Some((rule.condition.clone()?, *places.get(&rule.backend)?));
    let rules = proxy.use_backends.iter().take_while(|rule| rule.condition.is_some());
    let default = proxy.session_backend().and_then(|name| places.get(name)).copied().unwrap_or_else(|| {
        backends.push(Backend::nowhere(proxy));
        backends.len() - 1
    });
    Routes { chosen: rules.filter_map(with_condition).collect(), default }
}

/// The backends with their checks, and the place of each by its name.
type Backends = (Vec<Backend>, Vec<Check>, HashMap<String, usize>);

fn backends(
    configuration: &Configuration,
    numbers: &HashMap<&Position, u32>,
    maxconn: u32,
    targets: &mut Targets,
) -> Result<Backends, Error> {
    let (mut backends, mut checked, mut places) = (Vec::new(), Vec::new(), HashMap::new());
    for proxy in configuration.proxies.iter().filter(|proxy| proxy.has_servers() && !proxy.disabled) {
        let mut servers = Vec::new();
        let mut server_numbers = Numbers::new(1, proxy.servers.iter().filter_map(|server| server.id));
        for server in &proxy.servers {
            let address = look_up(&server.address, None, &server.position)?;
            let source = server.source.as_ref().or(proxy.source.as_ref());
            let outgoing = Rc::new(Outgoing::new(source, server.user_timeout));
            if let Some(check) = &server.check {
                let at = check.address.as_ref().map(|at| look_up(at, None, &server.position)).transpose()?;
                let mut at = at.unwrap_or(address);
                at.set_port(check.port.unwrap_or(address.port()));
                checked.push(((backends.len(), servers.len()), check.clone(), at, proxy.timeouts, outgoing.clone()));
            }
            let (minconn, maxconn) = limits(server);
            let mut health = Health::starting(server.check.as_ref());
            if server.disabled {
                health.end();
            }
            servers.push(Server {
                name: server.name.clone(),
                number: server_numbers.next(server.id),
                has_own_number: server.id.is_some(),
                address,
                weight: server.weight,
                initial_weight: server.weight,
                state: if server.disabled { State::Maintenance } else { State::Ready },
                starts_disabled: server.disabled,
                changed: Moment::now(),
                backup: server.backup,
                maxconn,
                minconn,
                maxqueue: server.maxqueue,
                // It counts in whole seconds (`srv_parse_slowstart`).
                slowstart: server
                    .slowstart
                    .map(|time| u64::try_from(time.as_millis().div_ceil(1000)).unwrap_or(u64::MAX)),
                reactions: server.reactions,
                send_proxy: server.send_proxy.and_then(Version::numbered),
                shutdown_sessions_when_down: server.shutdown_sessions_when_down,
                shutdown_backup_sessions_when_up: server.shutdown_backup_sessions_when_up,
                outgoing,
                health,
                ..Server::default()
            });
        }
        places.insert(proxy.name.clone(), backends.len());
        backends.push(Backend::new(BackendParts {
            name: proxy.name.clone(),
            number: numbers[&proxy.position],
            has_own_number: proxy.id.is_some(),
            is_listen: proxy.kind == SectionKind::Listen,
            servers,
            balance: balance::algorithm(proxy.balance, proxy.hash_type),
            retries: proxy.retries,
            redispatch: proxy.redispatch.then_some(proxy.redispatch_interval),
            timeouts: proxy.timeouts,
            keepalive: proxy.server_keepalive,
            nolinger: proxy.nolinger,
            fullconn: proxy.fullconn.unwrap_or_else(|| full_load(&configuration.proxies, &proxy.name, maxconn)),
            all_backups: proxy.all_backups,
            logs: logs(&proxy.logs, proxy.log_tag.as_ref(), &configuration.global, targets)?,
            logs_checks: proxy.logging.health_checks,
        }));
    }
    let intervals: Vec<Duration> = checked.iter().map(|(_, check, ..)| check.interval).collect();
    let times = check::first_times(&intervals, configuration.global.max_spread_checks, Moment::now());
    let checks = checked.iter().zip(times);
    let checks = checks.map(|((place, check, at, timeouts, outgoing), due)| {
        Check::new(*place, check, *at, timeouts, outgoing.clone(), due)
    });
    Ok((backends, checks.collect(), places))
}

/// A server's limits, the lower one first; one that is not set is as the other (`check_config_validity`).
fn limits(server: &config::Server) -> (Option<u32>, Option<u32>) {
    let (least, most) = (server.minconn.filter(|least| *least != 0), server.maxconn);
    if least > most { (least, least) } else { (least.or(most), most) }
}

/// How many sessions are a full load of a backend that does not say: a tenth of what the frontends that lead to it may have
/// (`proxy_adjust_all_maxconn`).
fn full_load(proxies: &[Proxy], backend: &str, maxconn: u32) -> u32 {
    let lead_here = proxies.iter().filter(|proxy| !proxy.disabled && proxy.session_backend() == Some(backend));
    let all: u64 = lead_here.map(|proxy| u64::from(proxy.maxconn.unwrap_or(maxconn))).sum();
    u32::try_from(all.div_ceil(10)).unwrap_or(u32::MAX).max(1)
}

/// Numbers for those that the configuration gives none: the lowest that nobody else has.
struct Numbers {
    given: HashSet<u32>,
    next: u32,
}

impl Numbers {
    fn new(first: u32, given: impl Iterator<Item = u32>) -> Numbers {
        Numbers { given: given.collect(), next: first }
    }

    fn next(&mut self, given: Option<u32>) -> u32 {
        while given.is_none() && self.given.contains(&self.next) {
            self.next += 1;
        }
        // One with a number of its own takes a place all the same (`check_config_validity`).
        self.next += 1;
        given.unwrap_or(self.next - 1)
    }
}

/// Every proxy's number. The first one is HAProxy's own, for the stats socket.
fn numbers(proxies: &[Proxy]) -> HashMap<&Position, u32> {
    let mut numbers = Numbers::new(2, proxies.iter().filter_map(|proxy| proxy.id));
    proxies.iter().map(|proxy| (&proxy.position, numbers.next(proxy.id))).collect()
}

fn look_up(server: &ServerAddress, port: Option<u16>, position: &Position) -> Result<SocketAddr, Error> {
    let port = server.port.or(port).unwrap_or_default();
    let doing = || format!("looking up `{}`", server.host);
    let mut found = (server.host.as_str(), port).to_socket_addrs().map_err(|e| asked(position, doing(), e))?;
    found.next().ok_or_else(|| asked(position, doing(), std::io::Error::other("it has no address")))
}

/// Targets that are open already, each by what it is: several proxies share one.
#[derive(Default)]
struct Targets(Vec<(LogTarget, Arc<Target>)>);

impl Targets {
    fn open(&mut self, what: &LogTarget) -> Result<Arc<Target>, Error> {
        if let Some((_, target)) = self.0.iter().find(|(known, _)| known == what) {
            return Ok(target.clone());
        }
        let target = Target::open(what).map_err(|e| asked(&what.position, "opening this log target".into(), e))?;
        let target = Arc::new(target);
        self.0.push((what.clone(), target.clone()));
        Ok(target)
    }
}

fn logs(wanted: &[LogTarget], tag: Option<&String>, global: &Global, targets: &mut Targets) -> Result<Logs, Error> {
    let opened: Result<Vec<_>, Error> = wanted.iter().map(|what| targets.open(what)).collect();
    let tag = tag.or(global.log_tag.as_ref());
    Ok(Logs { targets: opened?, tag: tag.cloned().unwrap_or_else(|| "haproxy".into()) })
}

fn operators(global: &Global) -> Result<Operators, Error> {
    let stats = &global.stats;
    let mut sockets = Vec::new();
    for socket in &stats.sockets {
        let BindAddress::Unix(path) = &socket.address else { continue };
        let failed = |e: std::io::Error| asked(&socket.position, format!("listening on {}", path.display()), e);
        sockets.push((operator_socket(path, socket.mode).map_err(failed)?, socket.level, socket.exposes_listeners));
        let (user, group) =
            (socket.user.as_ref().map(user).transpose()?, socket.group.as_ref().map(group).transpose()?);
        std::os::unix::fs::chown(path, user.map(Uid::as_raw), group.map(Gid::as_raw)).map_err(failed)?;
    }
    let limit = stats.timeout.unwrap_or(OPERATOR_LIMIT);
    Ok(Operators::new(sockets, limit, stats.maxconn.unwrap_or(OPERATORS) as usize))
}

fn operator_socket(path: &Path, mode: Option<u32>) -> std::io::Result<UnixListener> {
    // Bound under another name and then moved, so that there is never a moment without a socket, nor one with other rights.
    let fresh = PathBuf::from(format!("{}.{}.new", path.display(), std::process::id()));
    let _ = fs::remove_file(&fresh);
    let listener = UnixListener::bind(&fresh)?;
    listener.set_nonblocking(true)?;
    if let Some(mode) = mode {
        fs::set_permissions(&fresh, fs::Permissions::from_mode(mode))?;
    }
    fs::rename(&fresh, path)?;
    Ok(listener)
}

/// As many descriptors as the process may have; says how many.
fn raise_descriptors(global: &Global) -> Result<u64, Error> {
    let doing = "raising the limit on open files";
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|e| machine(doing, e))?;
    let wanted = global.ulimit_n.map_or(hard, u64::from);
    setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted)).map_err(|e| machine(doing, e))?;
    Ok(wanted)
}

/// `chroot`, `group`, `user`, in this order, and behind everything that needs privileges (manual, 3.1).
fn drop_privileges(global: &Global) -> Result<(), Error> {
    let group = global.group.as_ref().map(group).transpose()?;
    let user = global.user.as_ref().map(user).transpose()?;
    if let Some(folder) = &global.chroot {
        let doing = format!("making {} the root folder", folder.display());
        nix::unistd::chroot(folder).map_err(|e| machine(&doing, e))?;
        nix::unistd::chdir("/").map_err(|e| machine(&doing, e))?;
    }
    if let Some(group) = group {
        nix::unistd::setgroups(&[group]).map_err(|e| machine("leaving the groups of root", e))?;
        nix::unistd::setgid(group).map_err(|e| machine("becoming another group", e))?;
    }
    if let Some(user) = user {
        nix::unistd::setuid(user).map_err(|e| machine("becoming another user", e))?;
    }
    Ok(())
}

fn user(who: &Identity) -> Result<Uid, Error> {
    match &who.who {
        Who::Number(number) => Ok(Uid::from_raw(*number)),
        Who::Name(name) => {
            let found = User::from_name(name).map_err(|e| asked(&who.position, "looking up the user".into(), e))?;
            found.map(|user| user.uid).ok_or_else(|| nobody(who, name, "user"))
        }
    }
}

fn group(who: &Identity) -> Result<Gid, Error> {
    match &who.who {
        Who::Number(number) => Ok(Gid::from_raw(*number)),
        Who::Name(name) => {
            let found = Group::from_name(name).map_err(|e| asked(&who.position, "looking up the group".into(), e))?;
            found.map(|group| group.gid).ok_or_else(|| nobody(who, name, "group"))
        }
    }
}

fn nobody(who: &Identity, name: &str, what: &str) -> Error {
    asked(&who.position, format!("becoming {what} `{name}`"), std::io::Error::other(format!("there is no such {what}")))
}
