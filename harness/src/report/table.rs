//! The verdict table: one line per connection, the verdict first, expected and measured on one line.

use anstyle::{AnsiColor, Style};

use super::results::{CaseResult, Outcome, Results};
use crate::verdict::Verdict;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();
/// How wide the column of mechanisms is, unless a name is longer: cases one below the other line up.
const MECHANISM: usize = 22;

/// Prints the lines of a case that has ended.
#[must_use]
pub fn case(result: &CaseResult) -> String {
    let (style, word) = match result.outcome {
        Outcome::Pass => (GOOD, "pass"),
        Outcome::Fail => (BAD, "FAIL"),
        Outcome::Inconclusive => (BAD, "GAPS"),
        Outcome::Error => (BAD, "ERROR"),
    };
    let (name, clock_s, wall_s) = (result.name(), result.clock_s, result.wall_s);
    let mut text =
        format!("{style}{word:>5}{style:#}  {STRONG}{name}{STRONG:#}  {DIM}{clock_s:.1} s in {wall_s:.1} s{DIM:#}\n");
    let width = result.connections.iter().map(|verdict| verdict.name.len()).max().unwrap_or(0);
    let longest = result.connections.iter().map(|verdict| named(verdict).len()).max().unwrap_or(0);
    for verdict in &result.connections {
        text.push_str(&line(verdict, width, longest.max(MECHANISM)));
    }
    for checks in &result.checks {
        let ok = checks.count - checks.failed;
        text.push_str(&format!("       {DIM}{}: {} checks, {ok} ok{DIM:#}\n", checks.name, checks.count));
    }
    for message in &result.messages {
        text.push_str(&format!("       {BAD}{message}{BAD:#}\n"));
    }
    for kept in &result.kept {
        text.push_str(&format!("       kept: {kept}\n"));
    }
    text
}

/// The mechanism, with a `?` where the verdict is not firm.
fn named(verdict: &Verdict) -> String {
    format!("{}{}", verdict.mechanism, if verdict.firm { "" } else { "?" })
}

fn line(verdict: &Verdict, width: usize, longest: usize) -> String {
    let by = verdict.closed_by.as_deref().map_or_else(|| "–".into(), |node| format!("by {node}"));
    let signal = verdict.signal.as_deref().unwrap_or("");
    let time = match (verdict.nominal_s, verdict.elapsed_s, &verdict.since) {
        (Some(nominal), Some(elapsed), Some(since)) => {
            format!("{} ({} s) after the {}", seconds(elapsed), trimmed(nominal), since.what)
        }
        (Some(nominal), None, Some(since)) => format!("{} s after the {}", trimmed(nominal), since.what),
        _ => match (&verdict.because, verdict.at_s) {
            (Some(because), Some(at)) => format!("at {} because {because}", seconds(at)),
            (None, Some(at)) => format!("at {}", seconds(at)),
            _ => String::new(),
        },
    };
    let name = named(verdict);
    let mut text =
        format!("       {:width$}  {STRONG}{name:longest$}{STRONG:#} {by:10} {signal:4} {time}\n", verdict.name);
    let ends: Vec<_> = verdict
        .endpoints
        .iter()
        .filter(|end| Some(end.node.as_str()) != verdict.closed_by.as_deref() && end.mechanism != verdict.mechanism)
        .map(|end| format!("{}: {} (saw {})", end.node, end.mechanism, end.saw))
        .collect();
    let later = verdict.endpoints.iter().filter_map(|end| {
        let afterwards = end.afterwards.as_ref()?;
        let at = afterwards.at_s.map_or_else(String::new, |at| format!(" at {}", seconds(at)));
        Some(format!("{}: and then {}{at}", end.node, afterwards.mechanism))
    });
    let ends: Vec<_> = ends.into_iter().chain(later).collect();
    if !ends.is_empty() {
        text.push_str(&format!("       {:width$}  {DIM}{}{DIM:#}\n", "", ends.join(", ")));
    }
    text
}

/// The end of a run: what did not pass, once more, and a last line with counts, both clocks, where to look, and what to run again.
#[must_use]
pub fn summary(run: &Results, places: &[String]) -> String {
    let count = |outcome| run.cases.iter().filter(|result| result.outcome == outcome).count();
    let (passed, failed) = (count(Outcome::Pass), count(Outcome::Fail));
    let broken = count(Outcome::Error) + count(Outcome::Inconclusive);
    let clock: f64 = run.cases.iter().map(|result| result.clock_s).sum();
    let style = if failed + broken > 0 { BAD } else { GOOD };
    let mut text = String::new();
    let bad: Vec<_> = run.cases.iter().filter(|result| result.outcome != Outcome::Pass).collect();
    if !bad.is_empty() && run.cases.len() > 1 {
        text.push_str("\nNot passed:\n");
        for result in bad {
            text.push_str(&case(result));
        }
    }
    let broken = if broken > 0 { format!(", {broken} without a verdict") } else { String::new() };
    let again = if run.rerun.is_empty() { String::new() } else { format!("; again: {STRONG}{}{STRONG:#}", run.rerun) };
    text.push_str(&format!(
        "\n{style}{passed} passed, {failed} failed{broken}{style:#}; {clock:.0} s of clocks in {:.1} s, seed {}; see {}{again}\n",
        run.wall_s, run.seed, places.join(", "),
    ));
    text
}

fn seconds(value: f64) -> String {
    format!("{value:.3} s")
}

fn trimmed(value: f64) -> String {
    format!("{}", (value * 1000.0).round() / 1000.0)
}
