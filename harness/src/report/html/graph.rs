//! The flow graph as a grid: a column between each two nodes, a row for each thing that happened. It is text, so that it can be
//! read aloud, searched and copied; lines, arrowheads and bands are the style sheet's.

use maud::{Markup, html};

use super::{arrow_of, chip, families};
use crate::clock::readable;
use crate::evidence::Span;
use crate::report::flow::{Arrow, End, Flow, Gap, Kind, Lane, Row, What};
use crate::verdict::Verdict;

/// The grid's line of the first node: before it are the column of times and half a column.
const FIRST: usize = 3;
/// The grid's row of what happened first: above it are the nodes' names.
const TOP: usize = 2;
/// A delay on a wire that is worth a word.
const DELAY: Span = Span::millis(1);

/// Draws a graph.
pub fn graph(flow: &Flow, verdicts: &[Verdict]) -> Markup {
    let quiet = flow.rows.iter().any(|row| matches!(&row.what, What::Arrow(arrow) if arrow.is_quiet()));
    // Whose segment it is needs a word only where there are several.
    let several = verdicts.iter().filter_map(|verdict| verdict.session).max().unwrap_or(0) > 1
        || verdicts.iter().filter(|verdict| verdict.session.is_none()).count() > 1;
    let whose = |connection: usize| verdicts.get(connection).filter(|_| several).map(|verdict| owner(&verdict.name));
    let drawn = Drawn { flow, verdicts, whose: &whose };
    html! {
        section.graph aria-label="What passed on the wires" {
            header {
                h3 { "What happened" }
                p.key {
                    span.k-data { "payload" } span.k-ctl { "SYN, FIN" } span.k-rst { "RST" } span.k-probe { "probe" } span.k-lost { "lost on its way" }
                    span.k-band { "fault" }
                }
                @if quiet { label { input.acks type="checkbox"; " acknowledgements" } }
            }
            div.flow style={ "--n:" (flow.nodes.len()) } {
                div.nodes { @for (place, node) in flow.nodes.iter().enumerate() { b style={ "grid-column:" (place + FIRST) } { (node) } } }
                @for place in 0..flow.nodes.len() { i.line style={ "grid-area:2/" (place + FIRST) "/" (flow.rows.len() + TOP) } {} }
                @for band in &flow.bands {
                    @let rows = format!("{}/", band.from + TOP);
                    @let until = format!("/{}", band.to + TOP);
                    @let title = format!("{} {}", band.verb, band.target);
                    @match band.lane {
                        Lane::Wire(place) => i.band style={ "grid-area:" (rows) (place + FIRST - 1) (until) } title=(title) { span { (title) } },
                        Lane::Node(place) => i.band.at style={ "grid-area:" (rows) (place + FIRST) (until) } title=(title) { span { (title) } },
                    }
                }
                ol { @for (index, row) in flow.rows.iter().enumerate() {
                    @let before = index.checked_sub(1).and_then(|before| flow.rows.get(before));
                    (drawn.row(row, before, Some(index + TOP)))
                } }
            }
        }
    }
}

/// `orders#2` of `orders#2 client->lb`.
fn owner(name: &str) -> &str {
    name.split(' ').next().unwrap_or_default()
}

struct Drawn<'a> {
    flow: &'a Flow,
    verdicts: &'a [Verdict],
    whose: &'a dyn Fn(usize) -> Option<&'a str>,
}

