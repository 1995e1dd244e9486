//! The lab: the built network of one case, and what runs in it.
//!
//! ```text
//! mod.rs      build, start, stop, tear down
//! keeper.rs   the PID namespace in which all processes of a run live
//! guard.rs    what outlives a run: its tracefs instance, its containers
//! outlive.rs  labs that outlive the command that asked for them
//! slices.rs   the ephemeral ports of a case
//! firewall.rs what a firewall is to the network
//! enter.rs    how a program comes to its place
//! process.rs  a started program
//! container.rs a program in a container
//! engine.rs   the engine that has the containers
//! unpacked.rs an image without an engine, on the virtual clock
//! bundle.rs   an image that is a folder already
//! programs.rs starting the programs of a case
//! reload.rs   one process takes over from another
//! pulse.rs    telling where its clock stands
//! watch.rs    reading the settings and sessions of what runs
//! ```

pub mod bundle;
pub mod container;
pub mod engine;
pub mod enter;
mod firewall;
pub mod guard;
pub mod keeper;
pub mod outlive;
pub mod process;
mod programs;
pub mod pulse;
mod reload;
pub mod slices;
pub mod unpacked;
pub mod watch;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use netns::{Direction, Network, NetworkPlan, NodePlan, Shaping, WirePlan};
use rustix::process::Signal;
use tokio::net::unix::pipe;

use self::guard::Mark;
use self::keeper::Keeper;
use self::process::Process;
use self::pulse::Pulse;
use self::slices::Slice;
use self::unpacked::Unpacked;
use self::watch::Watch;
use crate::Case;
use crate::actors::Order;
use crate::chance;
use crate::evidence::routes::Route;
use crate::evidence::store::Ledger;
use crate::evidence::trace::Tracer;
use crate::evidence::{Fact, Role};
use crate::scenario::{Neighbours, Quality, Service};
use crate::services::{Kind, Surroundings};

/// How long the end of a killed process may take.
const END_LIMIT: Duration = Duration::from_secs(10);
/// Log lines that a service can be ahead of their reader: 400 sessions can end in one millisecond.
const LOG_QUEUE: u32 = 8192;

/// Why a lab could not be built or played.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something of this machine failed.
    #[error("{doing}: {cause}")]
    Machine {
        /// What was being done.
        doing: String,
        /// What went wrong.
        cause: std::io::Error,
    },
    /// The network could not be built or changed.
    #[error(transparent)]
    Network(#[from] netns::Error),
    /// A service did not become ready.
    #[error("service `{service}` is not ready: {reason}{}", last_lines(.lines))]
    NotReady {
        /// The service.
        service: String,
        /// What was waited for, and what is known.
        reason: String,
        /// The last lines of its log.
        lines: Vec<String>,
    },
    /// A step waited for something that did not come.
    #[error("{0}")]
    Limit(String),
}

/// An error of this machine, with what was being done.
#[must_use]
pub fn doing(what: &str, cause: std::io::Error) -> Error {
    Error::Machine { doing: what.into(), cause }
}

fn last_lines(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n    | {line}")).collect()
}

/// What all labs of a run share.
#[derive(Clone, Debug)]
pub struct Site {
    /// This program, for actors and helpers.
    pub program: PathBuf,
    /// The run's PID namespace.
    pub keeper: Keeper,
    /// The run's name and its line to its guard.
    pub mark: Arc<Mark>,
    /// The unpacked images of its services, by service, on the virtual clock.
    pub images: Arc<BTreeMap<String, Unpacked>>,
    /// The reader of the kernel's trace.
    pub tracer: Arc<Tracer>,
    /// A moment of CLOCK_MONOTONIC, nanoseconds, at which the count of the kernel's ticks was a multiple of 2^21; known on the
    /// virtual clock only.
    pub wheel_ns: Option<i64>,
    /// What all chance in its labs comes from.
    pub seed: u64,
}

/// A started client or service.
#[derive(Debug)]
pub struct Running {
    /// Its processes.
    pub process: Arc<Process>,
    orders: Option<pipe::Sender>,
    reports: Option<tokio::task::JoinHandle<()>>,
}

