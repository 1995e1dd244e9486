//! Firewalls: nodes that route between their wires and remember the connections that pass.

use std::time::Duration;

use serde::Serialize;

use super::cursor::{Fields, Value};
use super::decode::{Choice, Decode, OnOff};
use super::keys::Optional;
use super::middleboxes::{MODELS, Model};
use super::shape::{Shape, Shaped, WordShape};
use super::units::duration_text;

/// How long Linux remembers a connection through which nothing passes (nf_conntrack_proto_tcp.c): 5 days.
pub(super) const IDLE: Duration = Duration::from_hours(5 * 24);
/// How long Linux remembers one of whose sides one has sent FIN (the same table, CLOSE_WAIT).
pub(super) const HALF_CLOSED: Duration = Duration::from_mins(1);

/// What a firewall does with what passes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Firewall {
    /// The box that it stands for, one of [`MODELS`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<&'static str>,
    /// After how long without any segment it forgets a connection, whole seconds.
    #[serde(serialize_with = "super::units::serialize_duration")]
    pub idle: Duration,
    /// The same once one side has sent FIN.
    #[serde(serialize_with = "super::units::serialize_duration")]
    pub half_closed: Duration,
    /// After how long without payload it forgets a connection, whole milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "super::units::serialize_optional_duration")]
    pub payload_idle: Option<Duration>,
    /// What becomes of a segment that belongs to no connection that it knows.
    pub unknown: Unknown,
    /// Whether it takes up, from the middle, a connection that it does not know.
    pub loose: bool,
    /// Whether what it passes on bears another address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nat: Option<Nat>,
}

/// What becomes of a segment that belongs to no known connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// It vanishes.
    Drop,
    /// Its sender gets a RST.
    Reset,
}

/// How addresses are translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nat {
    /// What it passes on has its own address as the source.
    Masquerade,
}

impl Choice for Unknown {
    const WHAT: &'static str = "answer";
    const CHOICES: &'static [(&'static str, Self, &'static str)] =
        &[("drop", Self::Drop, "it vanishes"), ("reset", Self::Reset, "its sender gets a RST in the other's name")];
}

impl Choice for Nat {
    const WHAT: &'static str = "translation";
    const CHOICES: &'static [(&'static str, Self, &'static str)] =
        &[("masquerade", Self::Masquerade, "what it passes on has its own address as the source")];
}

shape! {
    /// The name of one of [`MODELS`].
    pub ModelName = Shape::Words(|| MODELS.iter().map(|model| WordShape { word: model.name, about: model.what }).collect())
}

keys! {
    /// The keys of a firewall.
    pub struct FirewallKeys {
        MODEL: optional ModelName = "model", "aws-nlb", "none",
            "the box that it stands for: below. It sets the keys that follow; those that are written too win";
        IDLE: optional Duration = "idle", "350s", "5d, as Linux",
            "after how long without any segment it forgets a connection: whole seconds";
        HALF_CLOSED: optional Duration = "half closed", "10m", "60s",
            "the same once one side has sent FIN and the other has acknowledged it";
        PAYLOAD_IDLE: optional Duration = "payload idle", "60s", "never",
            "after how long without *payload* it forgets a connection, whatever else passes";
        UNKNOWN: optional Unknown = "unknown", "reset", "`drop`",
            "what becomes of a segment of a connection that it does not know: `drop`, in silence, or `reset`: its sender gets a RST in the other's name, and nobody else is told";
        LOOSE: optional OnOff = "loose", "off", "`on`; `off` with a model",
            "whether it takes a connection up from the middle: `on` or `off`";
        NAT: optional Nat = "nat", "masquerade", "none",
            "`masquerade`: what it passes on has its own address as the source";
    }
}

impl Shaped for Firewall {
    const SHAPE: Shape = FirewallKeys::SHAPE;
}

impl Decode for Firewall {
    const EXPECTED: &'static str = "what the firewall does, such as `{ idle: 350s, unknown: reset }` or `{}`";

    fn decode(value: &Value<'_>) -> Option<Self> {
        if !value.is_mapping() {
            value.mismatch(Self::EXPECTED);
            return None;
        }
        let mut fields = value.fields(FirewallKeys::TABLE)?;
        let model = fields.optional_value(FirewallKeys::MODEL).map(|place| {
            let models: Vec<_> = MODELS.iter().map(|model| (model.name, model)).collect();
            place.choose("model", &models)
        });
        let model: Option<&Model> = match model {
            Some(wanted) => Some(wanted?),
            None => None,
        };
        let idle = seconds(&mut fields, FirewallKeys::IDLE);
        let half_closed = seconds(&mut fields, FirewallKeys::HALF_CLOSED);
        let payload_idle = milliseconds(&mut fields);
        let unknown = fields.optional(FirewallKeys::UNKNOWN);
        let loose = fields.optional(FirewallKeys::LOOSE);
        let nat = fields.optional(FirewallKeys::NAT);
        fields.finish();
        Some(Self {
            model: model.map(|model| model.name),
            idle: idle.or(model.and_then(|model| model.idle)).unwrap_or(IDLE),
            half_closed: half_closed.or(model.and_then(|model| model.half_closed)).unwrap_or(HALF_CLOSED),
            payload_idle: payload_idle.or(model.and_then(|model| model.payload_idle)),
            unknown: unknown.or(model.map(|model| model.unknown)).unwrap_or(Unknown::Drop),
            // A box whose flows are forgotten is a model of forgetting them; Linux takes them up again.
            loose: loose.map_or(model.is_none(), |loose| loose.0),
            nat,
        })
    }
}

/// Connection tracking counts whole seconds (`nf_conntrack_tcp_timeout_*`).
fn seconds(fields: &mut Fields<'_>, key: Optional<Duration>) -> Option<Duration> {
    let name = key.name;
    let timeout = fields.optional(key)?;
    if timeout.is_zero() || timeout.subsec_nanos() > 0 {
        let text = duration_text(timeout);
        fields.error_at(name, format!("the kernel takes whole seconds here, from 1s, not {text}"));
    }
    Some(timeout)
}

/// nftables counts milliseconds.
fn milliseconds(fields: &mut Fields<'_>) -> Option<Duration> {
    let timeout = fields.optional(FirewallKeys::PAYLOAD_IDLE)?;
    if timeout.is_zero() || !timeout.subsec_nanos().is_multiple_of(1_000_000) {
        let text = duration_text(timeout);
        fields.error_at(
            FirewallKeys::PAYLOAD_IDLE.name,
            format!("the kernel takes whole milliseconds here, from 1ms, not {text}"),
        );
    }
    Some(timeout)
}
