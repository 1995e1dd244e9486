//! A case as lints look at it: what its own programs are told, which timers its proxies have, what its author expects.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::actors::{Manners, Part};
use crate::clients::{Protocol, Way};
use crate::evidence::{Fact, ProxyTimeouts, Role};
use crate::lab::enter::Place;
use crate::scenario::{Client, Expectation, NodeName, Service};
use crate::services::{Kind, Surroundings};
use crate::{Case, Vocabulary, scenario};

type Step = scenario::Step<<Vocabulary as scenario::Words>::Step>;

/// A case, and what can be told from it.
pub struct Subject<'a> {
    /// The case.
    pub case: &'a Case,
    /// What the harness's own programs are told, by the name of the service or client.
    parts: BTreeMap<&'a str, Part>,
    /// The timers of proxies, by the name of the service; each frontend's.
    timers: Vec<(&'a str, ProxyTimeouts)>,
}

/// A fault of a process that its author takes for the end of its host.
pub struct Mistaken<'a> {
    /// The fault.
    pub step: &'a Step,
    /// Whom it is done to.
    pub process: &'a str,
    /// The process's node.
    pub node: &'a str,
    /// What is expected to end a connection there.
    pub mechanism: &'a str,
}

/// Faults after which packets no longer arrive, or nobody is there to answer them.
const SILENCING: [&str; 5] = ["cut", "unplug", "power-off", "shape", "forget"];

impl<'a> Subject<'a> {
    /// Looks at a case.
    #[must_use]
    pub fn of(case: &'a Case) -> Subject<'a> {
        let clients = case.clients.iter().filter_map(|client| {
            Some((client.name.as_str(), part(client.kind.place(client, &Way::nowhere(&case.directory)))?))
        });
        let services = case.services.iter().filter_map(|service| {
            Some((service.name.as_str(), part(service.kind.place(&case.directory, &service.env))?))
        });
        Subject { case, parts: clients.chain(services).collect(), timers: timers(case) }
    }

    /// How a program of the harness's own treats its connections; `None` for any other.
    #[must_use]
    pub fn manners(&self, name: &str) -> Option<&Manners> {
        self.part(name).map(|part| match part {
            Part::Client { manners, .. }
            | Part::Amqp { manners, .. }
            | Part::Mqtt { manners, .. }
            | Part::Broker { manners, .. }
            | Part::Echo { manners, .. } => manners,
        })
    }

    /// What a program of the harness's own is told; `None` for any other.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&Part> {
        self.parts.get(name)
    }

    /// The service that a client connects to.
    #[must_use]
    pub fn target(
        &self,
        client: &Client<std::sync::Arc<dyn Protocol>>,
    ) -> Option<&'a Service<std::sync::Arc<dyn Kind>>> {
        let target = &client.target;
        self.case.services.iter().find(|service| match &target.service {
            Some(name) => service.name == *name,
            None => service.node == target.node && service.kind.port() == Some(target.port),
        })
    }

    /// The timers of a proxy, one for each of its frontends; none of any other service.
    pub fn timers(&self, service: &str) -> impl Iterator<Item = &ProxyTimeouts> {
        self.timers.iter().filter(move |(name, _)| *name == service).map(|(_, timers)| timers)
    }

    /// Whether what a client sends comes back to it, from its target or from behind a proxy.
    #[must_use]
    pub fn is_answered(&self, client: &str) -> bool {
        let echoes = |name: &str| matches!(self.part(name), Some(Part::Echo { echo: true, .. }));
        let target = self.client(client).and_then(|client| self.target(client));
        target.is_some_and(|target| {
            echoes(target.name.as_str())
                || (target.kind.role() == Role::Proxy
                    && self.case.services.iter().any(|service| echoes(service.name.as_str())))
        })
    }

    /// The client of this name.
    #[must_use]
    pub fn client(&self, name: &str) -> Option<&'a Client<std::sync::Arc<dyn Protocol>>> {
        self.case.clients.iter().find(|client| client.name.as_str() == name)
    }

    /// The node that a service or client runs on.
    #[must_use]
    pub fn node_of(&self, process: &str) -> Option<&'a NodeName> {
        let client = self.client(process).map(|client| &client.node);
        let service = || self.case.services.iter().find(|service| service.name.as_str() == process);
        client.or_else(|| service().map(|service| &service.node))
    }

    /// Whether any step keeps packets from arriving.
    #[must_use]
    pub fn is_silenced(&self) -> bool {
        self.case.timeline.iter().any(silences)
    }

    /// How long the timeline takes at most.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.case.timeline.iter().map(|step| step.kind.lasts()[1]).fold(Duration::ZERO, Duration::saturating_add)
    }

    /// The expectations of a connection that this node is an end of, of this mechanism: of the connection or of this end.
    pub fn claims_at(&self, node: &str, mechanisms: &[&str]) -> impl Iterator<Item = &'a Expectation> {
        self.case.expect.iter().filter(move |expectation| {
            let connection = &expectation.connection;
            let is_end = connection.from.matches(node) || connection.to.matches(node);
            let claimed = expectation.mechanism.as_deref().is_some_and(|mechanism| mechanisms.contains(&mechanism));
            is_end && claimed
        })
    }

    /// Faults of these kinds, done to a process where no packet is lost, and what is expected to end a connection of its node in spite of
    /// that, of these mechanisms.
    pub fn mistaken_for_dead<'b>(&'b self, verbs: &'b [&str], ends: &'b [&str]) -> impl Iterator<Item = Mistaken<'a>> {
        let faults = self.case.timeline.iter().filter(|step| !self.is_silenced() && verbs.contains(&step.verb));
        faults.filter_map(|step| {
            let process = step.kind.object()?;
            let node = self.node_of(process)?.as_str();
            let mechanism = self.claims_at(node, ends).next()?.mechanism.as_deref().unwrap_or_default();
            Some(Mistaken { step, process, node, mechanism })
        })
    }

    /// Whether any expectation claims a mechanism whose name starts so, of a connection or of one of its ends.
    #[must_use]
    pub fn claims(&self, prefix: &str) -> bool {
        self.case.expect.iter().any(|expectation| {
            let ends = expectation.endpoints.iter().map(|(_, mechanism)| mechanism);
            expectation.mechanism.iter().chain(ends).any(|mechanism| mechanism.starts_with(prefix))
        })
    }
}

/// Whether a step keeps packets from arriving, or from being answered by any kernel.
#[must_use]
pub fn silences(step: &Step) -> bool {
    SILENCING.contains(&step.verb)
}

/// What a program of the harness's own is told: its one argument.
fn part(place: std::io::Result<Place>) -> Option<Part> {
    let argv = place.ok()?.argv;
    match argv.as_slice() {
        [program, _, part] if program.is_empty() => serde_json::from_str(part).ok(),
        _ => None,
    }
}

fn timers(case: &Case) -> Vec<(&str, ProxyTimeouts)> {
    let addresses = case.nodes.iter().map(|node| (node.name.to_string(), node.address)).collect();
    let mut timers = Vec::new();
    for service in &case.services {
        let name = service.name.as_str();
        let node = case.nodes.iter().find(|node| node.name == service.node);
        let address = node.map_or(Ipv4Addr::UNSPECIFIED, |node| node.address);
        let around = Surroundings { name, address, env: &service.env, addresses: &addresses };
        timers.extend(service.kind.settings(&around).into_iter().filter_map(|fact| match fact {
            Fact::ProxySettings { timeouts, .. } => Some((name, timeouts)),
            _ => None,
        }));
    }
    timers
}
