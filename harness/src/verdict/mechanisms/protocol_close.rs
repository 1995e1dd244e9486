//! A close of the protocol's connection, and then of TCP's.

use crate::evidence::{Meaning, Source, Why};

use super::super::decide::Judgement;
use super::super::protocol::Spoke;
use super::super::scene::{Scene, Way};
use super::patterns::{ends_by, must_show_own_fin};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "protocol-close",
    scope: Scope::Cause,
    who: "application",
    fires: "client or broker closes the protocol's connection (AMQP `connection.close`, MQTT DISCONNECT or a CONNACK that refuses) by its own decision or for the other one's mistake; `closed_by` is the one that did so first, whichever then ends the TCP connection",
    counted_from: "no timer",
    settings: "none",
    wire: "`connection.close` with its reply code, answered by `connection.close-ok`, and then FIN: mostly the client's; RabbitMQ waits for it, for 30 s or the heartbeat at most. MQTT's DISCONNECT has no answer, and FIN follows at once",
    application: "the reply code and text; then the peer reads EOF",
    source: "AMQP 0-9-1, 2.2.4; rabbit_reader.erl close_connection/1, send_error_on_channel0_and_close/3; MQTT 3.1.1, 3.14.4",
    shown: "amqp/publish-and-close",
    near: "amqp/killed-before-heartbeat",
    judge,
};

fn judge(scene: &Scene<'_>) -> Judgement {
    if scene.at_proxy() {
        return Judgement::inapplicable("a proxy passes a protocol's frames on and has none of its own");
    }
    let mut judgement = Judgement::default();
    ends_by(&mut judgement, scene, &[Way::SentFin, Way::SentRst]);
    super::app_close::alive(&mut judgement, scene);
    by_frames(&mut judgement, scene);
    if let Some((_, why, text)) = scene.word() {
        match why {
            Why::ProtocolClose => judgement.support(Source::Log, text),
            _ => judgement.exclude(Source::Log, text),
        }
    }
    must_show_own_fin(&mut judgement, scene);
    judgement
}

fn by_frames(judgement: &mut Judgement, scene: &Scene<'_>) {
    if let Spoke::No(source) = scene.spoke() {
        judgement.exclude_alone(source, "no protocol is spoken here that could be closed");
        return;
    }
    let until = scene.until();
    match scene.first_to_close(until) {
        Some((node, close)) => {
            let reply = close.reply.as_ref().map(|reply| format!(" ({reply})")).unwrap_or_default();
            let answered = scene.said(Meaning::Closed, until).map_or("not answered", |_| "answered");
            let text = format!("{}{reply} of {node} passed at {}, {answered} before the end", close.name, close.at);
            judgement.support(Source::Wire, text);
            judgement.by = Some(node);
        }
        None if scene.frames_are_whole() => {
            judgement.exclude(Source::Wire, "the protocol's connection was not closed before the end");
        }
        None => {}
    }
}
