//! From the list of facts to connections with two endpoints each, every fact in its place.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;

use super::links::Links;
use super::way::Passed;
use crate::evidence::{
    BrokerLog, ClientLog, Context, Event, Fact, FirewallSettings, Flags, Keepalive, Meaning, Moment, Pair, Point,
    ProtocolSettings, ProxyLog, ProxyNotice, ProxyRules, ProxyTimeouts, Report, Role, SocketOptions, Source, Span,
    TcpState,
};

/// Evidence of one case, arranged for judging.
#[derive(Debug, Default)]
pub struct Model {
    /// Ticks per second of the kernel; 0 when the evidence does not tell.
    pub hz: u32,
    /// The time from a multiple of 2^21 ticks to the case's moment 0, when that is known.
    pub wheel: Option<Span>,
    /// How late the machine woke its programs, at the worst.
    pub canary: Span,
    /// Node names by address.
    pub nodes: HashMap<Ipv4Addr, String>,
    /// Services and clients.
    pub programs: Vec<Program>,
    /// All connections, in the order of their first fact.
    pub connections: Vec<Connection>,
    /// What proxies logged of ended sessions, with the time of the line.
    pub proxy_logs: Vec<(Moment, ProxyLog)>,
    /// Which legs a proxy said it had joined, and when.
    pub proxy_sessions: Vec<(Moment, Pair, Pair)>,
    /// The settings of each proxy's listeners.
    pub proxy_settings: Vec<ProxyListener>,
    /// What proxies logged of themselves and of their servers: when, which proxy, what.
    pub proxy_notices: Vec<(Moment, String, ProxyNotice)>,
    /// What brokers logged of the ends of connections.
    pub broker_logs: Vec<(Moment, BrokerLog)>,
    /// The timers of each broker.
    pub broker_settings: HashMap<String, BrokerTimers>,
    /// What foreign clients' libraries said of the ends of connections.
    pub client_logs: Vec<(Moment, ClientLog)>,
    /// The firewalls.
    pub firewalls: Vec<FirewallSettings>,
    /// Processes that ended.
    pub exits: Vec<Exit>,
    /// What was injected: time, verb, target.
    pub injected: Vec<(Moment, String, String)>,
    /// Frames at nodes that are no TCP: when, the node, sent by it or delivered to it, what.
    pub frames: Vec<(Moment, String, Point, String)>,
    /// Sysctls by node and name.
    pub sysctls: HashMap<(String, String), String>,
    /// The sockets that stood at the end were all read.
    pub tables: bool,
    /// Sources from which there is any fact at all.
    pub sources: Vec<Source>,
    /// What was not seen.
    pub gaps: Vec<String>,
    /// When the evidence ends.
    pub end: Moment,
}

/// A service or client.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// Its node.
    pub node: String,
    /// Client, server or proxy.
    pub role: Role,
    /// Its kind, as scenarios have it.
    pub kind: String,
    /// The port it is known by.
    pub port: Option<u16>,
}

/// The timers of a broker that can end a connection.
#[derive(Clone, Copy, Debug)]
pub struct BrokerTimers {
    /// How long it lets a handshake take, milliseconds; `None` is for ever.
    pub handshake_ms: Option<u64>,
    /// How often it looks at the timers of its clients, milliseconds; `None`: each wakes it.
    pub checks_every_ms: Option<u64>,
}

/// The settings of one listener of a proxy.
#[derive(Clone, Debug)]
pub struct ProxyListener {
    /// The proxy.
    pub service: String,
    /// The ports it listens on.
    pub ports: Vec<u16>,
    /// Its timeouts.
    pub timeouts: ProxyTimeouts,
    /// How much earlier than its value a timer of it may fire.
    pub lazy: Span,
    /// What else it does with sessions, when that is known.
    pub rules: Option<ProxyRules>,
}

/// A process that ended.
#[derive(Clone, Debug)]
pub struct Exit {
    /// Its fact's place in the list: the trace's microseconds do not tell what came first.
    pub n: u64,
    /// When.
    pub at: Moment,
    /// Its node.
    pub node: String,
    /// The service or client.
    pub process: String,
    /// Its pid.
    pub pid: i32,
}

/// One TCP connection.
#[derive(Debug)]
pub struct Connection {
    /// The endpoint that opened it, then the one that accepted it.
    pub endpoints: [Endpoint; 2],
    /// Its segments at nodes between them.
    pub passed: Vec<Passed>,
    /// When its first fact was seen.
    pub began: Moment,
}

