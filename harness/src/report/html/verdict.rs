//! One connection: the mechanism, who and when, where that lies between what its settings allow and what would have come next,
//! and the proof.

use maud::{Markup, html};

use super::{arrow_of, chip, families, seconds};
use crate::verdict::{EndpointVerdict, Verdict};

/// A runner-up this many times later than what happened is drawn at the edge.
const FAR: f64 = 2.5;

/// The card of a connection.
pub fn card(verdict: &Verdict, index: usize, link: &str) -> Markup {
    html! {
        section.verdict id=(link) data-c=(index) tabindex="-1" {
            h3 { a href={ "#" (link) } title="a link to this connection" { (arrow_of(&verdict.name)) } " " (chip(&verdict.mechanism, verdict.firm)) }
            p { (sentence(verdict)) }
            (scale(verdict))
            ul.ends { @for end in &verdict.endpoints { li { (endpoint(end)) } } }
            details {
                summary { "Proof" @if !verdict.sources.is_empty() { small { " from " (sources(verdict)) } } }
                ul { @for line in &verdict.proof { li { (line) } } @for line in &verdict.doubts { li.doubt { "open: " (line) } } }
                @if let Some([from, to]) = verdict.addresses {
                    p.facts { "in the capture: " code { "tcp.port=="  (from.port()) " && tcp.port==" (to.port()) } }
                }
            }
        }
    }
}

fn sources(verdict: &Verdict) -> String {
    verdict.sources.iter().map(|source| source.name()).collect::<Vec<_>>().join(", ")
}

/// Who, how, when, after what.
fn sentence(verdict: &Verdict) -> Markup {
    html! {
        @if let Some(by) = &verdict.closed_by { "by " b { (by) } }
        @if let Some(signal) = &verdict.signal { ", on the wire: " b { (signal) } }
        @if let Some(at) = verdict.at_s { ", at " (seconds(at)) " s" }
        @if let (Some(elapsed), Some(since)) = (verdict.elapsed_s, &verdict.since) {
            ": " b { (seconds(elapsed)) " s" } @if let Some(nominal) = verdict.nominal_s { " (nominal " b { (seconds(nominal)) " s" } ")" }
            " after the " (since.what)
        } @else if let (Some(nominal), Some(since)) = (verdict.nominal_s, &verdict.since) {
            ": nominal " b { (seconds(nominal)) " s" } " after the " (since.what)
        }
        @if let Some(because) = &verdict.because { ", because " b { (arrow_of(because)) } }
        @if let Some(log) = &verdict.log { ", logged as " code { (log) } }
    }
}

fn endpoint(end: &EndpointVerdict) -> Markup {
    html! {
        b { (end.node) } " " (chip(&end.mechanism, end.firm)) " saw " (end.saw)
        @if let Some(at) = end.at_s { " at " (seconds(at)) " s" }
        @if let Some(later) = &end.afterwards {
            "; after its close " (chip(&later.mechanism, later.firm)) @if let Some(at) = later.at_s { " at " (seconds(at)) " s" }
        }
    }
}

/// The time that passed on a line, with the window that the mechanism allows and the timers that would have been next.
fn scale(verdict: &Verdict) -> Markup {
    let (Some(elapsed), Some(nominal)) = (verdict.elapsed_s, verdict.nominal_s) else { return Markup::default() };
    let window = verdict.window_s.unwrap_or([nominal, nominal]);
    let reached = elapsed.max(window[1]).max(nominal);
    let near = |at: &f64| *at <= reached * FAR;
    let shown = verdict.next.iter().map(|next| next.nominal_s).filter(near).fold(reached, f64::max);
    let far = verdict.next.iter().any(|next| !near(&next.nominal_s));
    let whole = shown * if far { 1.35 } else { 1.12 };
    if whole <= 0.0 {
        return Markup::default();
    }
    let percent = |at: f64| format!("{:.2}%", (at / whole * 100.0).clamp(0.0, 100.0));
    let class = families::of(&verdict.mechanism).class;
    let outside = elapsed < window[0] || elapsed > window[1];
    html! {
        div.scale.(class).outside[outside] {
            i.run style={ "width:" (percent(elapsed)) } {}
            i.window style={ "left:" (percent(window[0])) ";width:max(2px," (percent(window[1] - window[0])) ")" }
                title={ "allowed: " (seconds(window[0])) " to " (seconds(window[1])) " s" } {}
            i.now style={ "left:" (percent(elapsed)) } title={ "measured: " (seconds(elapsed)) " s" } {}
            @for next in &verdict.next {
                @if near(&next.nominal_s) { span.next style={ "left:" (percent(next.nominal_s)) } { (next.mechanism) " " (seconds(next.nominal_s)) " s" } }
                @else { span.next.far style="left:100%" { (next.mechanism) " " (seconds(next.nominal_s)) " s" } }
            }
        }
        @if outside { p.doubt { "outside of the window that its settings allow: " (seconds(window[0])) " to " (seconds(window[1])) " s" } }
    }
}
