//! What an endpoint's program and its peer said in a protocol of their own, and what the program says of its reasons.

use super::model::Spoken;
use super::scene::Scene;
use crate::evidence::{Heartbeat, Meaning, Moment, Report, Role, Source, Span, UNNAMED, Why};

/// Kinds of programs that speak no protocol: plain TCP.
const PLAIN: [&str; 2] = ["tcp", "echo"];

/// A line about a connection's end is written in the moment of that end, on an idle machine.
const NEAR: Span = Span::millis(100);

/// Whether a protocol is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoke {
    /// Frames of one were seen here.
    Yes,
    /// Certainly none, as this kind of source tells.
    No(Source),
    /// No source at hand tells.
    Unknown,
}

impl<'a> Scene<'a> {
    /// Whether a protocol is spoken on this connection.
    #[must_use]
    pub fn spoke(&self) -> Spoke {
        let ends = [*self, self.peer()];
        if ends.iter().any(|end| !end.me().frames.is_empty() || end.me().agreed.is_some() || end.me().unread) {
            return Spoke::Yes;
        }
        if ends.iter().any(Scene::is_plain) {
            return Spoke::No(Source::Timeline);
        }
        if self.model.has(Source::Wire) { Spoke::No(Source::Wire) } else { Spoke::Unknown }
    }

    /// This endpoint's program speaks no protocol.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.kind().is_some_and(|kind| PLAIN.contains(&kind))
    }

    /// The kind of this endpoint's program, as scenarios have it.
    #[must_use]
    pub fn kind(&self) -> Option<&'a str> {
        let program = self.me().program.as_ref()?;
        self.model.programs.iter().find(|known| known.name == *program).map(|known| known.kind.as_str())
    }

    /// The first frame of this meaning that passed here before `at`.
    #[must_use]
    pub fn said(&self, meaning: Meaning, at: Moment) -> Option<&'a Spoken> {
        self.me().frames.iter().find(|frame| frame.means == Some(meaning) && frame.at <= at)
    }

    /// All frames that passed here can be known: both directions were read to their end.
    #[must_use]
    pub fn frames_are_whole(&self) -> bool {
        self.model.has(Source::Wire) && !self.me().unread
    }

    /// The heartbeat in force at this endpoint, since when, and what its program calls itself.
    #[must_use]
    pub fn heartbeat(&self) -> Option<(Moment, Heartbeat, Option<&'a str>)> {
        let (at, agreed) = self.me().agreed.as_ref()?;
        Some((*at, agreed.heartbeat, agreed.software.as_deref()))
    }

    /// Why this endpoint's program ended the connection, as it says itself: when it says so, its reason, its words.
    #[must_use]
    pub fn word(&self) -> Option<(Moment, Why, String)> {
        self.reported().or_else(|| self.logged()).or_else(|| self.exclaimed())
    }

    fn reported(&self) -> Option<(Moment, Why, String)> {
        self.me().reports.iter().find_map(|(at, report)| {
            let Report::Closed { why, .. } = report else { return None };
            let reason = match why.as_str() {
                "heartbeat" => Why::Heartbeat,
                "handshake-timeout" => Why::HandshakeTimeout,
                "protocol" => Why::ProtocolClose,
                "eof" | "error" => Why::Peer,
                _ => Why::Other,
            };
            Some((*at, reason, format!("the program's reason, in its own word: {why}")))
        })
    }

    /// What a broker's log says; the line with the reason may be another one than that with the client's address.
    fn logged(&self) -> Option<(Moment, Why, String)> {
        let me = self.me();
        let program = me.program.as_ref()?;
        let mine = |log: &&&(Moment, crate::evidence::BrokerLog)| log.1.service == *program;
        let began = self.connection().began;
        let lines: Vec<_> = self.model.broker_logs.iter().filter(|log| log.0 >= began && mine(&log)).collect();
        let mut names = lines.iter().enumerate().filter(|(_, (_, log))| log.client == Some(me.pair.remote));
        let (first, second) = (names.next()?, names.next());
        // A broker that had no name for it at the beginning may have heard one.
        let unnamed = |(_, log): &(Moment, crate::evidence::BrokerLog)| log.process == UNNAMED;
        let (named, (_, name)) = second.filter(|(_, second)| unnamed(first.1) && !unnamed(second)).unwrap_or(first);
        // It says so of others without a name, too, at the moments of their ends.
        let then = self.end().filter(|_| name.process == UNNAMED).map_or(began, |end| Moment(end.at.0 - NEAR.0));
        let mut rest = lines[named..].iter().filter(|(at, log)| log.process == name.process && *at >= then);
        let said = rest.find(|(_, log)| log.why.is_some())?;
        let why = said.1.why?;
        let text = match why {
            Why::Heartbeat => "missed heartbeats",
            Why::HandshakeTimeout => "the handshake was not finished in time",
            Why::ProtocolClose => "the protocol's connection was closed in order",
            Why::Peer => "the peer ended the TCP connection",
            Why::Other => "another reason",
        };
        Some((said.0, why, format!("the broker logged the connection's end: {text}")))
    }

    /// What a foreign client's library says; as it names no connection, it counts for a client that has only this one.
    fn exclaimed(&self) -> Option<(Moment, Why, String)> {
        let program = self.me().program.as_ref()?;
        let mut ends = self.model.connections.iter().flat_map(|connection| &connection.endpoints);
        if ends.any(|end| end.program.as_ref() == Some(program) && end.pair != self.me().pair) {
            return None;
        }
        let (at, log) = self.model.client_logs.iter().find(|(_, log)| log.client == *program)?;
        Some((*at, log.why, format!("the client's library said: {}", log.words)))
    }

    /// The client or broker whose close of the protocol's connection came first, when one passed here before `at`: what a proxy
    /// passes on is its peer's on the other leg.
    #[must_use]
    pub fn first_to_close(&self, at: Moment) -> Option<(String, &'a Spoken)> {
        let close = self.said(Meaning::Closes, at)?;
        let side = if close.sent { *self } else { self.peer() };
        let origin = side.other_leg().filter(|_| side.me().role == Some(Role::Proxy)).map_or(side, |leg| leg.peer());
        Some((origin.me().node.clone(), close))
    }
}
