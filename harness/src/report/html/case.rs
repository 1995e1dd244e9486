//! One case: what is wrong with it, its connections, its graph.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;

use maud::{Markup, PreEscaped, html};

use super::links::Links;
use super::{graph, outcome, seconds, verdict};
use crate::evidence::Event;
use crate::report::Ran;
use crate::report::flow::{CaseFile, Flow};
use crate::report::results::CaseResult;

/// What a case's scenario shows in one line, by the case's folder.
pub type Titles = HashMap<String, String>;

/// The titles of all cases that got as far as to have one.
pub fn titles(ran: &Ran<'_>) -> Titles {
    let title = |case: &CaseResult| Some((case.folder.clone(), case_file(&ran.folder.join(&case.folder))?.title));
    ran.results.cases.iter().filter_map(title).collect()
}

fn case_file(folder: &Path) -> Option<CaseFile> {
    serde_json::from_slice(&fs::read(folder.join("case.json")).ok()?).ok()
}

/// The evidence of a case; one that broke off may have none.
fn evidence(folder: &Path) -> Option<Vec<Event>> {
    let lines = BufReader::new(File::open(folder.join("evidence.ndjson")).ok()?).lines();
    lines.map(|line| serde_json::from_str(&line.ok()?).ok()).collect()
}

/// The section of a case.
pub fn case(ran: &Ran<'_>, case: &CaseResult, links: &Links) -> Markup {
    let folder = ran.folder.join(&case.folder);
    let file = case_file(&folder).unwrap_or_default();
    let flow = evidence(&folder).map(|events| Flow::of(&file, &events, &case.connections));
    let (class, sign, word) = outcome(case.outcome);
    html! {
        article.case.(class) id=(links.case) tabindex="-1" aria-label=(case.name()) {
            header {
                p.crumbs { a href="#overview" { "All cases" } span.keys { " · " kbd { "j" } " next · " kbd { "k" } " previous · " kbd { "o" } " all" } }
                h2 { span.outcome { b aria-hidden="true" { (sign) } (word) } " " (case.scenario) }
                @if !case.case.is_empty() { p.values { @for (name, value) in &case.case { span { (name) "=" b { (value) } } " " } } }
                @if !file.title.is_empty() { p.title { (file.title) } }
                @if !file.about.is_empty() { p.about { (file.about.trim()) } }
                p.facts {
                    (case.clock) " clock: " (seconds(case.clock_s)) " s · wall: " (format!("{:.2} s", case.wall_s)) " · evidence in " code { (case.folder) "/" }
                }
            }
            @if !case.messages.is_empty() {
                div.wrong role="note" { h3 { "What does not hold" } @for message in &case.messages { pre { (message) } } }
            }
            @if !case.connections.is_empty() {
                section.verdicts aria-label="Connections" {
                    @for (index, (connection, link)) in case.connections.iter().zip(&links.connections).enumerate() {
                        (verdict::card(connection, index, link))
                    }
                }
            }
            @for checks in &case.checks {
                p.facts { (checks.name) ": " (checks.count) " health checks, " (checks.count - checks.failed.min(checks.count)) " accepted" }
            }
            @if let Some(flow) = flow { (later(&graph::graph(&flow, &case.connections))) }
        }
    }
}

/// What is made only when somebody looks at it: the graphs of 200 cases are 90 000 elements, and a comment is none. In markup of ours
/// an end of a comment is only in text, where `>` is escaped; that it is nowhere else is seen to.
fn later(markup: &Markup) -> Markup {
    let text = markup.0.replace("-->", "--&gt;").replace("--!>", "--!&gt;");
    html! { div.later { (PreEscaped(format!("<!--{text}-->"))) noscript { p.facts { "The graph of what passed on the wires needs JavaScript." } } } }
}