/// One end of a connection.
#[derive(Debug)]
pub struct Endpoint {
    /// Its node.
    pub node: String,
    /// The service or client it belongs to, when known.
    pub program: Option<String>,
    /// What that is.
    pub role: Option<Role>,
    /// Which of its program's connections it is, by the program's own count.
    pub number: Option<u32>,
    /// Its addresses.
    pub pair: Pair,
    /// State changes in order.
    pub states: Vec<StateChange>,
    /// Errors set on the socket.
    pub errors: Vec<(Moment, String)>,
    /// RSTs that its kernel made: when, the socket's state, why.
    pub resets_sent: Vec<(Moment, Option<TcpState>, Option<String>)>,
    /// RSTs that the socket took.
    pub resets_received: Vec<Moment>,
    /// Retransmissions.
    pub retransmits: Vec<Moment>,
    /// Its options as last read.
    pub options: Option<SocketOptions>,
    /// When its present keepalive settings were read first: they were made at this moment at the latest.
    pub keepalive_by: Option<Moment>,
    /// What its program reported of it.
    pub reports: Vec<(Moment, Report)>,
    /// Its state in the socket table at the end.
    pub standing: Option<TcpState>,
    /// Segments that it put on the wire.
    pub sent: Vec<Seen>,
    /// Segments that were delivered to it.
    pub delivered: Vec<Seen>,
    /// Frames of a protocol that passed at this end.
    pub frames: Vec<Spoken>,
    /// What was agreed on in the protocol, and when.
    pub agreed: Option<(Moment, ProtocolSettings)>,
    /// A direction of the protocol could not be read to its end.
    pub unread: bool,
    /// When its host was powered off.
    pub host_down: Option<Moment>,
}

/// A frame of a protocol at one endpoint.
#[derive(Clone, Debug)]
pub struct Spoken {
    /// When its last byte passed.
    pub at: Moment,
    /// Sent by the endpoint, or delivered to it.
    pub sent: bool,
    /// Its name.
    pub name: String,
    /// What it means.
    pub means: Option<Meaning>,
    /// The reason that it gives, with its code.
    pub reply: Option<String>,
}

/// A change of a socket's state.
#[derive(Clone, Debug)]
pub struct StateChange {
    /// Its fact's place in the list.
    pub n: u64,
    /// When.
    pub at: Moment,
    /// From.
    pub old: TcpState,
    /// To.
    pub new: TcpState,
    /// In whose time.
    pub context: Context,
}

/// A segment at one endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// When.
    pub at: Moment,
    /// Control bits.
    pub flags: Flags,
    /// Sequence number of its first byte.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// The window that it offers, not scaled (RFC 7323 §2.3).
    pub window: u16,
    /// Payload in bytes.
    pub payload: u32,
}

impl Seen {
    /// The sequence number after it (RFC 9293 §3.4: SYN and FIN count as one).
    #[must_use]
    pub fn end(&self) -> u32 {
        let controls = u32::from(self.flags.syn()) + u32::from(self.flags.fin());
        self.seq.wrapping_add(self.payload).wrapping_add(controls)
    }
}

/// Whether `a` is before `b` in sequence space (RFC 9293 §3.4).
#[must_use]
pub fn before(a: u32, b: u32) -> bool {
    a != b && b.wrapping_sub(a) < 1 << 31
}

impl Model {
    /// Arranges evidence.
    #[must_use]
    pub fn of(events: &[Event]) -> Model {
        let mut model = Model { end: events.last().map(|event| event.at_ns).unwrap_or_default(), ..Model::default() };
        let mut sources: Vec<Source> = events.iter().map(|event| event.fact.source()).collect();
        sources.sort_unstable();
        sources.dedup();
        model.sources = sources;
        let mut links = Links::default();
        for event in events {
            model.frame(event);
        }
        for event in events {
            links.add(&mut model, event);
        }
        model.settle();
        model
    }

