//! Idle time, and what was routine in it, folded: a graph shows what changed.

use std::time::Duration;

use super::{Gap, Row, What};
use crate::evidence::{Moment, Span};

/// Less than this is no idle time to a reader.
const SHORT: Span = Span::millis(300);
/// An acknowledgement this soon belongs to what it acknowledges, not to the idle time after it (delayed ACK: 40 ms).
const SOON: Span = Span::millis(50);

/// Rows before the first step that are worth a look; a protocol's handshake on several legs has more.
const FEW: usize = 16;

/// Folds what came before the first step, if it is much and nothing but segments that came.
#[must_use]
pub fn start(mut rows: Vec<Row>) -> Vec<Row> {
    let first = rows.iter().position(|row| matches!(row.what, What::Step { .. })).unwrap_or_default();
    let came = |row: &Row| matches!(&row.what, What::Arrow(arrow) if arrow.came());
    if first <= FEW || !rows[..first].iter().all(came) {
        return rows;
    }
    let at = rows[0].at;
    let before: Vec<Row> = rows.drain(..first).collect();
    rows.insert(0, Row { at, what: What::Start(before) });
    rows
}

/// Folds the rows of a case, which are in the order of time.
#[must_use]
pub fn fold(rows: Vec<Row>, checks: &[Moment]) -> Vec<Row> {
    let mut folded: Vec<Row> = Vec::new();
    let mut routine: Vec<Row> = Vec::new();
    let mut last: Option<Moment> = None;
    for row in rows {
        if matches!(&row.what, What::Arrow(arrow) if arrow.is_routine()) {
            routine.push(row);
            continue;
        }
        // What stands at the end has no moment.
        let timeless = row.at.0 == i64::MAX;
        let since = last.filter(|_| !timeless).map(|last| row.at.since(last));
        match (last, since.filter(|since| *since >= SHORT)) {
            (Some(from), Some(idle)) => {
                let soon = |row: &Row| matches!(&row.what, What::Arrow(arrow) if arrow.is_quiet() && arrow.at.since(from) <= SOON);
                let (at_once, routine) = std::mem::take(&mut routine).into_iter().partition(soon);
                let at_once: Vec<Row> = at_once;
                folded.extend(at_once);
                let within = checks.iter().filter(|at| (from..row.at).contains(*at)).count();
                let length = Duration::from_nanos(u64::try_from(idle.0).unwrap_or_default());
                folded.push(Row { at: from, what: What::Gap(Gap { length, routine, checks: within }) });
            }
            _ => folded.append(&mut routine),
        }
        if !timeless {
            last = Some(row.at);
        }
        folded.push(row);
    }
    folded.append(&mut routine);
    folded
}
