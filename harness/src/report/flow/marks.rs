//! Marks on a node's line: how connections ended, and what kernels and programs said of it.

use super::What;
use super::arrows::{Arrow, Kind};
use super::places::Places;
use crate::evidence::{Event, Fact, Moment, Span};
use crate::verdict::Verdict;
use crate::verdict::mechanisms::Mechanism;

/// Verdicts have milliseconds, and segments nanoseconds.
const ROUNDED: Span = Span::millis(2);
/// What stands at the end has no moment; it is drawn last.
const LAST: Moment = Moment(i64::MAX);

/// How a connection ended, or one end of it.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// The place of its node.
    pub node: usize,
    /// Which connection, as its verdict is numbered.
    pub connection: usize,
    /// The mechanism.
    pub mechanism: String,
    /// Whether it is what ended the connection.
    pub cause: bool,
    /// What the application saw.
    pub saw: Option<String>,
}

/// What a kernel or a program said.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// The place of its node.
    pub node: usize,
    /// Which connection it is about, if that is known.
    pub connection: Option<usize>,
    /// In its own words, made short.
    pub text: String,
}

/// All marks: their moments, and their places among what else is of that moment (2 is that of arrows).
#[must_use]
pub fn marks(places: &Places, events: &[Event], verdicts: &[Verdict], arrows: &[Arrow]) -> Vec<(Moment, u8, What)> {
    let mut marks = notes(places, events);
    for (index, verdict) in verdicts.iter().enumerate() {
        ends(places, index, verdict, arrows, &mut marks);
    }
    marks
}

fn ends(places: &Places, index: usize, verdict: &Verdict, arrows: &[Arrow], marks: &mut Vec<(Moment, u8, What)>) {
    let mut put = |node: &str, at: Option<Moment>, place: u8, mechanism: &str, cause: bool, saw: Option<&str>| {
        let Some(node) = places.node(node) else { return };
        let (mechanism, saw) = (mechanism.to_owned(), saw.map(str::to_owned));
        let end = End { node, connection: index, mechanism, cause, saw };
        marks.push((at.unwrap_or(LAST), place, What::End(end)));
    };
    let by = verdict.closed_by.as_deref();
    if let Some(by) = by {
        let at = verdict.struck_s.or(verdict.at_s).map(moment);
        let near = |arrow: &&Arrow| Some(arrow.from) == places.node(by);
        put(by, at.map(|at| beside(at, index, arrows, near)), 1, &verdict.mechanism, true, None);
    }
    for end in &verdict.endpoints {
        let told = Some(end.node.as_str()) == by && end.mechanism == verdict.mechanism;
        if !told {
            let near = |arrow: &&Arrow| [Some(arrow.to), Some(arrow.from)].contains(&places.node(&end.node));
            let at = end.at_s.map(|at| beside(moment(at), index, arrows, near));
            // One that still stands has seen nothing, and what it is says so.
            let stands = [Mechanism::Open, Mechanism::HalfOpen].iter().any(|stands| stands.name() == end.mechanism);
            let saw = (!stands).then_some(end.saw.as_str());
            put(&end.node, at, 3, &end.mechanism, false, saw);
        }
        if let Some(later) = &end.afterwards {
            put(&end.node, later.at_s.map(moment), 3, &later.mechanism, false, None);
        }
    }
}

/// The moment of the FIN or RST that goes with an end, so that both come in the right order.
fn beside(at: Moment, connection: usize, arrows: &[Arrow], near: impl Fn(&&Arrow) -> bool) -> Moment {
    let ends = |arrow: &&Arrow| matches!(arrow.kind, Kind::Fin | Kind::Rst) && arrow.connection == connection;
    let close = |arrow: &&Arrow| arrow.at.since(at).0.abs() <= ROUNDED.0;
    arrows.iter().filter(ends).filter(near).find(close).map_or(at, |arrow| arrow.at)
}

#[expect(clippy::cast_possible_truncation, reason = "milliseconds of a case's clock fit in any case")]
fn moment(seconds: f64) -> Moment {
    Moment((seconds * 1000.0).round() as i64 * 1_000_000)
}

fn notes(places: &Places, events: &[Event]) -> Vec<(Moment, u8, What)> {
    let mut notes = Vec::new();
    for event in events {
        let note = match &event.fact {
            Fact::SocketError { node, pair, errno } => {
                places.of_pair(*pair).zip(places.node(node)).map(|(index, node)| (node, Some(index), errno.clone()))
            }
            Fact::ProxyLog(log) => {
                let node = places.programs.get(&log.service);
                node.map(|node| (*node, None, format!("{} logs {}", log.service, log.said())))
            }
            Fact::BrokerLog(log) => log.why.and_then(|why| {
                let node = places.programs.get(&log.service)?;
                Some((*node, None, format!("{} logs {}", log.service, word(&why))))
            }),
            Fact::ClientLog(log) => {
                let node = places.programs.get(&log.client);
                node.map(|node| (*node, None, format!("{} says {}", log.client, word(&log.why))))
            }
            _ => None,
        };
        let Some((node, connection, text)) = note else { continue };
        notes.push((event.at_ns, 3, What::Note(Note { node, connection, text })));
    }
    notes
}

/// A word as evidence has it: `handshake-timeout`.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| Some(value.as_str()?.to_owned())).unwrap_or_default()
}
