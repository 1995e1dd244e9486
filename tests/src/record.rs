//! What a snapshot holds of a case: everything that the verdicts say, and nothing of when the case was run or how late it was.

use std::collections::BTreeMap;

use serde::Serialize;
use whyclosed::report::results::CaseResult;
use whyclosed::verdict::{Checks, Next, Verdict};

/// Timers whose nominal times are no further apart than this come in either order.
const TOGETHER_S: f64 = 0.1;

/// A case.
#[derive(Debug, Serialize)]
pub struct Record<'a> {
    /// By name; of several with one name, as a session's attempts to connect are, the second one's name ends in ` (2)`.
    connections: BTreeMap<String, Connection<'a>>,
    /// How many health checks there were depends on the moment; that there were some, and that some failed, does not.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    checks: BTreeMap<&'a str, &'static str>,
}

#[derive(Debug, Serialize)]
struct Connection<'a> {
    mechanism: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<&'a str>,
    firm: bool,
    /// The nominal time while the observation lies in the window, the observed time when it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    next: Vec<&'a str>,
    endpoints: BTreeMap<&'a str, Endpoint<'a>>,
}

#[derive(Debug, Serialize)]
struct Endpoint<'a> {
    mechanism: &'a str,
    saw: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    afterwards: Option<&'a str>,
}

impl<'a> From<&'a CaseResult> for Record<'a> {
    fn from(case: &'a CaseResult) -> Record<'a> {
        let name = |index: usize| {
            let name = &case.connections[index].name;
            let number = case.connections[..=index].iter().filter(|other| other.name == *name).count();
            if number == 1 { name.clone() } else { format!("{name} ({number})") }
        };
        Record {
            connections: case
                .connections
                .iter()
                .enumerate()
                .map(|(index, verdict)| (name(index), verdict.into()))
                .collect(),
            checks: case.checks.iter().map(|checks| (checks.name.as_str(), outcome(checks))).collect(),
        }
    }
}

impl<'a> From<&'a Verdict> for Connection<'a> {
    fn from(verdict: &'a Verdict) -> Connection<'a> {
        let endpoints = verdict.endpoints.iter().map(|end| {
            let afterwards = end.afterwards.as_ref().map(|afterwards| afterwards.mechanism.as_str());
            let endpoint = Endpoint { mechanism: &end.mechanism, saw: &end.saw, afterwards };
            (end.node.as_str(), endpoint)
        });
        Connection {
            mechanism: &verdict.mechanism,
            closed_by: verdict.closed_by.as_deref(),
            signal: verdict.signal.as_deref(),
            firm: verdict.firm,
            seconds: seconds(verdict),
            since: verdict.since.as_ref().map(|since| since.what.as_str()),
            log: verdict.log.as_deref(),
            because: verdict.because.as_deref(),
            next: in_order(&verdict.next),
            endpoints: endpoints.collect(),
        }
    }
}

fn seconds(verdict: &Verdict) -> Option<f64> {
    let (elapsed, nominal, [from, to]) = (verdict.elapsed_s?, verdict.nominal_s?, verdict.window_s?);
    Some(if (from..=to).contains(&elapsed) { nominal } else { elapsed })
}

/// Runners-up that come as good as together are in the order of their names: which of them is a millisecond later is chance.
fn in_order(next: &[Next]) -> Vec<&str> {
    let together = |one: &Next, other: &Next| other.nominal_s - one.nominal_s < TOGETHER_S;
    let groups = next.chunk_by(together).map(|group| group.iter().map(|next| next.mechanism.as_str()));
    groups
        .flat_map(|names| {
            let mut names: Vec<&str> = names.collect();
            names.sort_unstable();
            names
        })
        .collect()
}

fn outcome(checks: &Checks) -> &'static str {
    match checks.failed {
        0 => "ok",
        failed if failed == checks.count => "failed",
        _ => "some failed",
    }
}
