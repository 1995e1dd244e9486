//! relay ends sessions as HAProxy does, in every scenario that runs with both: it sends the same signals on the same connections, in the
//! same order and at the same time, and its log has the same termination states.

use std::collections::BTreeMap;
use std::path::Path;

use whyclosed::report::results::CaseResult;
use whyclosed::run::VIRTUAL;
use whyclosed_tests::differences::{DIFFERENCES, What};
use whyclosed_tests::ends::{Signal, logged, signals};
use whyclosed_tests::found::Found;
use whyclosed_tests::program::run;
use whyclosed_tests::{Result, ensure, under_test};

/// HAProxy counts whole milliseconds, and both are woken by a kernel whose timers have a grain.
const APART_S: f64 = 0.010;

#[test]
fn relay_ends_every_session_as_haproxy_does_but_for_the_listed_differences() -> Result {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let run = run(under_test!(), VIRTUAL, [scenarios.as_os_str(), "--filter".as_ref(), "proxy=".as_ref()])?;
    let run = run.expect_code(0)?;
    let found = run.found()?;
    let mut pairs: BTreeMap<String, BTreeMap<&str, &CaseResult>> = BTreeMap::new();
    for case in &found.results.cases {
        let Some((_, proxy)) = case.case.iter().find(|(dimension, _)| dimension == "proxy") else { continue };
        pairs.entry(name(case)).or_default().insert(proxy, case);
    }
    let mut problems = Vec::new();
    let mut listed = vec![false; DIFFERENCES.len()];
    let mut compared = 0;
    for (name, both) in &pairs {
        let (Some(haproxy), Some(relay)) = (both.get("haproxy"), both.get("relay")) else { continue };
        compared += 1;
        for (what, shown) in differences(&found, haproxy, relay)? {
            let known = DIFFERENCES.iter().position(|known| known.what == what && name.starts_with(known.cases));
            match known {
                Some(place) => listed[place] = true,
                None => problems.push(format!("{name}: {what:?} differ\n{shown}")),
            }
        }
    }
    let stale = DIFFERENCES.iter().zip(&listed).filter(|(_, met)| !**met);
    problems.extend(stale.map(|(known, _)| format!("listed, but there is no such difference: {known:?}")));
    ensure!(compared >= 30, "only {compared} cases were there for both proxies");
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

/// A case's name without its proxy.
fn name(case: &CaseResult) -> String {
    let others = case.case.iter().filter(|(dimension, _)| dimension != "proxy");
    let others: Vec<_> = others.map(|(dimension, value)| format!("{dimension}={value}")).collect();
    format!("{}[{}]", case.scenario, others.join(","))
}

fn differences(found: &Found, haproxy: &CaseResult, relay: &CaseResult) -> Result<Vec<(What, String)>> {
    let (theirs, ours) = (found.evidence(haproxy)?, found.evidence(relay)?);
    let signals = [signals(haproxy, &theirs), signals(relay, &ours)];
    let log = [logged(&theirs), logged(&ours)];
    let mut differences = Vec::new();
    let [one, other] = &signals;
    if !one.iter().map(Signal::what).eq(other.iter().map(Signal::what)) {
        differences.push((What::Signals, beside(&signals)));
    } else if one.iter().zip(other).any(|(one, other)| (one.at_s - other.at_s).abs() > APART_S) {
        differences.push((What::Times, beside(&signals)));
    }
    if log[0] != log[1] {
        differences.push((What::Log, format!("  haproxy {:?}\n  relay   {:?}", log[0], log[1])));
    }
    Ok(differences)
}

fn beside(signals: &[Vec<Signal>; 2]) -> String {
    let show = |signal: Option<&Signal>| signal.map(|s| format!("{:9.4} {}", s.at_s, s.what())).unwrap_or_default();
    let lines = signals[0].len().max(signals[1].len());
    let line = |at| format!("  {:<45} | {}", show(signals[0].get(at)), show(signals[1].get(at)));
    (0..lines).map(line).collect::<Vec<_>>().join("\n")
}
