//! The author's claim against the verdicts. What does not hold is said in one line each.

use crate::evidence::Span;
use crate::scenario::{Expectation, NOTHING, Others, Pattern, Signal};
use crate::verdict::{Verdict, Verdicts};

/// Every point at which verdicts differ from what was expected; empty when all holds.
#[must_use]
pub fn differences(expect: &[Expectation], others: Others, verdicts: &Verdicts) -> Vec<String> {
    let mut differences = Vec::new();
    let mut named = vec![false; verdicts.connections.len()];
    for expectation in expect {
        let mut found = false;
        for (index, verdict) in verdicts.connections.iter().enumerate() {
            if matches(expectation, verdict) {
                found = true;
                named[index] = true;
                compare(expectation, verdict, &mut differences);
            }
        }
        if !found {
            let names: Vec<_> = verdicts.connections.iter().map(|verdict| verdict.name.as_str()).collect();
            let seen = if names.is_empty() {
                "there was none at all".into()
            } else {
                format!("there were {}", names.join(", "))
            };
            differences.push(format!("line {}: no connection `{}`; {seen}", expectation.line, expectation.connection));
        }
    }
    if others == Others::None {
        for (verdict, _) in verdicts.connections.iter().zip(&named).filter(|(_, named)| !**named) {
            differences.push(format!("connection `{}` was not expected (`others: none`)", verdict.name));
        }
    }
    differences
}

fn matches(expectation: &Expectation, verdict: &Verdict) -> bool {
    let label = verdict.name.rsplit_once(' ').map(|(label, _)| label.split('#').next().unwrap_or(label));
    expectation.connection.matches(label, &verdict.from, &verdict.to)
}

fn compare(expectation: &Expectation, verdict: &Verdict, differences: &mut Vec<String>) {
    let mut differs = |what: &str, wanted: &str, got: &str| {
        differences.push(format!("{}: expected {what} {wanted}, got {got}", verdict.name));
    };
    if let Some(wanted) = expectation.mechanism.as_ref().filter(|wanted| **wanted != verdict.mechanism) {
        let doubts =
            if verdict.doubts.is_empty() { String::new() } else { format!(" ({})", verdict.doubts.join("; ")) };
        differs("mechanism", wanted, &format!("{}{doubts}", verdict.mechanism));
    }
    if let Some(wanted) = &expectation.closed_by {
        let got = verdict.closed_by.as_deref().unwrap_or("nobody");
        if !Pattern::from(wanted.as_str()).matches(got) {
            differs("closed by", wanted, got);
        }
    }
    if let Some(wanted) = expectation.nominal.map(|nominal| Span::from(nominal).seconds()) {
        match verdict.nominal_s {
            Some(got) if (got - wanted).abs() < 0.0005 => {}
            Some(got) => differs("nominal time", &format!("{wanted} s"), &format!("{got} s")),
            None => differs("nominal time", &format!("{wanted} s"), "none: no timer closed it"),
        }
    }
    if let Some(wanted) = &expectation.signal {
        let wanted = match wanted {
            Signal::Fin => "fin",
            Signal::Rst => "rst",
            Signal::None => "none",
        };
        let got = verdict.signal.as_deref().unwrap_or("none");
        if got != wanted {
            differs("signal", wanted, got);
        }
    }
    for (node, wanted) in &expectation.endpoints {
        let pattern = Pattern::from(node.as_str());
        let mut fitting = verdict.endpoints.iter().filter(|endpoint| pattern.matches(&endpoint.node)).peekable();
        if fitting.peek().is_none() {
            differs("an endpoint at", node, &format!("{} and {}", verdict.from, verdict.to));
        }
        for endpoint in fitting.filter(|endpoint| endpoint.mechanism != *wanted) {
            differs(&format!("at {}", endpoint.node), wanted, &endpoint.mechanism);
        }
    }
    for (node, wanted) in &expectation.afterwards {
        let pattern = Pattern::from(node.as_str());
        for endpoint in verdict.endpoints.iter().filter(|endpoint| pattern.matches(&endpoint.node)) {
            let got = endpoint.afterwards.as_ref().map_or(NOTHING, |afterwards| afterwards.mechanism.as_str());
            if got != wanted {
                differs(&format!("afterwards at {}", endpoint.node), wanted, got);
            }
        }
    }
    if let Some(wanted) = &expectation.log {
        let got = verdict.log.as_deref().unwrap_or("no line");
        if got != wanted {
            differs("logged state", wanted, got);
        }
    }
}
