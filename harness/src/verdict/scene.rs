//! One endpoint as a rule sees it: what its leg's other side did, what was last on the wire.

use super::join::Joins;
use super::model::{Connection, Endpoint, Exit, Model, Program, ProxyListener, Seen, before};
use crate::evidence::{Context, Moment, Point, ProxyLog, ProxyRules, ProxyTimeouts, Role, Source, Span, TcpState};
use crate::wheel::Phase;

pub use super::ending::{Ending, Way};

/// Facts of one instant are this close together: a kernel's state change, its segment on the wire.
pub const INSTANT: Span = Span::millis(5);

/// A proxy that is not at its limit accepts a connection so soon, on an idle machine.
const ACCEPTS_WITHIN: Span = Span::millis(100);

/// One endpoint of one connection, in its surroundings.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// All evidence.
    pub model: &'a Model,
    /// The sessions.
    pub joins: &'a Joins,
    /// The connection's index.
    pub connection: usize,
    /// The endpoint: 0 opened it, 1 accepted it.
    pub side: usize,
    /// The peer's FIN is no end to this endpoint: what is asked for is what became of the direction that it left open.
    pub past_fin: bool,
}

impl<'a> Scene<'a> {
    /// The connection.
    #[must_use]
    pub fn connection(&self) -> &'a Connection {
        &self.model.connections[self.connection]
    }

    /// This endpoint.
    #[must_use]
    pub fn me(&self) -> &'a Endpoint {
        &self.connection().endpoints[self.side]
    }

    /// The scene from the connection's other end.
    #[must_use]
    pub fn peer(&self) -> Scene<'a> {
        Scene { side: 1 - self.side, past_fin: false, ..*self }
    }

    /// This endpoint is a proxy's.
    #[must_use]
    pub fn at_proxy(&self) -> bool {
        self.me().role == Some(Role::Proxy)
    }

    /// The program that this endpoint belongs to.
    #[must_use]
    pub fn program(&self) -> Option<&'a Program> {
        let name = self.me().program.as_ref()?;
        self.model.programs.iter().find(|program| program.name == *name)
    }

    /// This leg is the one between client and proxy.
    #[must_use]
    pub fn client_leg(&self) -> bool {
        self.side == 1
    }

    /// The same proxy's endpoint of the session's other leg.
    #[must_use]
    pub fn other_leg(&self) -> Option<Scene<'a>> {
        if !self.at_proxy() {
            return None;
        }
        let connection = self.joins.other_leg(self.connection)?;
        Some(Scene { connection, side: 1 - self.side, past_fin: false, ..*self })
    }

    /// The session's legs at this proxy: the client's, the server's.
    #[must_use]
    pub fn legs(&self) -> (Option<Scene<'a>>, Option<Scene<'a>>) {
        if self.client_leg() { (Some(*self), self.other_leg()) } else { (self.other_leg(), Some(*self)) }
    }

    /// What this proxy opened for the session, in order: attempts that failed, and the server's leg.
    #[must_use]
    pub fn attempts(&self) -> &'a [usize] {
        let client = self.legs().0.map(|leg| leg.connection);
        client.map(|client| self.joins.opened_for(client)).unwrap_or_default()
    }

    /// Whether it is certain that the proxy opened nothing for this client's leg: without the wire an attempt can go unseen.
    #[must_use]
    pub fn has_no_attempts(&self) -> bool {
        self.model.has(Source::Wire) && self.attempts().is_empty() && self.has_all_attempts()
    }

    /// Whether all that the proxy opened while this leg stood is known to be somebody's.
    #[must_use]
    pub fn has_all_attempts(&self) -> bool {
        let (began, until) = (self.connection().began, self.until());
        let here = |connection: &Connection| connection.endpoints[0].program == self.me().program;
        let free = |(index, connection): (usize, &Connection)| {
            here(connection) && self.joins.is_free(index) && connection.began >= began && connection.began <= until
        };
        !self.joins.ambiguous.contains(&self.connection) && !self.model.connections.iter().enumerate().any(free)
    }

    /// When the proxy accepted this leg, and how much later that may have been: a proxy at its limit leaves a connection in its
    /// kernel's queue. On a leg that it opened itself, when the connection stood.
    #[must_use]
    pub fn accepted(&self) -> (Moment, Span) {
        let established = self.established();
        if !self.client_leg() {
            return (established, Span(0));
        }
        let opened = self.attempts().first().map(|index| self.model.connections[*index].began);
        let total = |log: &ProxyLog| log.total_ms.map(|total| i64::try_from(total).unwrap_or(i64::MAX / 1_000_000));
        if let Some((at, total)) = self.proxy_log().and_then(|(at, log)| Some((at, total(log)?))) {
            // The line may be read late; the proxy opens the other leg at the accept at the earliest.
            let logged = Moment(at.0.saturating_sub(Span::millis(total).0));
            let accepted = opened.map_or(logged, |opened| opened.min(logged));
            let waited = accepted.since(established) > Span(ACCEPTS_WITHIN.0 + self.model.canary.0);
            return (if waited { accepted } else { established }, Span(0));
        }
        let unsure = opened.map(|opened| opened.since(established)).filter(|later| *later > ACCEPTS_WITHIN);
        (established, unsure.unwrap_or_default())
    }

    /// Whether this is where an attempt to connect was to arrive, and it never did: no fact is known of this endpoint. Only the wire can
    /// show that; a kernel says nothing of a SYN that it has answered.
    #[must_use]
    pub fn never_reached(&self) -> bool {
        let me = self.me();
        self.side == 1
            && self.model.has(Source::Wire)
            && !self.connection().stood()
            && me.states.is_empty()
            && me.sent.is_empty()
            && me.reports.is_empty()
    }

    /// Whether this connection waited, unaccepted, in the kernel's queue of the proxy's listening socket: the proxy logged nothing of
    /// it, and no process held it when the options of all sockets were read.
    #[must_use]
    pub fn unaccepted(&self) -> bool {
        self.model.has(Source::Log) && self.model.has(Source::Settings) && self.may_be_unaccepted()
    }

    /// Whether nothing shows that the proxy accepted this connection.
    #[must_use]
    pub fn may_be_unaccepted(&self) -> bool {
        let silent = self.me().options.is_none() && self.proxy_log().is_none() && self.attempts().is_empty();
        self.at_proxy() && self.client_leg() && silent
    }

    /// Whether this endpoint's program reports what becomes of its connections (the harness's own do).
    #[must_use]
    pub fn reports(&self) -> bool {
        !self.me().reports.is_empty()
    }

    /// Whether the kernel's trace shows that this endpoint had a socket at `at`.
    #[must_use]
    pub fn had_socket(&self, at: Moment) -> bool {
        let me = self.me();
        let closed = me.states.iter().any(|change| change.new == TcpState::Close && change.at <= at.after(INSTANT));
        me.states.iter().any(|change| change.at <= at) && !closed && me.host_down.is_none_or(|down| down > at)
    }

    /// Until when this endpoint's story goes: its end, the end of its host, or the end of the evidence.
    #[must_use]
    pub fn until(&self) -> Moment {
        self.end().map(|end| end.at).or(self.me().host_down).unwrap_or(self.model.end)
    }

    /// Whether what the node sends was seen at this end of the wire all the time: it is not without a carrier, nor while the node
    /// asks in vain for its neighbour's MAC address.
    #[must_use]
    pub fn carrier(&self) -> bool {
        self.injected(&["unplug"], self.model.end).is_none() && self.arp_unanswered().is_empty()
    }

    /// The ARP requests of this node, up to the end of this endpoint, that came after the last answer to one.
    #[must_use]
    pub fn arp_unanswered(&self) -> Vec<Moment> {
        let until = self.until();
        let of = |point: Point, what: &str| {
            let mine = self.model.frames.iter().filter(|(at, node, ..)| *node == self.me().node && *at <= until);
            mine.filter(|(.., passed, frame)| *passed == point && frame == what).map(|(at, ..)| *at).collect::<Vec<_>>()
        };
        let answered = of(Point::Delivered, "ARP reply").last().copied();
        let mut requests = of(Point::Sent, "ARP request");
        requests.retain(|at| answered.is_none_or(|answered| *at > answered));
        requests
    }

    /// When an ICMP message was delivered to this node, last before the end of this endpoint.
    #[must_use]
    pub fn icmp_delivered(&self) -> Option<Moment> {
        let delivered = |(at, node, point, what): &&(Moment, String, Point, String)| {
            *node == self.me().node
                && *point == Point::Delivered
                && what == "ICMP"
                && *at <= self.until().after(INSTANT)
        };
        self.model.frames.iter().rev().find(delivered).map(|(at, ..)| *at)
    }

    /// The exit of the very thread that closed the socket, before it did: the kernel closes what an ended process had open.
    #[must_use]
    pub fn exit(&self) -> Option<&'a Exit> {
        let end = self.kernel_end()?;
        let change = self.me().states.iter().find(|change| change.at == end.at)?;
        let Context::Process { pid, .. } = &change.context else { return None };
        self.model.exits.iter().find(|exit| exit.node == self.me().node && exit.pid == *pid && exit.n < change.n)
    }

    /// The segments that the kernel takes for a sign of life: not the peer's keepalive probes, nor its SYN, ACK sent again, which
    /// it only answers (tcp_validate_incoming() goes no further with a sequence number before the window).
    #[must_use]
    pub fn heard(&self) -> Vec<&'a Seen> {
        let mut furthest: Option<u32> = None;
        let fresh = |seen: &&Seen| {
            let probe = seen.payload <= 1 && !seen.flags.fin() && furthest.is_some_and(|far| before(seen.seq, far));
            if furthest.is_none_or(|far| before(far, seen.end())) {
                furthest = Some(seen.end());
            }
            !probe
        };
        self.me().delivered.iter().filter(fresh).collect()
    }

    /// The last sign of life that reached this endpoint before `at`.
    #[must_use]
    pub fn last_received(&self, at: Moment) -> Option<&'a Seen> {
        self.heard().into_iter().rev().find(|seen| seen.at < at)
    }

    /// The last new payload that this endpoint sent or got before `at`.
    #[must_use]
    pub fn last_payload(&self, at: Moment) -> Option<Payload> {
        let me = self.me();
        let sent = last_new(&me.sent, at).map(|at| Payload { at, sent: true });
        let got = last_new(&me.delivered, at).map(|at| Payload { at, sent: false });
        match (sent, got) {
            (Some(sent), Some(got)) => Some(if got.at > sent.at { got } else { sent }),
            (sent, got) => sent.or(got),
        }
    }

    /// When new payload was delivered to this endpoint before `at`.
    #[must_use]
    pub fn payload_delivered(&self, at: Moment) -> Vec<Moment> {
        all_new(&self.me().delivered, at)
    }

    /// Bytes that this endpoint had sent and its peer had not acknowledged at `at`.
    #[must_use]
    pub fn unacknowledged(&self, at: Moment) -> u32 {
        let me = self.me();
        let furthest = |numbers: &mut dyn Iterator<Item = u32>| {
            numbers.fold(None, |far: Option<u32>, n| Some(far.map_or(n, |far| if before(far, n) { n } else { far })))
        };
        // A keepalive probe repeats an old number, so it never reaches further; the RST of a dying socket is no data.
        let sent = furthest(&mut me.sent.iter().filter(|s| s.at < at && !s.flags.rst()).map(Seen::end));
        let acked = furthest(&mut me.delivered.iter().filter(|s| s.at < at && s.flags.ack()).map(|s| s.ack));
        match (sent, acked) {
            (Some(sent), Some(acked)) if before(acked, sent) => sent.wrapping_sub(acked),
            _ => 0,
        }
    }

    /// Since when the peer had acknowledged as much as it had at `at`: what was retransmitted before has arrived.
    #[must_use]
    pub fn acknowledged_since(&self, at: Moment) -> Option<Moment> {
        let acks = self.me().delivered.iter().filter(|seen| seen.at < at && seen.flags.ack());
        let furthest = acks.fold(None, |far: Option<&Seen>, seen| match far {
            Some(far) if !before(far.ack, seen.ack) => Some(far),
            _ => Some(seen),
        });
        furthest.map(|seen| seen.at)
    }

    /// Keepalive probes that this endpoint sent after the last segment it received before `at` (RFC 9293 §3.8.4).
    #[must_use]
    pub fn unanswered_probes(&self, at: Moment) -> Vec<Moment> {
        let me = self.me();
        let since = self.last_received(at).map(|seen| (seen.at, seen.ack));
        let Some((since, acknowledged)) = since else { return Vec::new() };
        let probe = |seen: &&Seen| {
            seen.payload <= 1
                && !seen.flags.fin()
                && !seen.flags.rst()
                && !seen.flags.syn()
                && seen.seq == acknowledged.wrapping_sub(1)
        };
        me.sent.iter().filter(|seen| seen.at > since && seen.at < at).filter(probe).map(|seen| seen.at).collect()
    }

    /// When the connection stood: its handshake was over.
    #[must_use]
    pub fn established(&self) -> Moment {
        self.stood_since().unwrap_or(self.connection().began)
    }

    /// When the connection stood, if a source tells: the kernel, or the wire by the segment that ends TCP's handshake here.
    #[must_use]
    pub fn stood_since(&self) -> Option<Moment> {
        let me = self.me();
        let change = me.states.iter().find(|change| change.new == TcpState::Established).map(|change| change.at);
        let last_of_handshake = |seen: &&Seen| seen.flags.ack() && seen.flags.syn() == (self.side == 0);
        change.or_else(|| me.delivered.iter().find(last_of_handshake).map(|seen| seen.at))
    }

    /// The phase of the kernel's timer wheel at a moment.
    #[must_use]
    pub fn phase(&self, at: Moment) -> Phase {
        let since = |wheel: Span| wheel.0.saturating_add(at.0);
        self.model.wheel.map_or(Phase::Unknown, |wheel| Phase::known(since(wheel), self.model.hz))
    }

    /// The timeouts in force for a session of this proxy.
    #[must_use]
    pub fn timeouts(&self) -> Option<&'a ProxyTimeouts> {
        self.listener().map(|listener| &listener.timeouts)
    }

    /// What else this proxy does with a session, when that is known.
    #[must_use]
    pub fn rules(&self) -> Option<&'a ProxyRules> {
        self.listener()?.rules.as_ref()
    }

    /// The settings of the listener that took this session.
    #[must_use]
    pub fn listener(&self) -> Option<&'a ProxyListener> {
        let program = self.me().program.as_ref()?;
        let mut listeners = self.model.proxy_settings.iter().filter(|listener| listener.service == *program);
        let port = self.legs().0.map(|leg| leg.me().pair.local.port());
        let by_port = |listener: &&ProxyListener| port.is_some_and(|port| listener.ports.contains(&port));
        listeners.clone().find(by_port).or_else(|| {
            let only = listeners.next();
            if listeners.next().is_some() { None } else { only }
        })
    }

    /// What the proxy logged of this session; `None` at an endpoint that is not the proxy's.
    #[must_use]
    pub fn proxy_log(&self) -> Option<&'a (Moment, ProxyLog)> {
        if !self.at_proxy() {
            return None;
        }
        self.model.proxy_log(self.legs().0?.connection)
    }

    /// Reads a sysctl of this endpoint's node.
    #[must_use]
    pub fn sysctl(&self, name: &str) -> Option<u64> {
        self.model.sysctl(&self.me().node, name)
    }

    /// How long this endpoint's program was frozen between two moments.
    #[must_use]
    pub fn frozen(&self, from: Moment, to: Moment) -> Span {
        let within = |(start, end): (Moment, Moment)| end.min(to).since(start.max(from)).0.max(0);
        Span(self.freezes().into_iter().map(within).sum())
    }

    /// When this endpoint's program was frozen, and when thawed again.
    #[must_use]
    pub fn freezes(&self) -> Vec<(Moment, Moment)> {
        let mut freezes = Vec::new();
        let mut since = None;
        let mine = |target: &str| self.me().program.as_deref() == Some(target);
        for (at, verb, _) in self.model.injected.iter().filter(|(_, _, target)| mine(target)) {
            match (verb.as_str(), since) {
                ("freeze", None) => since = Some(*at),
                ("thaw", Some(start)) => {
                    freezes.push((start, *at));
                    since = None;
                }
                _ => {}
            }
        }
        freezes
    }

    /// Since when this endpoint's program stands frozen, if it was not thawed any more.
    #[must_use]
    pub fn frozen_since(&self) -> Option<Moment> {
        let turns = ["freeze", "thaw", "start"];
        let mine = |target: &str| self.me().program.as_deref() == Some(target);
        let mut last = self.model.injected.iter().rev().filter(|(_, verb, _)| turns.contains(&verb.as_str()));
        last.find(|(.., target)| mine(target)).filter(|(_, verb, _)| verb == "freeze").map(|(at, ..)| *at)
    }

    /// What was injected at this endpoint's program or node, last before `at`.
    #[must_use]
    pub fn injected(&self, verbs: &[&str], at: Moment) -> Option<&'a (Moment, String, String)> {
        let me = self.me();
        let mine = |target: &str| *target == me.node || me.program.as_deref() == Some(target);
        let earlier = self.model.injected.iter().rev().filter(|(when, ..)| when.0 <= at.after(INSTANT).0);
        earlier.into_iter().find(|(_, verb, target)| verbs.contains(&verb.as_str()) && mine(target))
    }
}

/// Payload at an endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Payload {
    /// When.
    pub at: Moment,
    /// Sent by the endpoint, or delivered to it.
    pub sent: bool,
}

/// Whether two facts are of one instant.
#[must_use]
pub fn close(a: Moment, b: Moment) -> bool {
    (a.0 - b.0).abs() <= INSTANT.0
}

/// When the last segment passed that carried payload for the first time.
fn last_new(segments: &[Seen], at: Moment) -> Option<Moment> {
    all_new(segments, at).last().copied()
}

/// When segments passed, before `at`, that carried payload for the first time.
fn all_new(segments: &[Seen], at: Moment) -> Vec<Moment> {
    let mut furthest: Option<u32> = None;
    let mut new = Vec::new();
    for seen in segments.iter().filter(|seen| seen.at < at) {
        if furthest.is_none_or(|far| before(far, seen.end())) {
            furthest = Some(seen.end());
            if seen.payload > 0 {
                new.push(seen.at);
            }
        }
    }
    new
}
