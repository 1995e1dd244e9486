//! Starting the programs of a lab, and seeing them ready.

use std::net::SocketAddrV4;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;

use super::container::Image;
use super::enter::Place;
use super::process::{Launch, Process};
use super::unpacked::Unpacked;
use super::{END_LIMIT, Error, Lab, Running, container, doing};
use crate::actors::Said;
use crate::claim::Claim;
use crate::clients::{Protocol, Way};
use crate::clock::readable;
use crate::evidence::store::Ledger;
use crate::evidence::{Fact, Report, TcpState};
use crate::scenario::{Client, Service};
use crate::services::Kind;

/// How often the socket table is asked whether a service listens.
pub(super) const READY_POLL: Duration = Duration::from_millis(2);
/// How long a connection attempt on an unbroken lab may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// A container that was started, and the turn that it holds until it is ready.
type Begun<'a> = (&'a Service<Arc<dyn Kind>>, Option<Claim>);

impl Lab {
    /// Starts all services in their order, and waits until they are ready. Containers that follow each other become ready side by
    /// side, as far as this machine has processors for them.
    ///
    /// # Errors
    /// As [`Lab::start_service`].
    pub async fn start_services(&mut self) -> Result<(), Error> {
        let case = self.case.clone();
        let mut begun: Vec<Begun<'_>> = Vec::new();
        for service in &case.services {
            let name = service.name.as_str();
            let preparing = |e| doing(&format!("preparing `{name}`"), e);
            let contained = self.is_contained(service).map_err(preparing)?;
            let mut turn = if contained { container::free_turn().map_err(preparing)? } else { None };
            if !contained || turn.is_none() {
                // Nobody waits for a turn while holding another: two cases would wait for each other.
                for (service, _turn) in begun.drain(..) {
                    self.see_ready(service).await?;
                }
            }
            if contained && turn.is_none() {
                turn = container::turn().await.map_err(preparing)?;
            }
            self.launch(service).await?;
            if contained {
                begun.push((service, turn));
            } else {
                self.see_ready(service).await?;
            }
        }
        for (service, _turn) in begun {
            self.see_ready(service).await?;
        }
        Ok(())
    }

    /// Starts a service and waits until it is ready.
    ///
    /// # Errors
    /// When it cannot be started, ends at once, or is not ready in its time.
    pub async fn start_service(&mut self, name: &str) -> Result<(), Error> {
        let case = self.case.clone();
        let Some(service) = case.services.iter().find(|service| service.name.as_str() == name) else { return Ok(()) };
        let preparing = |e| doing(&format!("preparing `{name}`"), e);
        let contained = self.is_contained(service).map_err(preparing)?;
        let _turn = if contained { container::turn().await.map_err(preparing)? } else { None };
        self.launch(service).await?;
        self.see_ready(service).await
    }

    /// Whether the engine is to run it.
    fn is_contained(&self, service: &Service<Arc<dyn Kind>>) -> std::io::Result<bool> {
        let image = service.kind.image()?;
        Ok(image.is_some_and(|image| image.folder.is_none() && !self.site.images.contains_key(service.name.as_str())))
    }

    /// Starts a service, and does not wait.
    async fn launch(&mut self, service: &Service<Arc<dyn Kind>>) -> Result<(), Error> {
        let (case, name) = (self.case.clone(), service.name.as_str());
        self.may_start(name)?;
        let preparing = |e| doing(&format!("preparing `{name}`"), e);
        let running = match service.kind.image().map_err(preparing)? {
            Some(image) if let Some(unpacked) = self.unpacked(name, &image).map_err(preparing)? => {
                let place = unpacked.place(&image, &service.env).map_err(preparing)?;
                self.start_here(service, place).await?
            }
            Some(image) => self.start_container(service, &image).await?,
            None => {
                self.start_here(service, service.kind.place(&case.directory, &service.env).map_err(preparing)?).await?
            }
        };
        self.watch.add(running.process.clone(), service.node.as_str(), Some(service.kind.clone()));
        self.running.insert(name.into(), running);
        Ok(())
    }

    /// Waits until a service that was started is ready.
    async fn see_ready(&self, service: &Service<Arc<dyn Kind>>) -> Result<(), Error> {
        let process = self.process(service.name.as_str())?;
        self.ready(service, &process).await?;
        self.look();
        Ok(())
    }

