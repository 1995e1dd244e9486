//! When MQTT's keep-alive runs out: the broker waits for any packet of the client, the client for the answer to its PINGREQ.

use crate::evidence::{Moment, Source, Span};

use super::super::decide::Due;
use super::super::model::Spoken;
use super::super::scene::Scene;
use super::heartbeat::{Silence, heard, seconds};
use super::patterns::{ms, s};

/// How much later than its timer says a program is seen to end a connection, on an idle machine.
const LATE: Span = Span::millis(100);
/// How much earlier a timer of whole milliseconds can fire.
const EARLY: Span = Span::millis(1);
/// The kind of the harness's own client: rumqttc.
const OWN: &str = "mqtt";
/// A broker that is not known may look as seldom as an old mosquitto, which is the laziest that is.
const CHECKS_EVERY_MS: u64 = 6_100;
/// A client that is not known may wait for two intervals, and look no more often than this.
const SELDOM: Span = Span::millis(5_000);

/// When this endpoint's program gives its peer up.
pub fn due(scene: &Scene<'_>) -> Option<Silence> {
    let (agreed, heartbeat, _) = scene.heartbeat().filter(|(_, heartbeat, _)| heartbeat.in_force_s > 0)?;
    if !scene.model.has(Source::Wire) {
        return None;
    }
    let interval = seconds(heartbeat.in_force_s);
    Some(if scene.side == 1 { broker(scene, agreed, interval) } else { client(scene, agreed, interval)? })
}

/// MQTT 3.1.1 §3.1.2.10: one and a half times the keep-alive without a control packet. mosquitto reckons in whole seconds and
/// looks every sixth one (keepalive.c, `keepalive__check`); since 2.0.21 each second.
fn broker(scene: &Scene<'_>, agreed: Moment, interval: Span) -> Silence {
    let until = scene.until();
    let packet = |frame: &&Spoken| !frame.sent && frame.at <= until;
    let packets = || scene.me().frames.iter().filter(packet).map(|frame| frame.at).collect();
    let delivered = if scene.frames_are_whole() { packets() } else { scene.payload_delivered(until) };
    let heard = heard(scene, agreed, delivered);
    let nominal = Span(interval.0 + interval.0 / 2);
    let whole = Span::millis(nominal.0 / 1_000_000_000 * 1000);
    let timers = scene.me().program.as_ref().and_then(|program| scene.model.broker_settings.get(program));
    let looks = ms(timers.map_or(CHECKS_EVERY_MS, |timers| timers.checks_every_ms.unwrap_or_default()));
    let peer = &scene.peer().me().node;
    let due = Due {
        what: if heard.nothing { "CONNACK".into() } else { format!("last packet from {peer}") },
        since: heard.since,
        nominal,
        window: (
            Span(whole.0 - EARLY.0),
            Span(nominal.0.saturating_add(looks.0).saturating_add(LATE.0 + scene.model.canary.0 + heard.slack.0)),
        ),
        sum: format!("1.5 × {}", s(interval)),
    };
    Silence { due, missed: "no packet" }
}

/// rumqttc pings once an interval, whatever else is said, and gives up at the second time if the first PINGREQ has no answer
/// (state.rs, `outgoing_ping`). paho and libmosquitto wait as long and look once a second. None while no PINGREQ waits for one.
fn client(scene: &Scene<'_>, agreed: Moment, interval: Span) -> Option<Silence> {
    let until = scene.until();
    let of = |name: &str, sent: bool| -> Vec<&Spoken> {
        let mine = |frame: &&Spoken| frame.name == name && frame.sent == sent && frame.at <= until;
        scene.me().frames.iter().filter(mine).collect()
    };
    let answered = of("PINGRESP", false).last().map_or(agreed, |answer| answer.at);
    let asked = of("PINGREQ", true).into_iter().map(|ping| ping.at).find(|at| *at >= answered);
    // Behind data that nobody acknowledges a PINGREQ does not leave the node (Nagle's algorithm, RFC 9293 §3.7.4).
    let pings = answered.after(interval);
    let hidden = asked.is_none() && pings <= until && scene.unacknowledged(pings) > 0;
    let (since, nominal, what) = match asked {
        Some(asked) => (asked, interval, "PINGREQ without an answer"),
        None if hidden => (answered, Span(2 * interval.0), "last PINGRESP, or CONNACK"),
        None => return None,
    };
    let earliest = interval;
    let latest = if scene.kind() == Some(OWN) { nominal } else { Span(2 * interval.0 + SELDOM.0) };
    let slack = scene.frozen(since, until);
    let due = Due {
        what: what.into(),
        since,
        nominal,
        window: (Span(earliest.0 - EARLY.0), Span(latest.0.saturating_add(LATE.0 + scene.model.canary.0 + slack.0))),
        sum: if hidden { format!("2 × {}", s(interval)) } else { s(interval) },
    };
    Some(Silence { due, missed: "no PINGRESP" })
}
