//! A peer whose heartbeats are missed.
//!
//! The protocol leaves it to each program when it looks; so the window is that of the program at this endpoint, as it calls
//! itself in the handshake, and for any other the union of all that are known.

use crate::evidence::{Moment, Source, Span, Why};

use super::super::decide::{Due, Judgement};
use super::super::protocol::Spoke;
use super::super::scene::{Scene, Way};
use super::patterns::{ends_by, must_show_own_fin, s};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "heartbeat",
    scope: Scope::Cause,
    who: "client or broker",
    fires: "AMQP: not a byte came from the peer for two heartbeat intervals; any byte counts, and kernels' keepalive probes carry none. MQTT: the broker got no packet from the client for one and a half times the keep-alive; the client got no answer to its PINGREQ",
    counted_from: "the last byte from the peer; at an MQTT client, the PINGREQ",
    settings: "the heartbeat that the client answers in `connection.tune-ok`; MQTT's keep-alive in CONNECT, or the Server Keep Alive in CONNACK; 0 is off",
    wire: "no payload from the peer; FIN without `connection.close` or DISCONNECT, or RST when something is unread",
    application: "the library's error for missed heartbeats; RabbitMQ logs `missed heartbeats from client`, mosquitto `has exceeded timeout, disconnecting`",
    source: "AMQP 0-9-1, 4.2.7; RabbitMQ's rabbit_heartbeat.erl looks once an interval and gives up at the second look without a byte: 2 to 3 intervals; lapin 4's heartbeat.rs looks twice an interval: 2 to 2.5; pika 1.4's heartbeat.py gives up at the first look without a byte, and looks every interval + 5 s: 1 to 2 of these. MQTT 3.1.1, 3.1.2.10; mosquitto's keepalive.c looks every 6 s before 2.0.21: 1.5 keep-alives and up to 6 s; rumqttc 0.25's state.rs gives up when the next PINGREQ is due: 1 after the PINGREQ",
    shown: "amqp/frozen-broker",
    near: "amqp/frozen-broker-unnoticed",
    judge,
};

/// How much later than its timer says a program is seen to end a connection, on an idle machine.
const LATE: Span = Span::millis(100);
/// The protocol whose keep-alive is kept in another way: by answers, and by one side.
const MQTT: &str = "mqtt";
/// What pika adds to the heartbeat before it looks.
const PIKAS_MARGIN: Span = Span::millis(5000);
/// How much earlier a timer of whole milliseconds can fire.
const EARLY: Span = Span::millis(1);

/// When a program gives its peer up, after the last byte.
#[derive(Clone, Copy)]
struct Patience {
    nominal: Span,
    earliest: Span,
    latest: Span,
}

/// From the heartbeat in force to a program's patience.
type Look = fn(Span) -> Patience;

/// What programs call themselves in the handshake, and how patient they are with the heartbeat in force.
const PROGRAMS: [(&str, Look); 4] =
    [("RabbitMQ", look_once), ("whyclosed", look_once), ("lapin", look_twice), ("Pika Python Client Library", look_late)];

/// rabbit_heartbeat.erl start_heartbeat_receiver/4, and the harness's broker, which does the same.
fn look_once(heartbeat: Span) -> Patience {
    let nominal = Span(2 * heartbeat.0);
    Patience { nominal, earliest: nominal, latest: Span(3 * heartbeat.0) }
}

/// lapin's heartbeat.rs `poll_timeout`: it looks half an interval after it last wrote.
fn look_twice(heartbeat: Span) -> Patience {
    let nominal = Span(2 * heartbeat.0);
    Patience { nominal, earliest: nominal, latest: Span(5 * heartbeat.0 / 2) }
}

/// pika's heartbeat.py `_check_heartbeat`.
fn look_late(heartbeat: Span) -> Patience {
    let nominal = Span(heartbeat.0 + PIKAS_MARGIN.0);
    Patience { nominal, earliest: nominal, latest: Span(2 * nominal.0) }
}

/// A program that is not known may be as any that is.
fn patience(software: Option<&str>, heartbeat: Span) -> Patience {
    if let Some((_, known)) = PROGRAMS.iter().find(|(name, _)| Some(*name) == software) {
        return known(heartbeat);
    }
    let mut all = look_once(heartbeat);
    for (_, patience) in PROGRAMS {
        let Patience { earliest, latest, .. } = patience(heartbeat);
        (all.earliest, all.latest) = (all.earliest.min(earliest), all.latest.max(latest));
    }
    all
}