/// A built lab.
pub struct Lab {
    /// The case that it was built for.
    pub case: Arc<Case>,
    /// Its nodes and wires.
    pub network: Network,
    /// Where its evidence goes.
    pub ledger: Ledger,
    site: Site,
    slice: Slice,
    running: BTreeMap<String, Running>,
    /// Processes that others have taken over from, as long as they have sessions.
    retired: Vec<Running>,
    watch: Watch,
    pulse: Pulse,
    addresses: BTreeMap<String, Ipv4Addr>,
    translations: Vec<tokio::task::JoinHandle<()>>,
}

impl Lab {
    /// Builds the network of a case and proves it; nothing runs in it yet.
    ///
    /// # Errors
    /// When the machine lacks something (root, netem, …).
    pub async fn build(case: Arc<Case>, site: Site, ledger: Ledger, slice: Slice, pulse: Pulse) -> Result<Lab, Error> {
        let network = Network::build(plan(&case, &slice, site.seed)).await?;
        network.prove().await?;
        let addresses: BTreeMap<_, _> = case.nodes.iter().map(|node| (node.name.to_string(), node.address)).collect();
        let nodes = case.nodes.iter().map(|node| (node.address, node.name.as_str().into())).collect();
        site.tracer.routes().add(slice.number, Route { ledger: ledger.clone(), nodes });
        let watch = Watch::new(ledger.clone(), site.tracer.routes().clone(), slice.number);
        let translations = firewall::translations(&case, &network, &ledger).await?;
        let (running, retired) = (BTreeMap::new(), Vec::new());
        let lab = Lab { case, network, ledger, site, slice, running, retired, watch, pulse, addresses, translations };
        lab.introduce();
        Ok(lab)
    }

    /// The facts that hold before anything happens.
    fn introduce(&self) {
        for (index, node) in self.case.nodes.iter().enumerate() {
            self.ledger.put_now(Fact::Node { node: node.name.to_string(), address: node.address });
            if let Some(firewall) = firewall::fact(node) {
                self.ledger.put_now(firewall);
            }
            for (name, value) in self.network.sysctls(index) {
                let (node, name, value) = (node.name.to_string(), name.clone(), value.clone());
                self.ledger.put_now(Fact::Sysctl { node, name, value });
            }
        }
        for service in &self.case.services {
            self.ledger.put_now(Fact::Program {
                name: service.name.to_string(),
                node: service.node.to_string(),
                role: service.kind.role(),
                kind: service.kind.name().into(),
                port: service.kind.port(),
            });
            for setting in service.kind.settings(&self.around(service)) {
                self.ledger.put_now(setting);
            }
        }
        for client in &self.case.clients {
            self.ledger.put_now(Fact::Program {
                name: client.name.to_string(),
                node: client.node.to_string(),
                role: Role::Client,
                kind: client.kind.name().into(),
                port: Some(client.target.port),
            });
            if let Some(limit) = client.kind.handshake_timeout() {
                self.ledger.put_now(Fact::BrokerSettings {
                    service: client.name.to_string(),
                    handshake_timeout_ms: u64::try_from(limit.as_millis()).ok(),
                    checks_every_ms: None,
                });
            }
        }
    }

    /// Where a service runs.
    fn around<'a>(&'a self, service: &'a Service<Arc<dyn Kind>>) -> Surroundings<'a> {
        let address = self.addresses.get(service.node.as_str()).copied().unwrap_or(Ipv4Addr::UNSPECIFIED);
        Surroundings { name: service.name.as_str(), address, env: &service.env, addresses: &self.addresses }
    }

    /// Gives an order to a client; a client that has ended or is frozen simply does not follow it.
    ///
    /// # Errors
    /// When there is no such client.
    pub fn order(&self, client: &str, order: &Order) -> Result<(), Error> {
        let what = format!("ordering `{client}`");
        let missing = || doing(&what, std::io::Error::other("it has not been started"));
        let orders = self.running.get(client).and_then(|running| running.orders.as_ref()).ok_or_else(missing)?;
        let mut line = serde_json::to_vec(order).map_err(|e| doing(&what, e.into()))?;
        line.push(b'\n');
        match orders.try_write(&line) {
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            Err(e) => Err(doing(&what, e)),
            Ok(_) => Ok(()),
        }
    }

