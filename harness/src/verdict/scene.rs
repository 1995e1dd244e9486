//! One endpoint as a rule sees it: how it ended by each kind of source, what its leg's other side did, what was last on the wire.

use super::join::Joins;
use super::model::{Connection, Endpoint, Exit, Model, Seen, before};
use crate::evidence::{Context, Moment, ProxyLog, ProxyTimeouts, Report, Role, Source, Span, TcpState};

/// Facts of one instant are this close together: a kernel's state change, its segment on the wire, a program's report of it.
pub const INSTANT: Span = Span::millis(5);

/// How far two sources' times of one moment can be apart, all being times of CLOCK_MONOTONIC: the trace prints whole
/// microseconds, rounded, and the capture's stamps are of CLOCK_REALTIME and brought over ([`netns::CaptureEnd`]).
pub const READING: Span = Span(100_000);

/// How an endpoint's connection first ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It sent FIN before it got one.
    SentFin,
    /// It aborted: RST, by its own process.
    SentRst,
    /// FIN was delivered to it first.
    GotFin,
    /// RST was delivered to it first.
    GotRst,
    /// Its kernel gave up on the peer.
    Died,
}

impl Way {
    /// Whether this endpoint's process ended it.
    #[must_use]
    pub fn by_process(self) -> bool {
        matches!(self, Way::SentFin | Way::SentRst)
    }

    /// Whether it was this endpoint that ended it.
    #[must_use]
    pub fn own(self) -> bool {
        matches!(self, Way::SentFin | Way::SentRst | Way::Died)
    }
}

