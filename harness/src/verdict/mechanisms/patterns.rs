//! What several rules ask alike.

use crate::evidence::{Source, Span, TcpState};

use super::super::decide::Judgement;
use super::super::scene::{Ending, Scene, Way};

/// Excludes the mechanism by every source that saw the endpoint end in another way, and supports it by those that saw this.
pub fn ends_by(judgement: &mut Judgement, scene: &Scene<'_>, ways: &[Way]) {
    for ending in scene.endings() {
        let fits = ways.contains(&ending.way) || (ending.source == Source::Log && loosely(&ending, ways));
        if !fits && unaware(scene, &ending) {
            continue;
        }
        let text = format!("{} at {}", seen(&ending), ending.at);
        if fits {
            judgement.support(ending.source, text);
        } else {
            judgement.exclude(ending.source, text);
        }
    }
    stood(judgement, scene);
}

/// Supports the mechanism by every source that saw the endpoint end so, and excludes it by those that saw anything else.
pub fn ended_as(judgement: &mut Judgement, scene: &Scene<'_>, fits: impl Fn(&Ending) -> bool) {
    for ending in scene.endings() {
        let text = format!("{} at {}", seen(&ending), ending.at);
        if fits(&ending) {
            judgement.support(ending.source, text);
        } else {
            judgement.exclude(ending.source, text);
        }
    }
}

/// Judges by the error with which the kernel gave the connection up.
pub fn given_up_with(judgement: &mut Judgement, scene: &Scene<'_>, errnos: &[&str]) {
    let Some((at, errno)) = scene.fatal_error() else { return };
    let text = format!("the socket's error is {errno} at {at}");
    if errnos.contains(&errno) {
        judgement.support(Source::Kernel, text);
    } else {
        judgement.exclude(Source::Kernel, text);
    }
}

/// An endpoint that never had a socket cannot have ended one: nobody listened there.
pub fn stood(judgement: &mut Judgement, scene: &Scene<'_>) {
    let me = scene.me();
    if scene.model.has(Source::Wire) && scene.carrier() && !me.sent.is_empty() && !me.sent.iter().any(|s| s.flags.syn())
    {
        judgement.exclude(Source::Wire, "it never sent a SYN: there was no connection here");
    }
    if scene.model.tables && me.states.is_empty() && !scene.peer().me().states.is_empty() {
        judgement.exclude(Source::Kernel, "there was no socket here");
    }
}

/// A program cannot tell how its own close went out; and a RST that comes behind a FIN takes the EOF from it.
fn loosely(ending: &Ending, ways: &[Way]) -> bool {
    (ending.way == Way::SentFin && ways.contains(&Way::SentRst))
        || (ending.way == Way::GotRst && ways.contains(&Way::GotFin))
}

/// A program that closes what its peer has ended before, and has not read that, does not tell how it ended.
fn unaware(scene: &Scene<'_>, closing: &Ending) -> bool {
    let by_peer = |end: &Ending| matches!(end.way, Way::GotFin | Way::GotRst) && end.at <= closing.at;
    closing.source == Source::Log && closing.way == Way::SentFin && scene.endings().iter().any(by_peer)
}

/// A source's word on an end, for people.
#[must_use]
pub fn seen(ending: &Ending) -> &'static str {
    match (ending.source, ending.way) {
        (Source::Kernel, Way::SentFin) => "the socket went from ESTABLISHED to FIN-WAIT-1",
        (Source::Kernel, Way::GotFin) => "the socket went from ESTABLISHED to CLOSE-WAIT",
        (Source::Kernel, Way::SentRst) => "the socket was aborted in its own process's time",
        (Source::Kernel, Way::GotRst) => "the kernel took a RST for the socket",
        (Source::Kernel, Way::Abandoned) => {
            "the socket was closed in its own process's time, while its SYN was not answered"
        }
        (Source::Kernel, Way::Died) => "the kernel ended the socket in a timer's time, without a RST from the peer",
        (Source::Kernel, Way::Destroyed) => "the kernel ended the socket with ECONNABORTED",
        (Source::Log, Way::Destroyed) => "the program got ECONNABORTED",
        (Source::Log, Way::GotFin) => "the program read EOF",
        (Source::Log, Way::GotRst) => "the program got an error that says the peer reset the connection",
        (Source::Log, Way::Died) => "the program got an error that says the peer is not reached any more",
        (Source::Log, _) => "the program closed the connection itself",
        (_, Way::SentFin) => "the first end on the wire is a FIN that it sent",
        (_, Way::SentRst) => "the first end on the wire is a RST that it sent",
        (_, Way::GotFin) => "the first end on the wire is a FIN that was delivered to it",
        (_, Way::GotRst) => "the first end on the wire is a RST that was delivered to it",
        (_, Way::Died | Way::Abandoned | Way::Destroyed) => "nothing came any more",
    }
}

/// A kernel that gave up on the peer of a connection that stood: silently, or with a RST that says so.
pub fn kernel_gave_up(judgement: &mut Judgement, scene: &Scene<'_>, errnos: &[&str]) {
    // A dying socket's RST looks on the wire like any other that the endpoint sends.
    ended_as(judgement, scene, |ending| {
        ending.way == Way::Died || (ending.source == Source::Wire && ending.way == Way::SentRst)
    });
    given_up_with(judgement, scene, errnos);
    established(judgement, scene);
    stands(judgement, scene);
    stood(judgement, scene);
    shows_in_trace(judgement, scene);
}