    /// A running program.
    ///
    /// # Errors
    /// When it has not been started.
    pub fn process(&self, name: &str) -> Result<Arc<Process>, Error> {
        let running = self.running.get(name).map(|running| running.process.clone());
        running.ok_or_else(|| doing(&format!("finding `{name}`"), std::io::Error::other("it has not been started")))
    }

    /// Gives a proxy an order, in the words of its operator, as a step of this verb; `what` says what is being done.
    ///
    /// # Errors
    /// When it has not been started, cannot be asked, or does not do it.
    pub fn operate(&self, verb: &str, proxy: &str, order: &str, what: &str) -> Result<(), Error> {
        let process = self.process(proxy)?;
        let service = self.case.services.iter().find(|service| service.name.as_str() == proxy);
        self.injected(verb, proxy);
        let done = service.map_or_else(
            || Err(std::io::Error::other("there is no such service")),
            |service| tokio::task::block_in_place(|| service.kind.operate(&process, order)),
        );
        done.map_err(|e| doing(what, e))
    }

    /// What tells a service to take no new sessions and to end after its last one.
    #[must_use]
    pub fn soft_stop_of(&self, name: &str) -> Signal {
        let service = self.case.services.iter().find(|service| service.name.as_str() == name);
        service.map_or(Signal::USR1, |service| service.kind.soft_stop())
    }

    /// Whether a container of this lab runs, or has run and is still there.
    #[must_use]
    pub fn has_containers(&self) -> bool {
        self.running.values().any(|running| running.process.is_contained())
    }

    /// Kills every process of a program; it can be started again.
    ///
    /// # Errors
    /// When its processes do not end.
    pub async fn kill(&mut self, name: &str) -> Result<(), Error> {
        let process = self.process(name)?;
        process.kill(END_LIMIT).await
    }

    /// What runs on a node.
    #[must_use]
    pub fn programs_on(&self, node: &str) -> Vec<String> {
        self.running.keys().filter(|name| self.node_of(name) == node).cloned().collect()
    }

    /// Reads settings and sessions now: before a fault makes them unreadable.
    pub fn look(&self) {
        // It reads /proc and asks proxies: other cases' timers must not wait for that.
        tokio::task::block_in_place(|| self.watch.look());
    }

    /// The index of a node that the scenario names.
    #[must_use]
    pub fn node(&self, name: &str) -> usize {
        self.case.nodes.iter().position(|node| node.name.as_str() == name).unwrap_or_default()
    }

    /// The index of a wire that the scenario names.
    #[must_use]
    pub fn wire(&self, name: &str) -> usize {
        self.case.wires.iter().position(|wire| wire.name.as_str() == name).unwrap_or_default()
    }

    /// Whether a node is powered off.
    #[must_use]
    pub fn is_off(&self, node: &str) -> bool {
        self.network.node(self.node(node)).is_err()
    }

    /// The node of a service or client.
    #[must_use]
    pub fn node_of(&self, name: &str) -> &str {
        let service = self.case.services.iter().find(|service| service.name.as_str() == name).map(|s| &s.node);
        let client = || self.case.clients.iter().find(|client| client.name.as_str() == name).map(|c| &c.node);
        service.or_else(client).map_or("", |node| node.as_str())
    }

    /// Notes what a step did, to what.
    pub fn injected(&self, verb: &str, target: &str) {
        self.ledger.put_now(Fact::Injected { verb: verb.into(), target: target.into() });
    }

    /// Reads the socket tables of all nodes that stand.
    ///
    /// # Errors
    /// When a table cannot be read.
    pub async fn socket_tables(&self) -> Result<(), Error> {
        for (index, node) in self.case.nodes.iter().enumerate() {
            let Ok(namespace) = self.network.node(index) else { continue };
            for socket in netns::sockets::tcp(namespace).await? {
                if let Some(state) = watch::state(socket.state) {
                    let pair = crate::evidence::Pair { local: socket.local, remote: socket.remote };
                    self.ledger.put_now(Fact::Standing { node: node.name.to_string(), pair, state });
                }
            }
        }
        self.ledger.put_now(Fact::SocketTables);
        Ok(())
    }