impl Drawn<'_> {
    fn row(&self, row: &Row, before: Option<&Row>, place: Option<usize>) -> Markup {
        let time = time(row, before);
        let at = place.map(|place| format!("grid-row:{place}"));
        match &row.what {
            What::Step { number, text } => html! {
                li.step style=[at] { (time) span { b { (number) } " " (text) } }
            },
            What::Over => html! { li.step.over style=[at] { (time) span { "the timeline is over" } } },
            What::Arrow(arrow) => html! {
                li.quiet[arrow.is_quiet()] style=[at] data-c=(arrow.connection) { (time) (self.arrow(arrow)) }
            },
            What::End(end) => html! { li.end style=[at] data-c=(end.connection) { (time) (self.end(end)) } },
            What::Note(note) => html! {
                li.note style=[at] data-c=[note.connection] {
                    (time) span.said style={ "grid-column:" (note.node + FIRST) } { (note.text) }
                }
            },
            What::Start(rows) => html! { li.gap style=[at] { (time) (self.start(rows)) } },
            What::Gap(gap) => html! { li.gap style=[at] { (self.gap(gap)) } },
            What::Cut(rows) => {
                html! { li.gap style=[at] { p { (rows) " rows are left out; they are in evidence.ndjson and capture.pcapng" } } }
            }
        }
    }

    fn arrow(&self, arrow: &Arrow) -> Markup {
        let (left, right) = (arrow.from.min(arrow.to), arrow.from.max(arrow.to));
        let way = if arrow.from < arrow.to { "r" } else { "l" };
        let node = |place: usize| self.flow.nodes.get(place).map_or("", String::as_str);
        let columns = right - left;
        let style = if columns > 1 { format!(";--k:{columns}") } else { String::new() };
        html! {
            span.a.(way).(class(arrow.kind)).x[!arrow.came()] style={ "grid-column:" (left + FIRST) "/" (right + FIRST) (style) } {
                span.vh { (node(arrow.from)) " to " (node(arrow.to)) ": " }
                (label(arrow))
                @if !arrow.came() { span.vh { ", lost" } }
                @if let Some(took) = arrow.took.filter(|took| *took >= DELAY) { small { " +" (took.0 / 1_000_000) " ms" } }
            }
            @if let Some(whose) = (self.whose)(arrow.connection) { span.whose { (whose) } }
        }
    }

    fn end(&self, end: &End) -> Markup {
        let name = self.verdicts.get(end.connection).map(|verdict| arrow_of(&verdict.name)).unwrap_or_default();
        let class = families::of(&end.mechanism).class;
        html! {
            span.mark.(class).cause[end.cause] style={ "grid-column:" (end.node + FIRST) } {
                (chip(&end.mechanism, true)) small { (name) @if let Some(saw) = &end.saw { " saw " (saw) } }
            }
        }
    }

    fn gap(&self, gap: &Gap) -> Markup {
        let text = format!("{} idle", readable(gap.length));
        let words = routine(gap);
        html! {
            @if gap.routine.is_empty() { p { b { (text) } (words) } }
            @else { (self.fold(&html! { b { (text) } (words) }, &gap.routine)) }
        }
    }

    fn start(&self, rows: &[Row]) -> Markup {
        let segments: u32 =
            rows.iter().map(|row| if let What::Arrow(arrow) = &row.what { arrow.count } else { 0 }).sum();
        self.fold(&html! { b { "Connections are made" } ", " (segments) " segments" }, rows)
    }

    /// Rows that can be unfolded.
    fn fold(&self, summary: &Markup, rows: &[Row]) -> Markup {
        html! {
            details { summary { (summary) } ol {
                @for (index, row) in rows.iter().enumerate() {
                    (self.row(row, index.checked_sub(1).and_then(|before| rows.get(before)), None))
                }
            } }
        }
    }
}

/// The time of a row, unless that of the row before reads alike.
fn time(row: &Row, before: Option<&Row>) -> Markup {
    let read = |row: &Row| match row.at.0 {
        i64::MAX => "end".to_owned(),
        _ => format!("{:.3}", row.at.seconds()),
    };
    let now = read(row);
    let known = before.is_some_and(|before| read(before) == now && !matches!(before.what, What::Gap(_)));
    html! { @if !known { time { (now) } } }
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Syn | Kind::SynAck | Kind::Fin => "c",
        Kind::Data => "d",
        Kind::Again => "d g",
        Kind::Rst => "t",
        Kind::Probe(_) | Kind::WindowProbe(_) | Kind::Answer | Kind::Heartbeat => "p",
        Kind::Ack => "k",
    }
}

fn label(arrow: &Arrow) -> Markup {
    let what = match arrow.kind {
        Kind::Syn => "SYN",
        Kind::SynAck => "SYN, ACK",
        Kind::Ack => "ACK",
        Kind::Fin => "FIN",
        Kind::Rst => "RST",
        Kind::Probe(_) => "keepalive probe",
        Kind::WindowProbe(_) => "window probe",
        Kind::Answer => "answer",
        Kind::Again if arrow.payload == 0 => "again",
        Kind::Again => "again, ",
        Kind::Data | Kind::Heartbeat => "",
    };
    let names = arrow.names.join(", ");
    html! {
        @if names.is_empty() || !what.is_empty() { (what) }
        @if !names.is_empty() { @if !what.is_empty() { " " } (names) }
        @if arrow.payload > 0 && names.is_empty() { (bytes(arrow.payload)) }
        @if arrow.payload > 0 && !names.is_empty() { small { " " (bytes(arrow.payload)) } }
        @if arrow.count > 1 { small { " ×" (arrow.count) } }
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{} kB", count / 1000),
        _ => format!("{} MB", count / 1_000_000),
    }
}

/// What was routine in idle time, counted.
fn routine(gap: &Gap) -> String {
    let count = |is: fn(Kind) -> bool| {
        gap.routine.iter().filter(|row| matches!(&row.what, What::Arrow(arrow) if is(arrow.kind))).count()
    };
    let counts = [
        (count(|kind| matches!(kind, Kind::Probe(_))), "probe", " answered"),
        (count(|kind| matches!(kind, Kind::WindowProbe(_))), "window probe", " answered"),
        (count(|kind| kind == Kind::Heartbeat), "heartbeat", ""),
        (gap.checks, "health check", ""),
    ];
    let told = counts.iter().filter(|(count, ..)| *count > 0).map(|(count, what, more)| {
        let plural = if *count == 1 { "" } else { "s" };
        format!(", {count} {what}{plural}{more}")
    });
    told.collect()
}