    /// Facts that are not about one connection.
    fn frame(&mut self, event: &Event) {
        let at = event.at_ns;
        match &event.fact {
            Fact::Kernel { hz, wheel, .. } => (self.hz, self.wheel) = (*hz, *wheel),
            Fact::Firewall(settings) => self.firewalls.push(settings.clone()),
            Fact::Canary { worst } => self.canary = *worst,
            Fact::Node { node, address } => {
                self.nodes.insert(*address, node.clone());
            }
            Fact::Program { name, node, role, kind, port } => self.programs.push(Program {
                name: name.clone(),
                node: node.clone(),
                role: *role,
                kind: kind.clone(),
                port: *port,
            }),
            Fact::BrokerLog(log) => self.broker_logs.push((at, log.clone())),
            Fact::ClientLog(log) => self.client_logs.push((at, log.clone())),
            Fact::BrokerSettings { service, handshake_timeout_ms, checks_every_ms } => {
                let timers = BrokerTimers { handshake_ms: *handshake_timeout_ms, checks_every_ms: *checks_every_ms };
                self.broker_settings.insert(service.clone(), timers);
            }
            Fact::ProxySettings { service, ports, timeouts, lazy_ms, rules, .. } => {
                self.proxy_settings.push(ProxyListener {
                    service: service.clone(),
                    ports: ports.clone(),
                    timeouts: timeouts.clone(),
                    lazy: Span::millis(lazy_ms.and_then(|ms| i64::try_from(ms).ok()).unwrap_or_default()),
                    rules: rules.clone(),
                })
            }
            Fact::ProxyNotice { service, notice, .. } => self.proxy_notices.push((at, service.clone(), notice.clone())),
            Fact::Sysctl { node, name, value } => {
                self.sysctls.insert((node.clone(), name.clone()), value.clone());
            }
            Fact::ProcessExit { node, process, pid, .. } => {
                self.exits.push(Exit { n: event.n, at, node: node.clone(), process: process.clone(), pid: *pid });
            }
            Fact::ProxyLog(log) => self.proxy_logs.push((at, log.clone())),
            Fact::ProxySession { client, server, .. } => self.proxy_sessions.push((at, *client, *server)),
            Fact::Injected { verb, target } => self.injected.push((at, verb.clone(), target.clone())),
            Fact::Frame { node, point, what, .. } => self.frames.push((at, node.clone(), *point, what.clone())),
            Fact::SocketTables => self.tables = true,
            Fact::Gap { from, what } => self.gaps.push(format!("{}: {what}", from.name())),
            _ => {}
        }
    }

    /// What the proxy logged of the session of a client's leg.
    #[must_use]
    pub fn proxy_log(&self, leg: usize) -> Option<&(Moment, ProxyLog)> {
        let leg = &self.connections[leg];
        let acceptor = &leg.endpoints[1];
        let mine =
            |log: &ProxyLog| log.client == acceptor.pair.remote && Some(&log.service) == acceptor.program.as_ref();
        let mut lines = self.proxy_logs.iter().filter(|(at, log)| *at >= leg.began && mine(log));
        let first = lines.next()?;
        let mut further = lines.filter(|(_, log)| log.session.is_some() && log.session == first.1.session);
        Some(further.next_back().unwrap_or(first))
    }

    fn settle(&mut self) {
        let downs: BTreeMap<String, Vec<Moment>> = self
            .injected
            .iter()
            .filter(|(_, verb, _)| verb == "power-off")
            .fold(BTreeMap::new(), |mut downs, (at, _, node)| {
                downs.entry(node.clone()).or_insert_with(Vec::new).push(*at);
                downs
            });
        for connection in &mut self.connections {
            let began = connection.began;
            for endpoint in &mut connection.endpoints {
                let down =
                    downs.get(&endpoint.node).and_then(|downs| downs.iter().find(|down| **down > began)).copied();
                if let Some(down) = down {
                    endpoint.forget_after(down);
                }
            }
        }
        let programs = std::mem::take(&mut self.programs);
        for connection in &mut self.connections {
            for (index, endpoint) in connection.endpoints.iter_mut().enumerate() {
                endpoint.belong(&programs, index == 0);
            }
        }
        self.programs = programs;
    }

    /// A node's sysctl as a number.
    #[must_use]
    pub fn sysctl(&self, node: &str, name: &str) -> Option<u64> {
        self.sysctls.get(&(node.to_string(), name.to_string()))?.parse().ok()
    }

    /// Whether there is any fact of this kind of source.
    #[must_use]
    pub fn has(&self, source: Source) -> bool {
        self.sources.contains(&source)
    }
}