    /// Leaves everything as it is, for a person to look at, and gathers no evidence any more; gives the commands that enter its nodes.
    ///
    /// A node is held by a descriptor of this process and by no name, so the way to it leads through this process.
    pub fn stand(&mut self) -> Vec<String> {
        self.watch.stop();
        self.translations.iter().for_each(tokio::task::JoinHandle::abort);
        self.site.tracer.routes().remove(self.slice.number);
        let ours = std::process::id();
        let enter = |(index, node): (usize, &crate::scenario::Node)| {
            let descriptor = self.network.node(index).ok()?.as_fd().as_raw_fd();
            Some(format!("{}: nsenter --net=/proc/{ours}/fd/{descriptor}", node.name))
        };
        self.case.nodes.iter().enumerate().filter_map(enter).collect()
    }

    /// Ends everything: processes first, then the network.
    ///
    /// # Errors
    /// When a process does not end or the network cannot be taken down.
    pub async fn down(mut self) -> Result<(), Error> {
        self.watch.stop();
        self.translations.iter().for_each(tokio::task::JoinHandle::abort);
        self.site.tracer.routes().remove(self.slice.number);
        let running = std::mem::take(&mut self.running);
        let retired = std::mem::take(&mut self.retired);
        for running in running.values().chain(&retired) {
            running.process.signal(Signal::KILL);
        }
        for running in running.into_values().chain(retired) {
            running.process.gone(END_LIMIT).await?;
            if let Some(reports) = running.reports {
                reports.abort();
            }
        }
        self.network.down().await?;
        Ok(())
    }

    /// Everything that the tracer has read so far is in the ledger when this returns.
    ///
    /// # Errors
    /// When the trace does not come to the mark in time.
    pub async fn trace_is_read(&self) -> Result<(), Error> {
        let marked = self.site.tracer.mark(self.slice.number).await;
        marked.map_err(|e| doing("reading the kernel's trace to its end", e))
    }
}

fn plan(case: &Case, slice: &Slice, seed: u64) -> NetworkPlan {
    let nodes = case.nodes.iter().map(|node| {
        // HAProxy drops log lines in silence when its reader's queue is full; the default is 10.
        let queue = ("net.unix.max_dgram_qlen".to_string(), LOG_QUEUE.to_string());
        let mut sysctls = vec![("net.ipv4.ip_local_port_range".to_string(), slice.port_range()), queue];
        sysctls.extend(firewall::sysctls(node));
        sysctls.extend(node.sysctls.iter().cloned());
        NodePlan {
            name: node.name.to_string(),
            address: node.address,
            sysctls,
            forwards: node.firewall.is_some(),
            firewall: node.firewall.as_ref().map(firewall::rules),
        }
    });
    let index = |name: &str| case.nodes.iter().position(|node| node.name.as_str() == name).unwrap_or_default();
    let wires = case.wires.iter().zip(chance::wires(seed, &case.name())).map(|(wire, seed)| WirePlan {
        name: wire.name.to_string(),
        ends: [index(wire.ends[0].as_str()), index(wire.ends[1].as_str())],
        mtu: wire.mtu,
        arp: wire.neighbours == Neighbours::Dynamic,
        shaping: shaping(&wire.quality, Some(seed)),
    });
    NetworkPlan { nodes: nodes.collect(), wires: wires.collect() }
}

/// What a scenario says of a wire, in the network's terms; all chance in it comes from the seed.
#[must_use]
pub fn shaping(quality: &Quality, seed: Option<u64>) -> Shaping {
    Shaping {
        delay: quality.delay,
        jitter: quality.jitter,
        loss: quality.loss.map(|p| p.0),
        duplicate: quality.duplicate.map(|p| p.0),
        reorder: quality.reorder.map(|p| p.0),
        corrupt: quality.corrupt.map(|p| p.0),
        rate_bits_per_s: quality.rate.map(|r| r.0),
        seed,
    }
}

/// The direction of a wire that starts at this node, or both.
#[must_use]
pub fn direction(lab: &Lab, from: Option<&str>) -> Direction {
    from.map_or(Direction::Both, |node| Direction::From(lab.node(node)))
}
