//! Whether two runs saw the same.

use crate::Result;
use crate::program::Run;

/// What a run judged of one connection.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// The case and the connection.
    pub name: String,
    /// The mechanism.
    pub mechanism: String,
    /// Its nominal time, seconds.
    pub nominal_s: Option<f64>,
    /// When the connection was closed, seconds.
    pub at_s: Option<f64>,
}

/// Everything that a run judged, in the order of its cases.
///
/// # Errors
/// When the run wrote no results.
pub fn sightings(run: &Run) -> Result<Vec<Sighting>> {
    let found = run.found()?;
    let cases = found.results.cases.iter();
    let verdicts = cases.flat_map(|case| case.connections.iter().map(move |verdict| (case.name(), verdict)));
    Ok(verdicts
        .map(|(case, verdict)| Sighting {
            name: format!("{case} {}", verdict.name),
            mechanism: verdict.mechanism.clone(),
            nominal_s: verdict.nominal_s,
            at_s: verdict.at_s,
        })
        .collect())
}

/// What two runs saw differently; times may differ by `within_s`.
#[must_use]
pub fn differences(one: &[Sighting], other: &[Sighting], within_s: f64) -> Vec<String> {
    let mut found: Vec<_> = one.iter().zip(other).filter_map(|(one, other)| difference(one, other, within_s)).collect();
    if one.len() != other.len() {
        found.push(format!("{} connections became {}", one.len(), other.len()));
    }
    found
}

fn difference(one: &Sighting, other: &Sighting, within_s: f64) -> Option<String> {
    let apart = spread(one, other);
    let same = one.name == other.name
        && one.mechanism == other.mechanism
        && one.nominal_s == other.nominal_s
        && one.at_s.is_some() == other.at_s.is_some()
        && apart <= within_s;
    (!same).then(|| format!("{one:?} became {other:?}"))
}

/// How far apart two sightings of a connection are, seconds.
#[must_use]
pub fn spread(one: &Sighting, other: &Sighting) -> f64 {
    one.at_s.zip(other.at_s).map_or(0.0, |(one, other)| (one - other).abs())
}
