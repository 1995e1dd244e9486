//! A broker or a client that waits no longer for the end of the protocol's handshake.

use crate::evidence::{Meaning, Source, Span, Why};

use super::super::decide::{Due, Judgement};
use super::super::protocol::Spoke;
use super::super::scene::{Scene, Way};
use super::patterns::{ends_by, ms, must_show, must_show_own_fin, s};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "handshake-timeout",
    scope: Scope::Cause,
    who: "broker or client",
    fires: "the protocol's handshake is not finished in time: the client says nothing, or not enough, or the broker does not answer",
    counted_from: "the accept, at a broker; the attempt to connect, at a client; nothing that the other one says restarts it",
    settings: "RabbitMQ's `handshake_timeout`, 10 s by default; mosquitto has none of its own: a connection begins with a keep-alive of 60 s, so 90 s; rumqttc's connection_timeout, 5 s",
    wire: "no `connection.open-ok`, no CONNACK; FIN, or RST when something is unread",
    application: "the client reads EOF; RabbitMQ logs `{handshake_timeout,…}`, mosquitto `Client <unknown> has exceeded timeout`; rumqttc says `Network timeout`",
    source: "rabbit_reader.erl start_connection/5 and handle_other(handshake_timeout, …): it counts until the connection runs, which it does from `connection.open` on; mosquitto 2.0's context.c context__init; rumqttc 0.25's eventloop.rs poll",
    shown: "amqp/handshake-timeout",
    near: "amqp/frozen-client",
    judge,
};

/// The kind of client that has such a limit.
const LIMITS: &str = "mqtt";
/// How much earlier than nominal a timer of whole milliseconds can be seen to fire.
const EARLY: Span = Span::millis(1);
/// How long after the handshake of TCP a broker accepts, and how late its timer is, on an idle machine.
const LATE: Span = Span::millis(100);

fn judge(scene: &Scene<'_>) -> Judgement {
    if scene.at_proxy() {
        return Judgement::inapplicable("a proxy waits for no handshake of a protocol");
    }
    let program = scene.me().program.as_ref();
    let setting = program.and_then(|program| scene.model.broker_settings.get(program));
    if scene.side == 0 && setting.is_none() && scene.kind() != Some(LIMITS) {
        return Judgement::inapplicable("this client waits for the handshake for ever");
    }
    let mut judgement = Judgement::default();
    let nowhere_set = setting.is_none() && scene.model.has(Source::Settings);
    match scene.spoke() {
        Spoke::No(source) if scene.is_plain() || nowhere_set => {
            judgement.exclude_alone(source, "no handshake of a protocol is waited for here");
            return judgement;
        }
        _ => {}
    }
    ends_by(&mut judgement, scene, &[Way::SentFin, Way::SentRst, Way::Abandoned]);
    super::app_close::alive(&mut judgement, scene);
    if let Some(setting) = setting {
        by_time(&mut judgement, scene, setting.handshake_ms);
    }
    by_frames(&mut judgement, scene);
    if let Some((_, why, text)) = scene.word() {
        match why {
            Why::HandshakeTimeout => judgement.support(Source::Log, text),
            _ => judgement.exclude(Source::Log, text),
        }
    }
    if scene.side == 0 {
        // What it has said last may still wait for an acknowledgement.
        must_show_own_fin(&mut judgement, scene);
    } else {
        must_show(&mut judgement, scene);
    }
    judgement
}

fn by_frames(judgement: &mut Judgement, scene: &Scene<'_>) {
    if let Some(opened) = scene.said(Meaning::Opened, scene.until()) {
        judgement.exclude(Source::Wire, format!("the handshake was over at {} ({})", opened.at, opened.name));
    } else if scene.frames_are_whole() {
        let last = scene.me().frames.last().map_or("nothing was said", |frame| frame.name.as_str());
        judgement.support(Source::Wire, format!("the handshake was not finished; last: {last}"));
    }
}

fn by_time(judgement: &mut Judgement, scene: &Scene<'_>, setting: Option<u64>) {
    if setting.is_none() {
        judgement.exclude_alone(Source::Settings, "it waits for a handshake for ever");
    }
    let Some(due) = due(scene) else { return };
    if let Some(end) = scene.end().filter(|end| end.way.own()) {
        let text = format!("{} after the {} ({})", s(end.at.since(due.since)), due.what, due.sum);
        if due.allows(end.at) {
            judgement.support(Source::Settings, text);
        } else {
            judgement.exclude(Source::Settings, text);
        }
    }
    if scene.said(Meaning::Opened, scene.until()).is_none() {
        judgement.due = Some(due);
    }
}

/// When this endpoint's program waits no longer for the handshake to be over.
pub(super) fn due(scene: &Scene<'_>) -> Option<Due> {
    let program = scene.me().program.as_ref()?;
    let timers = scene.model.broker_settings.get(program)?;
    let nominal = ms(timers.handshake_ms?);
    let (what, since) =
        if scene.side == 0 { ("attempt to connect", scene.connection().began) } else { ("accept", scene.stood_since()?) };
    // A frozen program looks at its timers when it is thawed.
    let frozen = scene.frozen(since, scene.until());
    let looks = ms(timers.checks_every_ms.unwrap_or_default());
    let latest = Span(nominal.0.saturating_add(looks.0).saturating_add(LATE.0 + scene.model.canary.0 + frozen.0));
    Some(Due {
        what: what.into(),
        since,
        nominal,
        window: (Span(nominal.0 - EARLY.0), latest),
        sum: format!("handshake timeout {}", s(nominal)),
    })
}
