//! What happened in a case as a flow graph: nodes side by side, time downwards, one row for each thing that happened.
//!
//! ```text
//! mod.rs     what a graph is made of, and how it comes about
//! places.rs  nodes, wires and connections, found in evidence
//! order.rs   which node stands where
//! arrows.rs  segments → arrows
//! marks.rs   verdicts and what programs and kernels said → marks
//! gaps.rs    idle time and what was routine in it, folded
//! bands.rs   faults, from the step that began them to the one that ended them
//! ```
//!
//! A pure function of a case, its evidence and its verdicts; it draws nothing.

mod arrows;
mod bands;
mod gaps;
mod marks;
mod order;
mod places;

use std::time::Duration;

pub use self::arrows::{Arrow, Kind};
pub use self::bands::{Band, Lane};
pub use self::marks::{End, Note};
pub use self::places::CaseFile;

use self::places::Places;
use crate::evidence::{Event, Fact, Moment};
use crate::verdict::{Verdict, undone};

/// Rows that a reader will scroll through; a case with more of them (a bulk transfer with losses) is cut in the middle, as its
/// beginning and its end tell.
const ROWS: usize = 400;

/// A flow graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// The nodes from left to right.
    pub nodes: Vec<String>,
    /// From top to bottom.
    pub rows: Vec<Row>,
    /// What was broken meanwhile.
    pub bands: Vec<Band>,
}

/// A thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// When.
    pub at: Moment,
    /// What.
    pub what: What,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A step of the timeline began.
    Step {
        /// Its number, from 1.
        number: u32,
        /// As written.
        text: String,
    },
    /// The timeline was over.
    Over,
    /// Segments.
    Arrow(Arrow),
    /// A connection, or one end of it, ended.
    End(End),
    /// What a kernel or a program said.
    Note(Note),
    /// Nothing that matters happened.
    Gap(Gap),
    /// What came before the first step, folded: connections and the protocols above them are made.
    Start(Vec<Row>),
    /// Rows that are left out.
    Cut(usize),
}

/// Time in which nothing but routine happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    /// How long.
    pub length: Duration,
    /// The routine: answered probes, heartbeats, late acknowledgements.
    pub routine: Vec<Row>,
    /// Health checks of proxies that began in it; they are counted and not drawn.
    pub checks: usize,
}

impl Flow {
    /// The graph of a case.
    #[must_use]
    pub fn of(case: &CaseFile, events: &[Event], verdicts: &[Verdict]) -> Flow {
        let events = undone(events);
        let places = Places::of(case, &events, verdicts);
        let (arrows, checks) = arrows::arrows(&places, &events);
        let marks = marks::marks(&places, &events, verdicts, &arrows);
        let mut rows: Vec<(Moment, u8, What)> = steps(&events);
        rows.extend(arrows.into_iter().map(|arrow| (arrow.at, 2, What::Arrow(arrow))));
        rows.extend(marks);
        // Of one moment: the step, the cause, what it sent, what that did.
        rows.sort_by_key(|(at, place, _)| (*at, *place));
        let rows = rows.into_iter().map(|(at, _, what)| Row { at, what }).collect();
        let rows = cut(gaps::start(gaps::fold(rows, &checks)));
        let bands = bands::bands(&places, &events, &rows);
        Flow { nodes: places.nodes, rows, bands }
    }
}

fn steps(events: &[Event]) -> Vec<(Moment, u8, What)> {
    let step = |event: &Event| match &event.fact {
        Fact::Step { step, text, done: false, .. } => {
            Some((event.at_ns, 0, What::Step { number: *step, text: text.clone() }))
        }
        _ => None,
    };
    let last = events.iter().rfind(|event| matches!(event.fact, Fact::Step { .. }));
    let over = last.map(|event| (event.at_ns, 4, What::Over));
    events.iter().filter_map(step).chain(over).collect()
}

/// Leaves out the middle of what is too long.
fn cut(mut rows: Vec<Row>) -> Vec<Row> {
    if let Some(more) = rows.len().checked_sub(ROWS).filter(|more| *more > 0) {
        let from = ROWS / 2;
        let at = rows[from].at;
        rows.splice(from..from + more, [Row { at, what: What::Cut(more) }]);
    }
    rows
}
