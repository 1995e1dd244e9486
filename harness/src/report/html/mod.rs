//! `--html FILE`: one file that needs nothing else, no network either.
//!
//! ```text
//! mod.rs       the page
//! overview.rs  each scenario's matrix as a table, coloured by mechanism
//! case.rs      one case: what is wrong, its connections, its graph
//! verdict.rs   one connection: what, when by which settings, what would have come next, the proof
//! graph.rs     the flow graph
//! families.rs  colours and signs of mechanisms
//! links.rs     what links point to
//! page.css     how it looks, by day and by night, on paper too
//! page.js      one case at a time, filters, keys; without it everything but the graphs is there, one below the other
//! ```

mod case;
mod families;
mod graph;
mod links;
mod overview;
mod verdict;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::links::Links;
use super::results::{CaseResult, Outcome};
use super::{Ran, Report};

/// The page.
pub const HTML: Report = Report {
    name: "html",
    about: "Write a page for a browser: the matrix, and every connection with its proof and a graph of what passed",
    render: |ran| Ok(page(ran).into_string()),
};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// A picture of a closed connection, as the page's icon: without one, browsers ask the server for it.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath d='M1 8h6M9 4l4 8M13 4l-4 8' stroke='%230072b2' stroke-width='2.4' fill='none'/%3E%3C/svg%3E";

fn page(ran: &Ran<'_>) -> Markup {
    let cases = &ran.results.cases;
    let links = links::links(cases);
    let told: Vec<(&CaseResult, &Links)> = cases.iter().zip(&links).collect();
    let titles = case::titles(ran);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // Nothing but what is in this file: it says so to the browser, too.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";
                title { (headline(cases)) " · whyclosed" }
                link rel="icon" href=(ICON);
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#overview" { "Skip to the table of cases" }
                (overview::overview(ran, &told, &titles))
                main #cases {
                    @for (case, links) in &told { (case::case(ran, case, links)) }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// What came of a run, in a few words.
fn headline(cases: &[CaseResult]) -> String {
    let count = |outcome| cases.iter().filter(|case| case.outcome == outcome).count();
    let mut text = format!("{} passed", count(Outcome::Pass));
    for (outcome, word) in
        [(Outcome::Fail, "failed"), (Outcome::Inconclusive, "inconclusive"), (Outcome::Error, "broken")]
    {
        if count(outcome) > 0 {
            text.push_str(&format!(", {} {word}", count(outcome)));
        }
    }
    text
}

/// The class, the sign and the word of an outcome.
fn outcome(outcome: Outcome) -> (&'static str, &'static str, &'static str) {
    match outcome {
        Outcome::Pass => ("ok", "✓", "pass"),
        Outcome::Fail => ("bad", "✗", "FAIL"),
        Outcome::Inconclusive => ("bad", "…", "GAPS"),
        Outcome::Error => ("bad", "!", "ERROR"),
    }
}

/// Seconds to the millisecond, without zeros that say nothing.
fn seconds(value: f64) -> String {
    format!("{}", (value * 1000.0).round() / 1000.0)
}

/// A mechanism with its colour and its sign; `?` where the verdict is not firm.
fn chip(mechanism: &str, firm: bool) -> Markup {
    let family = families::of(mechanism);
    html! { span.chip.(family.class) { b aria-hidden="true" { (family.sign) } (mechanism) @if !firm { span title="not proven by two independent kinds of source" { "?" } } } }
}

/// A connection's name with an arrow as people draw it: `orders client→lb`.
fn arrow_of(name: &str) -> String {
    name.replace("->", "→")
}
