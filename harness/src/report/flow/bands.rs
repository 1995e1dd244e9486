//! Faults as bands beside what went on meanwhile: from the step that began them to the one that ended them.

use super::places::Places;
use super::{Row, What};
use crate::evidence::{Event, Fact, Moment};
use crate::verbs::LASTING;

/// A fault that lasts.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// Where it is.
    pub lane: Lane,
    /// The verb that began it.
    pub verb: String,
    /// To what it was done.
    pub target: String,
    /// Its first row.
    pub from: usize,
    /// The row after its last.
    pub to: usize,
}

/// Where a band is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Between the node at this place and the one left of it: on the wire that goes there.
    Wire(usize),
    /// On the line of the node at this place.
    Node(usize),
}

/// The bands of a case.
#[must_use]
pub fn bands(places: &Places, events: &[Event], rows: &[Row]) -> Vec<Band> {
    let mut bands: Vec<Band> = Vec::new();
    for event in events {
        let Fact::Injected { verb, target } = &event.fact else { continue };
        let here = row(rows, event.at_ns);
        let ends = |band: &&mut Band| {
            let ended = LASTING.iter().any(|(begin, end)| *begin == band.verb && end == verb);
            ended && band.target == *target && band.to == rows.len()
        };
        if let Some(band) = bands.iter_mut().find(ends) {
            band.to = here;
        }
        let Some(lane) = lane(places, target).filter(|_| LASTING.iter().any(|(begin, _)| begin == verb)) else {
            continue;
        };
        bands.push(Band { lane, verb: verb.clone(), target: target.clone(), from: here, to: rows.len() });
    }
    bands
}

fn lane(places: &Places, target: &str) -> Option<Lane> {
    let wire = places.wires.get(target).map(|[a, b]| Lane::Wire(*a.max(b)));
    let node = || places.node(target).or_else(|| places.programs.get(target).copied()).map(Lane::Node);
    wire.or_else(node)
}

/// The row of the step that was being played at this moment.
fn row(rows: &[Row], at: Moment) -> usize {
    let step = |row: &Row| row.at <= at && matches!(row.what, What::Step { .. });
    rows.iter().rposition(step).unwrap_or_default()
}