/// The wire shows that nothing was ever delivered to this endpoint: no handshake, and no end by the other side.
#[must_use]
pub fn heard_nothing(scene: &Scene<'_>) -> bool {
    scene.model.has(Source::Wire) && scene.me().delivered.is_empty()
}

/// What ends an attempt to connect has names of its own.
pub fn established(judgement: &mut Judgement, scene: &Scene<'_>) {
    let me = scene.me();
    if heard_nothing(scene) {
        judgement.exclude(Source::Wire, "no segment was ever delivered to it");
    }
    if !me.states.is_empty() && !me.states.iter().any(|change| change.new == TcpState::Established) {
        judgement.exclude(Source::Kernel, "the connection was never established");
    }
    if unanswered(scene) {
        judgement.exclude(Source::Wire, "its SYN was never answered by a SYN");
    } else if super::tcp_synack_timeout::unacknowledged(scene) {
        judgement.exclude(Source::Wire, "its SYN, ACK was never acknowledged");
    } else if never_answered(scene) {
        judgement.exclude(Source::Wire, "it never answered the other endpoint's SYN by one of its own");
    }
}

/// The wire shows that this endpoint's SYN was never answered by one.
#[must_use]
pub fn unanswered(scene: &Scene<'_>) -> bool {
    let me = scene.me();
    scene.side == 0 && me.sent.iter().any(|s| s.flags.syn()) && !me.delivered.iter().any(|s| s.flags.syn())
}

/// The wire shows that the other endpoint sent SYN and this one did not.
#[must_use]
pub fn never_answered(scene: &Scene<'_>) -> bool {
    let syn = |scene: &Scene<'_>| scene.me().sent.iter().any(|s| s.flags.syn());
    scene.side == 1 && syn(&scene.peer()) && !syn(scene)
}

/// Excludes an end of this endpoint's own making that the wire and the kernel would both show, and do not: an attempt that is
/// given up before it is answered shows in the kernel only.
pub fn must_show_own(judgement: &mut Judgement, scene: &Scene<'_>) {
    shows_unless(judgement, scene, unanswered(scene));
}

/// As [`must_show_own`], for a FIN of a program's own: on the wire it waits behind data that nobody acknowledges, and for ever if
/// the connection is broken.
pub fn must_show_own_fin(judgement: &mut Judgement, scene: &Scene<'_>) {
    shows_unless(judgement, scene, unanswered(scene) || scene.unacknowledged(scene.until()) > 0);
}

fn shows_unless(judgement: &mut Judgement, scene: &Scene<'_>, hidden_on_wire: bool) {
    stands(judgement, scene);
    if !hidden_on_wire {
        shows_on_wire(judgement, scene);
    }
    shows_in_trace(judgement, scene);
}

/// Excludes an end that the wire and the kernel would both show, and do not.
pub fn must_show(judgement: &mut Judgement, scene: &Scene<'_>) {
    stands(judgement, scene);
    shows_on_wire(judgement, scene);
    shows_in_trace(judgement, scene);
}

/// Excludes any end of an endpoint that stands in the socket table.
fn stands(judgement: &mut Judgement, scene: &Scene<'_>) {
    if scene.me().standing == Some(TcpState::Established) {
        judgement.exclude(Source::Kernel, "the socket stands in the table at the end, ESTABLISHED");
    }
}

/// Excludes any end of an endpoint of which no source that would show it shows one: its own FIN or RST would be on the wire.
fn shows_on_wire(judgement: &mut Judgement, scene: &Scene<'_>) {
    if no_end_on_wire(scene) {
        judgement.exclude(Source::Wire, "no FIN or RST passed at this end of the wire");
    }
}

/// The wire shows no end at this endpoint, and would show one: without a carrier a node's FIN does not reach it.
#[must_use]
pub fn no_end_on_wire(scene: &Scene<'_>) -> bool {
    scene.carrier() && scene.model.has(Source::Wire) && scene.wire_end().is_none()
}

/// Excludes any end when the trace shows none and the endpoint's history is whole.
fn shows_in_trace(judgement: &mut Judgement, scene: &Scene<'_>) {
    if !scene.me().states.is_empty() && scene.kernel_end().is_none() && scene.model.tables {
        judgement.exclude(Source::Kernel, "the socket never left ESTABLISHED");
    }
}

/// Excludes an end that the kernel would show, and does not: an attempt whose SYN never left the node shows nowhere else.
pub fn must_show_in_kernel(judgement: &mut Judgement, scene: &Scene<'_>) {
    stands(judgement, scene);
    shows_in_trace(judgement, scene);
}

/// Milliseconds as a span.
#[must_use]
pub fn ms(milliseconds: u64) -> Span {
    Span::millis(i64::try_from(milliseconds).unwrap_or(i64::MAX / 1_000_000))
}

/// Seconds for people: `200 s`, `0.5 s`.
#[must_use]
pub fn s(span: Span) -> String {
    let rounded = (span.seconds() * 1000.0).round() / 1000.0;
    format!("{rounded} s")
}