fn judge(scene: &Scene<'_>) -> Judgement {
    if scene.at_proxy() {
        return Judgement::inapplicable("a proxy has no heartbeat: it passes those of others on");
    }
    let mut judgement = Judgement::default();
    let agreed = scene.heartbeat();
    match (agreed, scene.spoke()) {
        (None, Spoke::No(source)) => {
            judgement.exclude_alone(source, "no protocol with heartbeats is spoken here");
            return judgement;
        }
        (Some((_, heartbeat, _)), _) if heartbeat.in_force_s == 0 => {
            judgement.exclude_alone(Source::Settings, "the heartbeat is off");
        }
        (None, _) if scene.model.has(Source::Settings) && !scene.me().unread => {
            judgement.exclude_alone(Source::Settings, "no heartbeat had been agreed on");
        }
        _ => {}
    }
    ends_by(&mut judgement, scene, &[Way::SentFin, Way::SentRst]);
    super::app_close::alive(&mut judgement, scene);
    by_time(&mut judgement, scene);
    if let Some((_, why, text)) = scene.word() {
        match why {
            Why::Heartbeat => judgement.support(Source::Log, text),
            _ => judgement.exclude(Source::Log, text),
        }
    }
    must_show_own_fin(&mut judgement, scene);
    judgement
}

fn by_time(judgement: &mut Judgement, scene: &Scene<'_>) {
    let Some(Silence { due, missed }) = silence(scene) else {
        none_waited_for(judgement, scene);
        return;
    };
    if let Some(end) = scene.end().filter(|end| end.way.own()) {
        let silence = format!("{missed} was delivered for {} after the {}", s(end.at.since(due.since)), due.what);
        if due.allows(end.at) {
            judgement.support(Source::Wire, silence);
            judgement.support(Source::Settings, format!("the heartbeat allows {}", due.sum));
        } else {
            judgement.exclude(Source::Wire, format!("{silence}, and {} are allowed", due.sum));
        }
    }
    judgement.due = Some(due);
}

/// An MQTT client that waits for no answer has no timer that runs.
fn none_waited_for(judgement: &mut Judgement, scene: &Scene<'_>) {
    let pings = is_mqtt(scene) && scene.side == 0 && scene.frames_are_whole();
    if pings && scene.heartbeat().is_some_and(|(_, heartbeat, _)| heartbeat.in_force_s > 0) {
        judgement.exclude(Source::Wire, "no PINGREQ waited for its answer");
    }
}

/// What a program waits for, and how long.
pub(super) struct Silence {
    pub due: Due,
    /// What is not delivered meanwhile, as people say it.
    pub missed: &'static str,
}

/// When this endpoint's program gives its peer up.
pub(super) fn due(scene: &Scene<'_>) -> Option<Due> {
    silence(scene).map(|silence| silence.due)
}

fn silence(scene: &Scene<'_>) -> Option<Silence> {
    if is_mqtt(scene) { super::keep_alive::due(scene) } else { by_bytes(scene) }
}

fn is_mqtt(scene: &Scene<'_>) -> bool {
    scene.me().agreed.as_ref().is_some_and(|(_, agreed)| agreed.protocol == MQTT)
}

/// A heartbeat as an interval.
pub(super) fn seconds(heartbeat_s: u16) -> Span {
    Span::millis(i64::from(heartbeat_s) * 1000)
}

/// What a program has heard, as far as it stood: it may have been frozen.
pub(super) struct Heard {
    /// The last sign of life that it has read at once; the agreement, when there was none.
    pub since: Moment,
    /// There was none.
    pub nothing: bool,
    /// How much later it may have looked at its timer.
    pub slack: Span,
}

/// What of that which was delivered a program has heard.
pub(super) fn heard(scene: &Scene<'_>, agreed: Moment, delivered: Vec<Moment>) -> Heard {
    let delivered = delivered.into_iter().filter(|at| *at > agreed);
    let freezes = scene.freezes();
    let (late, heard): (Vec<Moment>, Vec<Moment>) =
        delivered.partition(|at| freezes.iter().any(|(froze, thawed)| froze < at && at < thawed));
    let since = heard.last().copied().unwrap_or(agreed);
    // What came while it was frozen a thawed program reads at once, or gives up before it does.
    let read = late.last().and_then(|late| freezes.iter().find(|(_, thawed)| late < thawed)).map(|(_, thawed)| *thawed);
    let slack = read.map_or(scene.frozen(since, scene.until()), |read| read.since(since).max(Span(0)));
    Heard { since, nothing: heard.is_empty(), slack }
}

/// AMQP: any byte is a sign of life.
fn by_bytes(scene: &Scene<'_>) -> Option<Silence> {
    let (agreed, heartbeat, software) = scene.heartbeat().filter(|(_, heartbeat, _)| heartbeat.in_force_s > 0)?;
    if !scene.model.has(Source::Wire) {
        return None;
    }
    let interval = seconds(heartbeat.in_force_s);
    let Patience { nominal, earliest, latest } = patience(software, interval);
    let heard = heard(scene, agreed, scene.payload_delivered(scene.until()));
    let peer = &scene.peer().me().node;
    let sum = if nominal.0 == 2 * interval.0 { format!("2 × {}", s(interval)) } else { format!("{} + 5 s", s(interval)) };
    let due = Due {
        what: if heard.nothing { "agreement on the heartbeat".into() } else { format!("last byte from {peer}") },
        since: heard.since,
        nominal,
        window: (Span(earliest.0 - EARLY.0), Span(latest.0 + LATE.0 + scene.model.canary.0 + heard.slack.0)),
        sum,
    };
    Some(Silence { due, missed: "not a byte" })
}