    /// The image of a service, if it needs no engine here: in a guest, or when it is a folder.
    fn unpacked(&self, name: &str, image: &Image) -> std::io::Result<Option<Unpacked>> {
        match (self.site.images.get(name), &image.folder) {
            (Some(unpacked), _) => Ok(Some(unpacked.clone())),
            (None, Some(folder)) => folder.unpacked().map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Starts a service that is a program of this machine.
    pub(super) async fn start_here(&self, service: &Service<Arc<dyn Kind>>, place: Place) -> Result<Running, Error> {
        let launch = Launch {
            name: service.name.as_str(),
            place: self.place(place),
            network: self.network.node(self.node(service.node.as_str()))?,
            input: None,
            output: None,
            reads: service.kind.reads(&self.around(service)),
        };
        if service.kind.is_actor() { self.start_actor(launch).await } else { self.start_program(launch).await }
    }

    /// Starts a client and, if `awaits`, waits until each of its connections is made or has failed.
    ///
    /// # Errors
    /// When it cannot be started, or a connection is neither made nor failed in time.
    pub async fn start_client(&mut self, name: &str, awaits: bool) -> Result<(), Error> {
        let case = self.case.clone();
        let Some(client) = case.clients.iter().find(|client| client.name.as_str() == name) else { return Ok(()) };
        self.may_start(name)?;
        let way = Way {
            source: self.addresses[client.node.as_str()],
            target: SocketAddrV4::new(self.addresses[client.target.node.as_str()], client.target.port),
            directory: &case.directory,
        };
        let place = client.kind.place(client, &way).map_err(|e| doing(&format!("preparing `{name}`"), e))?;
        let network = self.network.node(self.node(client.node.as_str()))?;
        let launch =
            Launch { name, place: self.place(place), network, input: None, output: None, reads: client.kind.reads() };
        let before = self.attempts(client);
        let actor = client.kind.is_actor();
        let running = if actor { self.start_actor(launch).await? } else { self.start_program(launch).await? };
        let process = running.process.clone();
        self.watch.add(process.clone(), client.node.as_str(), None);
        self.running.insert(name.into(), running);
        if !awaits {
            return Ok(());
        }
        let wanted = before + if actor { client.connections as usize } else { 1 };
        let made = self.ledger.until(|_| self.attempts(client) >= wanted);
        let ended = tokio::select! {
            () = made => false,
            ended = process.ended(CONNECT_LIMIT) => ended,
        };
        // What an ended client did last may still be on its way through the trace.
        self.trace_is_read().await?;
        if self.attempts(client) < wanted {
            let what = if ended { "it ended" } else { "its time was over" };
            let limit = readable(CONNECT_LIMIT);
            return Err(Error::Limit(format!(
                "client `{name}`: {what} before its connection attempts had an answer (within {limit})"
            )));
        }
        self.look();
        Ok(())
    }

    /// A program that still runs is not started over.
    fn may_start(&self, name: &str) -> Result<(), Error> {
        let runs = self.running.get(name).is_some_and(|running| running.process.runs());
        let refused = || std::io::Error::other("it still runs; `kill` or `terminate` it first, and `wait` for its end");
        if runs { Err(doing(&format!("starting `{name}`"), refused())) } else { Ok(()) }
    }

    /// Connection attempts of a client that have an answer: by its own reports, or, of a foreign program, by the kernel.
    fn attempts(&self, client: &Client<Arc<dyn Protocol>>) -> usize {
        let (name, node) = (client.name.as_str(), client.node.as_str());
        self.ledger.count(|fact| match fact {
            Fact::Application { process, report: Report::Connected | Report::ConnectFailed { .. }, .. } => {
                process == name
            }
            Fact::State { node: at, old: TcpState::SynSent, .. } => !client.kind.is_actor() && at == node,
            _ => false,
        })
    }

    /// Every program knows the nodes by name.
    fn place(&self, place: Place) -> Place {
        let hosts = self.addresses.iter().map(|(name, address)| (name.clone(), *address));
        Place { hosts: hosts.collect(), ..place }
    }

    async fn start_program(&self, launch: Launch<'_>) -> Result<Running, Error> {
        let process = Process::start(&self.site.program, &self.site.keeper, launch, &self.ledger).await?;
        Ok(Running { process: Arc::new(process), orders: None, reports: None })
    }

    async fn start_actor(&self, mut launch: Launch<'_>) -> Result<Running, Error> {
        let what = format!("starting `{}`", launch.name);
        let pair = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|e| doing(&what, e.into()));
        let (orders_theirs, orders_ours): (OwnedFd, OwnedFd) = pair()?;
        let (reports_ours, reports_theirs) = pair()?;
        launch.input = Some(orders_theirs);
        launch.output = Some(reports_theirs);
        let name = launch.name.to_string();
        let node = self.node_of(&name).to_string();
        let process = Process::start(&self.site.program, &self.site.keeper, launch, &self.ledger).await?;
        let orders = pipe::Sender::from_owned_fd(orders_ours).map_err(|e| doing(&what, e))?;
        let reports = pipe::Receiver::from_owned_fd(reports_ours).map_err(|e| doing(&what, e))?;
        let reports = tokio::spawn(read_reports(reports, self.ledger.clone(), name, node));
        Ok(Running { process: Arc::new(process), orders: Some(orders), reports: Some(reports) })
    }

    async fn ready(&self, service: &Service<Arc<dyn Kind>>, process: &Process) -> Result<(), Error> {
        let node = self.network.node(self.node(service.node.as_str()))?;
        let wanted = service.ready.clone();
        let port = wanted.as_ref().and_then(|ready| ready.port).or_else(|| service.kind.port());
        let own_line = || if wanted.is_none() { service.kind.ready_line().map(str::to_owned) } else { None };
        let line = wanted.as_ref().and_then(|ready| ready.log.clone()).or_else(own_line);
        let within = service.ready_within.unwrap_or_else(|| service.kind.ready_within());
        let is_ready = async {
            loop {
                let listens = match port {
                    Some(port) => listeners(node, port).await? > 0,
                    None => true,
                };
                let logged = line.as_ref().is_none_or(|text| self.logged(service.name.as_str(), text));
                if listens && logged {
                    return Ok(());
                }
                if !process.runs() {
                    if process.is_contained() {
                        // Its last words come through its engine.
                        process.gone(END_LIMIT).await?;
                    }
                    return Err(self.not_ready(service, "it has ended".into()));
                }
                // The kernel has no event for "a socket of this namespace listens".
                tokio::time::sleep(READY_POLL).await;
            }
        };
        self.during(tokio::time::timeout(within, is_ready)).await.unwrap_or_else(|_| {
            let waited = match (port, &line) {
                (_, Some(text)) => format!("its log does not say `{text}`"),
                (Some(port), None) => format!("nothing listens on its port {port}"),
                (None, None) => "it did not start".into(),
            };
            Err(self.not_ready(service, format!("{waited}, after {}", readable(within))))
        })
    }

    fn logged(&self, name: &str, text: &str) -> bool {
        self.ledger.any(
            |fact| matches!(fact, Fact::ServiceLog { service, line, .. } if service == name && line.contains(text)),
        )
    }

    pub(super) fn not_ready(&self, service: &Service<Arc<dyn Kind>>, reason: String) -> Error {
        let name = service.name.as_str();
        Error::NotReady { service: name.into(), reason, lines: self.ledger.last_lines(name) }
    }
}

/// How many sockets listen on a port of a node.
async fn listeners(node: &netns::Namespace, port: u16) -> Result<usize, Error> {
    let sockets = netns::sockets::tcp(node).await?;
    let here = |socket: &&netns::sockets::TcpSocket| {
        socket.local.port() == port && socket.state == netns::sockets::TcpState::Listen
    };
    Ok(sockets.iter().filter(here).count())
}

async fn read_reports(pipe: pipe::Receiver, ledger: Ledger, process: String, node: String) {
    let mut lines = BufReader::new(pipe).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str::<Said>(&line) {
            Ok(Said { at_ns, connection, pair, report }) => {
                let (process, node) = (process.clone(), node.clone());
                ledger.put(at_ns, Fact::Application { process, node, connection, pair, report });
            }
            Err(_) => ledger.put_now(Fact::ServiceLog { service: process.clone(), stream: "stdout".into(), line }),
        }
    }
}
