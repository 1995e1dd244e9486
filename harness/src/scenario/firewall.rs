//! Firewalls: nodes that route between their wires and remember the connections that pass.

use std::time::Duration;

use serde::Serialize;

use super::cursor::{Fields, Value};
use super::decode::{Decode, OnOff};
use super::middleboxes::{MODELS, Model};
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

impl Decode for Firewall {
    const EXPECTED: &'static str = "what the firewall does, such as `{ idle: 350s, unknown: reset }` or `{}`";

    fn decode(value: &Value<'_>) -> Option<Self> {
        if !value.is_mapping() {
            value.mismatch(Self::EXPECTED);
            return None;
        }
        let mut fields = value.fields()?;
        let model = fields.optional_value("model").map(|place| {
            let models: Vec<_> = MODELS.iter().map(|model| (model.name, model)).collect();
            place.choose("model", &models)
        });
        let model: Option<&Model> = match model {
            Some(wanted) => Some(wanted?),
            None => None,
        };
        let idle = seconds(&mut fields, "idle");
        let half_closed = seconds(&mut fields, "half_closed");
        let payload_idle = milliseconds(&mut fields);
        let unknown = fields.optional_value("unknown");
        let unknown =
            unknown.and_then(|place| place.choose("answer", &[("drop", Unknown::Drop), ("reset", Unknown::Reset)]));
        let loose: Option<OnOff> = fields.optional("loose");
        let nat = fields.optional_value("nat");
        let nat = nat.and_then(|place| place.choose("translation", &[("masquerade", Nat::Masquerade)]));
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
fn seconds(fields: &mut Fields<'_>, key: &'static str) -> Option<Duration> {
    let timeout: Duration = fields.optional(key)?;
    if timeout.is_zero() || timeout.subsec_nanos() > 0 {
        let text = duration_text(timeout);
        fields.error_at(key, format!("the kernel takes whole seconds here, from 1s, not {text}"));
    }
    Some(timeout)
}

/// nftables counts milliseconds.
fn milliseconds(fields: &mut Fields<'_>) -> Option<Duration> {
    let timeout: Duration = fields.optional("payload_idle")?;
    if timeout.is_zero() || !timeout.subsec_nanos().is_multiple_of(1_000_000) {
        let text = duration_text(timeout);
        fields.error_at("payload_idle", format!("the kernel takes whole milliseconds here, from 1ms, not {text}"));
    }
    Some(timeout)
}