/// What one kind of source says of an endpoint's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When.
    pub at: Moment,
    /// How.
    pub way: Way,
    /// Which source says so.
    pub source: Source,
}

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
        Scene { side: 1 - self.side, ..*self }
    }

    /// This endpoint is a proxy's.
    #[must_use]
    pub fn at_proxy(&self) -> bool {
        self.me().role == Some(Role::Proxy)
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
        Some(Scene { connection, side: 1 - self.side, ..*self })
    }

    /// The session's legs at this proxy: the client's, the server's.
    #[must_use]
    pub fn legs(&self) -> (Option<Scene<'a>>, Option<Scene<'a>>) {
        if self.client_leg() { (Some(*self), self.other_leg()) } else { (self.other_leg(), Some(*self)) }
    }

    /// How this endpoint ended, by each kind of source that tells.
    #[must_use]
    pub fn endings(&self) -> Vec<Ending> {
        [self.kernel_end(), self.wire_end(), self.log_end()].into_iter().flatten().collect()
    }

    /// The end, by the source that knows best: the kernel, else the wire, else the program's own report.
    #[must_use]
    pub fn end(&self) -> Option<Ending> {
        self.kernel_end().or_else(|| self.wire_end()).or_else(|| self.log_end())
    }

    /// What the kernel's trace says.
    #[must_use]
    pub fn kernel_end(&self) -> Option<Ending> {
        let me = self.me();
        let left = |state| matches!(state, TcpState::Established | TcpState::SynSent | TcpState::SynRecv);
        let change = me.states.iter().find(|change| left(change.old) && !left(change.new))?;
        let way = match change.new {
            TcpState::FinWait1 => Way::SentFin,
            TcpState::CloseWait => Way::GotFin,
            // tcp_reset() takes the RST, and then ends the socket; no socket outlives one that it took.
            _ if me.resets_received.iter().any(|at| *at <= change.at) => Way::GotRst,
            _ if matches!(change.context, Context::Process { .. }) => Way::SentRst,
            _ => Way::Died,
        };
        Some(Ending { at: change.at, way, source: Source::Kernel })
    }

    /// What the wire says: the first FIN or RST at this end.
    #[must_use]
    pub fn wire_end(&self) -> Option<Ending> {
        let me = self.me();
        let ends = |seen: &&Seen| seen.flags.fin() || seen.flags.rst();
        let ending = |seen: &Seen, fin, rst| Ending {
            at: seen.at,
            way: if seen.flags.rst() { rst } else { fin },
            source: Source::Wire,
        };
        // What a rebooted host's new kernel sends is not this endpoint's doing.
        let alive = |seen: &&Seen| me.host_down.is_none_or(|down| seen.at <= down);
        let sent = me.sent.iter().filter(alive).find(ends).map(|seen| ending(seen, Way::SentFin, Way::SentRst));
        let got = me.delivered.iter().filter(alive).find(ends).map(|seen| ending(seen, Way::GotFin, Way::GotRst));
        let first = match (sent, got) {
            (Some(sent), Some(got)) => Some(if got.at < sent.at { got } else { sent }),
            (sent, got) => sent.or(got),
        };
        // A kernel may give up in silence, or hold a FIN back behind data: what passes later does not tell how it ended.
        // Its own FIN is that of its own close however late it passes: the kernel changes the state first, and then sends it.
        let silent = self.kernel_end().filter(|end| matches!(end.way, Way::Died | Way::SentFin));
        let own_fin = |first: &Ending, end: Ending| first.way == Way::SentFin && end.way == Way::SentFin;
        first.filter(|first| silent.is_none_or(|end| own_fin(first, end) || first.at <= end.at.after(INSTANT)))
    }

    /// What the program itself reports, if it is one that reports.
    #[must_use]
    pub fn log_end(&self) -> Option<Ending> {
        self.me().reports.iter().find_map(|(at, report)| {
            let way = match report {
                Report::Eof => Way::GotFin,
                Report::Error { errno } if matches!(errno.as_str(), "ECONNRESET" | "EPIPE") => Way::GotRst,
                Report::Error { .. } => Way::Died,
                Report::Closed { took, .. } => {
                    let began = Moment(at.0 - took.unwrap_or_default().0);
                    return Some(Ending { at: began, way: Way::SentFin, source: Source::Log });
                }
                _ => return None,
            };
            Some(Ending { at: *at, way, source: Source::Log })
        })
    }

    /// Whether the program says that it closed the connection, and this end can be the work of that close(2).
    ///
    /// The kernel changes the socket's state while the program is in the system call, so that the change lies between its
    /// beginning and its return, however long the program was preempted meanwhile. The FIN can pass later: it waits behind data.
    #[must_use]
    pub fn closed_by_program(&self, end: &Ending) -> bool {
        self.me().reports.iter().any(|(returned, report)| {
            let Report::Closed { took, .. } = report else { return false };
            // A report that does not tell when the close began is taken for one of the same instant.
            let began = Moment(returned.0 - took.unwrap_or(INSTANT).0);
            let begun = began <= end.at.after(READING);
            begun && (end.source == Source::Wire || end.at <= returned.after(READING))
        })
    }

    /// The RST that this socket made when it was aborted or given up: its moment and the kernel's reason, if that is told.
    ///
    /// A timer makes it and then ends the socket (`tcp_keepalive_timer`); in a process's time the socket is ended first
    /// (`__tcp_close`, `tcp_disconnect`), and the process may be preempted before the RST.
    #[must_use]
    pub fn reset_made(&self) -> Option<(Moment, Option<&'a str>)> {
        let end = self.kernel_end().filter(|end| matches!(end.way, Way::SentRst | Way::Died))?;
        let made = self.me().resets_sent.iter().filter(|(_, state, _)| state.is_some());
        let (at, _, reason) = belonging(made, |(at, ..)| *at, end.at)?;
        Some((*at, reason.as_deref()))
    }

    /// The error with which the kernel gave the connection up. It is reported after the socket's end (`tcp_done_with_error`),
    /// before Linux 6.11 ahead of it (`tcp_write_err`).
    #[must_use]
    pub fn fatal_error(&self) -> Option<(Moment, &'a str)> {
        let end = self.kernel_end().filter(|end| end.way == Way::Died)?;
        let (at, errno) = belonging(self.me().errors.iter(), |(at, _)| *at, end.at)?;
        Some((*at, errno))
    }

    /// Whether this endpoint's program reports what becomes of its connections (the harness's own do).
    #[must_use]
    pub fn reports(&self) -> bool {
        !self.me().reports.is_empty()
    }

    /// Until when this endpoint's story goes: its end, the end of its host, or the end of the evidence.
    #[must_use]
    pub fn until(&self) -> Moment {
        self.end().map(|end| end.at).or(self.me().host_down).unwrap_or(self.model.end)
    }

    /// Whether this end of the wire had a carrier all the time: without one, nothing that the node sends is seen.
    #[must_use]
    pub fn carrier(&self) -> bool {
        self.injected(&["unplug"], self.model.end).is_none()
    }

    /// The exit of the very thread that closed the socket, before it did: the kernel closes what an ended process had open.
    #[must_use]
    pub fn exit(&self) -> Option<&'a Exit> {
        let end = self.kernel_end()?;
        let change = self.me().states.iter().find(|change| change.at == end.at)?;
        let Context::Process { pid, .. } = &change.context else { return None };
        self.model.exits.iter().find(|exit| exit.node == self.me().node && exit.pid == *pid && exit.at <= end.at)
    }

    /// The segments that the kernel takes for a sign of life: not the peer's keepalive probes, which it only answers
    /// (tcp_validate_incoming() goes no further with a sequence number before the window).
    #[must_use]
    pub fn heard(&self) -> Vec<&'a Seen> {
        let mut furthest: Option<u32> = None;
        let fresh = |seen: &&Seen| {
            let probe = seen.payload <= 1
                && !seen.flags.syn()
                && !seen.flags.fin()
                && furthest.is_some_and(|far| before(seen.seq, far));
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
        let me = self.me();
        let change = me.states.iter().find(|change| change.new == TcpState::Established).map(|change| change.at);
        change.unwrap_or(self.connection().began)
    }

    /// The timeouts in force for a session of this proxy.
    #[must_use]
    pub fn timeouts(&self) -> Option<&'a ProxyTimeouts> {
        let program = self.me().program.as_ref()?;
        let mut listeners = self.model.proxy_settings.iter().filter(|listener| listener.service == *program);
        let port = self.legs().0.map(|leg| leg.me().pair.local.port());
        let by_port = |listener: &&super::model::ProxyListener| port.is_some_and(|port| listener.ports.contains(&port));
        let found = listeners.clone().find(by_port).or_else(|| {
            let only = listeners.next();
            if listeners.next().is_some() { None } else { only }
        });
        found.map(|listener| &listener.timeouts)
    }

    /// What the proxy logged of this session; `None` at an endpoint that is not the proxy's.
    #[must_use]
    pub fn proxy_log(&self) -> Option<&'a (Moment, ProxyLog)> {
        if !self.at_proxy() {
            return None;
        }
        let client = self.legs().0?.me().pair.remote;
        let program = self.me().program.as_ref()?;
        let began = self.legs().0?.connection().began;
        let mine = |log: &ProxyLog| log.client == client && log.service == *program;
        self.model.proxy_logs.iter().find(|(at, log)| *at >= began && mine(log))
    }

    /// Reads a sysctl of this endpoint's node.
    #[must_use]
    pub fn sysctl(&self, name: &str) -> Option<u64> {
        self.model.sysctl(&self.me().node, name)
    }

    /// How long this endpoint's program was frozen between two moments.
    #[must_use]
    pub fn frozen(&self, from: Moment, to: Moment) -> Span {
        let mut frozen = Span::default();
        let mut since = None;
        let mine = |target: &str| self.me().program.as_deref() == Some(target);
        for (at, verb, _) in self.model.injected.iter().filter(|(_, _, target)| mine(target)) {
            match (verb.as_str(), since) {
                ("freeze", None) => since = Some(*at),
                ("thaw", Some(start)) => {
                    frozen.0 += (*at).min(to).since(start.max(from)).0.max(0);
                    since = None;
                }
                _ => {}
            }
        }
        frozen
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

/// Of what the kernel did to a socket, all by one clock, what belongs to the socket's end: an ended one does it once at most,
/// so it is the first that comes behind the end, else the last before it.
fn belonging<'a, T>(
    facts: impl DoubleEndedIterator<Item = &'a T> + Clone,
    at: fn(&T) -> Moment,
    end: Moment,
) -> Option<&'a T> {
    facts.clone().find(|fact| at(fact) >= end).or_else(|| facts.rev().next())
}

/// When the last segment passed that carried payload for the first time.
fn last_new(segments: &[Seen], at: Moment) -> Option<Moment> {
    let mut furthest: Option<u32> = None;
    let mut last = None;
    for seen in segments.iter().filter(|seen| seen.at < at) {
        if furthest.is_none_or(|far| before(far, seen.end())) {
            furthest = Some(seen.end());
            if seen.payload > 0 {
                last = Some(seen.at);
            }
        }
    }
    last
}
