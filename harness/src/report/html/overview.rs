//! The first thing that one sees: what came of the run, and each scenario's matrix as a table, coloured by mechanism.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::case::Titles;
use super::families::{self, FAMILIES};
use super::links::Links;
use super::{arrow_of, chip, headline, outcome, seconds};
use crate::report::Ran;
use crate::report::results::{CaseResult, Outcome};
use crate::verdict::Verdict;

/// A case and what links to it.
type Told<'a> = (&'a CaseResult, &'a Links);

/// The head of the page and all tables.
pub fn overview(ran: &Ran<'_>, told: &[Told<'_>], titles: &Titles) -> Markup {
    let results = ran.results;
    let clock: f64 = results.cases.iter().map(|case| case.clock_s).sum();
    let bad = results.cases.iter().any(|case| case.outcome != Outcome::Pass);
    html! {
        header.top {
            h1 { a href="#overview" { "whyclosed" } }
            p.sum.(if bad { "bad" } else { "ok" }) { (headline(&results.cases)) }
            p.facts {
                (length(clock)) " of clocks in " (length(results.wall_s)) " · seed " (results.seed)
            }
            @if bad { p.rerun { "Run what did not pass again: " code { (ran.results.rerun) } } }
        }
        nav #overview aria-label="All cases" {
            @if bad { (not_passed(told)) }
            form.filter role="search" {
                label { "Filter " input #find type="search" placeholder="scenario, case, mechanism…" autocomplete="off"; kbd { "/" } }
                label { input #only type="checkbox"; " only what did not pass" }
                output #shown for="find only" {}
            }
            (legend(told))
            @for group in told.chunk_by(|(a, _), (b, _)| a.scenario == b.scenario) { (scenario(group, titles)) }
        }
    }
}

/// What did not pass, and why: nobody should have to look for it.
fn not_passed(told: &[Told<'_>]) -> Markup {
    html! {
        section.notpassed {
            h2 { "Not passed" }
            ul { @for (case, links) in told.iter().filter(|(case, _)| case.outcome != Outcome::Pass) {
                li {
                    b { (outcome(case.outcome).2) } " " a href={ "#" (links.case) } { (case.name()) }
                    @for message in &case.messages { small { (message.lines().next().unwrap_or_default()) } }
                }
            } }
        }
    }
}

/// A time as people say it: seconds, minutes, hours.
fn length(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// Which colour and sign is which family, and how many verdicts are of it.
fn legend(told: &[Told<'_>]) -> Markup {
    let mut counts: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for verdict in told.iter().flat_map(|(case, _)| &case.connections) {
        *counts.entry(families::of(&verdict.mechanism).class).or_default().entry(&verdict.mechanism).or_default() += 1;
    }
    html! {
        ul.legend aria-label="Mechanisms by family, with the number of connections" {
            @for family in FAMILIES.iter().filter(|family| counts.contains_key(family.class)) {
                li {
                    span.chip.(family.class) { b aria-hidden="true" { (family.sign) } (family.about) }
                    @for (mechanism, count) in &counts[family.class] {
                        " " button type="button" data-find=(mechanism) aria-pressed="false" { (mechanism) " " small { (count) } }
                    }
                }
            }
        }
    }
}

/// The matrix of one scenario: a row for each case, a column for each dimension and for each connection.
fn scenario(group: &[Told<'_>], titles: &Titles) -> Markup {
    let Some((first, _)) = group.first() else { return Markup::default() };
    let dimensions: Vec<&str> = first.case.iter().map(|(name, _)| name.as_str()).collect();
    let columns = columns(group);
    // Its one row says all that a head would say.
    let lone = group.len() == 1 && dimensions.is_empty();
    html! {
        section.scenario data-name=(first.scenario) {
            h2 { (first.scenario) }
            @if let Some(title) = titles.get(&first.folder) { p.title { (title) } }
            div.scroll { table.many[columns.len() > 2].lone[lone] {
                thead { tr {
                    th scope="col" { "case" }
                    @for dimension in &dimensions { th scope="col" { (dimension) } }
                    @for column in &columns { th.conn scope="col" { (arrow_of(column)) } }
                    th.num scope="col" title="the case's clock" { "clock" }
                    th.num scope="col" title="wall time" { "took" }
                } }
                tbody { @for told in group { (row(told, &columns, lone)) } }
            } }
        }
    }
}

/// The names of connections, in the order in which they come up; more than a table can show are told as a number.
fn columns(group: &[Told<'_>]) -> Vec<String> {
    const SHOWN: usize = 5;
    let mut columns: Vec<String> = Vec::new();
    for verdict in group.iter().flat_map(|(case, _)| &case.connections) {
        if !columns.contains(&verdict.name) && columns.len() <= SHOWN {
            columns.push(verdict.name.clone());
        }
    }
    if columns.len() > SHOWN {
        columns.truncate(SHOWN - 1);
        columns.push("…".into());
    }
    columns
}

fn row((case, links): &Told<'_>, columns: &[String], lone: bool) -> Markup {
    let (class, sign, word) = outcome(case.outcome);
    let index = |name: &str| case.connections.iter().position(|verdict| verdict.name == name);
    let more = case.connections.iter().filter(|verdict| !columns.contains(&verdict.name)).count();
    html! {
        tr.(class) {
            th scope="row" { a.case href={ "#" (links.case) } { b aria-hidden="true" { (sign) } (word) } }
            @for (_, value) in &case.case { td { (value) } }
            @for column in columns {
                td { @if lone { small { (arrow_of(column)) " " } }
                    @if let Some(index) = index(column) { (cell(&case.connections[index], &links.connections[index])) }
                    @else if column == "…" && more > 0 { a href={ "#" (links.case) } { (more) " more" } } }
            }
            td.num { (seconds(case.clock_s)) " s" }
            td.num { (format!("{:.1} s", case.wall_s)) }
        }
    }
}

/// One verdict: what, and its time beside the nominal one.
fn cell(verdict: &Verdict, link: &str) -> Markup {
    let time = match (verdict.elapsed_s, verdict.nominal_s, verdict.at_s) {
        (Some(elapsed), Some(nominal), _) => format!("{} s ({} s)", seconds(elapsed), seconds(nominal)),
        (_, _, Some(at)) => format!("at {} s", seconds(at)),
        _ => String::new(),
    };
    html! { a.cell href={ "#" (link) } { (chip(&verdict.mechanism, verdict.firm)) @if !time.is_empty() { small { (time) } } } }
}