impl Connection {
    /// Whether it was established, as far as can be seen from the end that opened it.
    #[must_use]
    pub fn stood(&self) -> bool {
        let opener = &self.endpoints[0];
        let unseen = opener.states.is_empty() && opener.sent.is_empty() && opener.delivered.is_empty();
        let established = |change: &StateChange| [change.old, change.new].contains(&TcpState::Established);
        unseen || opener.states.iter().any(established) || opener.delivered.iter().any(|seen| seen.flags.syn())
    }
}

impl Endpoint {
    /// When it left the states in which a connection is made or stands; by the first FIN or RST at it when its states are not
    /// known.
    #[must_use]
    pub fn ended(&self) -> Option<Moment> {
        let left = |state| matches!(state, TcpState::Established | TcpState::SynSent | TcpState::SynRecv);
        let change = self.states.iter().find(|change| left(change.old) && !left(change.new));
        let first = || self.ends(Point::Sent).chain(self.ends(Point::Delivered)).map(|seen| seen.at).min();
        change.map(|change| change.at).or_else(|| if self.states.is_empty() { first() } else { None })
    }

    /// Whether a RST at this end is for an earlier connection with the same ends. Until a SYN has come from the host that is called, what
    /// that host sends is of a socket in TIME-WAIT; the caller resets it and calls again (RFC 9293 §3.10.7.3).
    fn is_for_older(&self, reset: &Seen, point: Point) -> bool {
        let (along, against) = match point {
            Point::Sent => (&self.sent, &self.delivered),
            _ => (&self.delivered, &self.sent),
        };
        let from_caller = along.first().is_some_and(|first| first.flags.syn() && !first.flags.ack());
        from_caller && !against.iter().any(|seen| seen.flags.syn() && seen.at <= reset.at)
    }

    /// The FINs and RSTs that end it, sent by it or delivered to it.
    pub fn ends(&self, point: Point) -> impl Iterator<Item = &Seen> {
        let segments = if point == Point::Sent { &self.sent } else { &self.delivered };
        segments.iter().filter(move |seen| seen.flags.fin() || seen.flags.rst() && !self.is_for_older(seen, point))
    }

    /// An endpoint of which nothing is known yet.
    #[must_use]
    pub fn new(node: String, pair: Pair) -> Endpoint {
        Endpoint {
            node,
            program: None,
            role: None,
            number: None,
            pair,
            states: Vec::new(),
            errors: Vec::new(),
            resets_sent: Vec::new(),
            resets_received: Vec::new(),
            retransmits: Vec::new(),
            options: None,
            keepalive_by: None,
            reports: Vec::new(),
            standing: None,
            sent: Vec::new(),
            delivered: Vec::new(),
            frames: Vec::new(),
            agreed: None,
            unread: false,
            host_down: None,
        }
    }

    /// What a dead host's kernel says while it is taken apart is no evidence.
    fn forget_after(&mut self, down: Moment) {
        let stood = !self.states.iter().any(|change| change.at <= down && change.new == TcpState::Close);
        self.states.retain(|change| change.at <= down);
        self.errors.retain(|(at, _)| *at <= down);
        self.reports.retain(|(at, _)| *at <= down);
        self.resets_received.retain(|at| *at <= down);
        self.retransmits.retain(|at| *at <= down);
        // What the *new* kernel of a rebooted host sends (a RST for a connection it does not know) is evidence.
        self.resets_sent.retain(|(at, state, _)| *at <= down || state.is_none());
        self.host_down = stood.then_some(down);
    }

    /// Whose socket it is: as its options say, or its reports, or by node and port.
    fn belong(&mut self, programs: &[Program], opener: bool) {
        let here = programs.iter().filter(|program| program.node == self.node);
        let fits = |program: &&Program| {
            if opener {
                matches!(program.role, Role::Client | Role::Proxy)
            } else {
                matches!(program.role, Role::Server | Role::Proxy)
                    && (program.role == Role::Proxy || program.port.is_none_or(|port| port == self.pair.local.port()))
            }
        };
        let by_place = || {
            let mut fitting = here.clone().filter(fits);
            let only = fitting.next();
            if fitting.next().is_some() { None } else { only.map(|program| program.name.clone()) }
        };
        self.program =
            self.options.as_ref().map(|options| options.process.clone()).or(self.program.take()).or_else(by_place);
        self.role = programs.iter().find(|p| Some(&p.name) == self.program.as_ref()).map(|program| program.role);
    }

    /// Its keepalive settings, when they are known and on.
    #[must_use]
    pub fn keepalive(&self) -> Option<Keepalive> {
        self.options.as_ref().and_then(|options| options.keepalive)
    }
}
