//! Wires: the cables between nodes, and what they do to packets.

use std::time::Duration;

use serde::Serialize;

use super::cursor::{Fields, Value};
use super::decode::Choice;
use super::diagnostic::{Diagnostic, Span};
use super::names::{NodeName, WireName, check_name};
use super::shape::Shape;
use super::units::{Percent, Rate};

/// The MTU of Ethernet.
const ETHERNET_MTU: u32 = 1500;
/// What IPv4 must be able to forward (RFC 791, 3.2), and what fits its length field.
const MTUS: std::ops::RangeInclusive<u32> = 68..=65535;

/// One cable between two nodes. What is said of its quality holds in each direction.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Wire {
    /// Its name.
    pub name: WireName,
    /// The two nodes.
    pub ends: [NodeName; 2],
    /// What it does to packets.
    #[serde(flatten)]
    pub quality: Quality,
    /// The largest IP packet, in bytes; 1500 unless given.
    pub mtu: u32,
    /// How its two nodes know each other's MAC address.
    pub neighbours: Neighbours,
}

/// How the nodes at the ends of a wire know each other's MAC address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Neighbours {
    /// For ever: a cut is several hops away, and ARP does not notice it.
    #[default]
    Permanent,
    /// By ARP, as two hosts of one subnet do: behind a cut, no address is found any more after a while.
    Dynamic,
}

/// What a wire does to the packets that it carries (tc-netem(8)); nothing of what is not given.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Quality {
    /// How long a packet is under way.
    #[serde(serialize_with = "super::units::serialize_optional_duration")]
    pub delay: Option<Duration>,
    /// How much the delay varies; only with a delay.
    #[serde(serialize_with = "super::units::serialize_optional_duration")]
    pub jitter: Option<Duration>,
    /// Packets that are lost.
    pub loss: Option<Percent>,
    /// Packets that arrive twice.
    pub duplicate: Option<Percent>,
    /// Packets that overtake; only with a delay.
    pub reorder: Option<Percent>,
    /// Packets in which a bit is flipped.
    pub corrupt: Option<Percent>,
    /// How fast it carries bits.
    pub rate: Option<Rate>,
}

impl Choice for Neighbours {
    const WHAT: &'static str = "a kind of neighbours";
    const CHOICES: &'static [(&'static str, Self, &'static str)] = &[
        (
            "permanent",
            Self::Permanent,
            "the two nodes know each other's MAC address for ever, as a cut is several hops away",
        ),
        (
            "dynamic",
            Self::Dynamic,
            "they ask by ARP, as hosts of one subnet, and behind a cut they find each other no more",
        ),
    ];
}

keys! {
    /// What a wire does to packets, in each direction.
    pub struct QualityKeys {
        DELAY: optional Duration = "delay", "5ms", "none", "how long a packet is under way";
        JITTER: optional Duration = "jitter", "100us", "none", "how much the delay varies; only with a delay";
        LOSS: optional Percent = "loss", "0.5%", "none", "packets that are lost";
        DUPLICATE: optional Percent = "duplicate", "1%", "none", "packets that arrive twice";
        REORDER: optional Percent = "reorder", "2%", "none", "packets that overtake; only with a delay";
        CORRUPT: optional Percent = "corrupt", "0.1%", "none", "packets in which a bit is flipped";
        RATE: optional Rate = "rate", "10mbit", "unlimited", "how fast it carries bits";
    }
}

keys! {
    /// The keys of a wire, besides [`QualityKeys`].
    pub struct WireKeys {
        ENDS: required Ends = "ends", "[client, server]", "the two nodes; no two wires join the same ones";
        MTU: optional u32 = "mtu", "1400", "1500", "largest IP packet in bytes, 68 to 65535";
        NEIGHBOURS: optional Neighbours = "neighbours", "dynamic", "permanent",
            "`permanent`: the two nodes know each other's MAC address for ever, as a cut is several hops away. `dynamic`: they ask by ARP, as hosts of one subnet, and behind a cut they find each other no more";
    }
}

shape! {
    /// Two nodes.
    pub Ends = Shape::List(&NodeName::SHAPE, Some(2))
}

shape! {
    /// The section `wires`.
    pub Wires = Shape::named(&Shape::Keys(&[WireKeys::TABLE, QualityKeys::TABLE]), 0)
}

impl Quality {
    /// Reads the keys of a wire, or of a step that changes one, that say what it does to packets.
    #[must_use]
    pub fn of(fields: &mut Fields<'_>) -> Self {
        fields.also(QualityKeys::TABLE);
        for key in [QualityKeys::JITTER.name, QualityKeys::REORDER.name] {
            if fields.has(key) && !fields.has(QualityKeys::DELAY.name) {
                fields.error_at(key, format!("`{key}` needs a `delay` too: it is a change of the delay"));
            }
        }
        Self {
            delay: fields.optional(QualityKeys::DELAY),
            jitter: fields.optional(QualityKeys::JITTER),
            loss: fields.optional(QualityKeys::LOSS),
            duplicate: fields.optional(QualityKeys::DUPLICATE),
            reorder: fields.optional(QualityKeys::REORDER),
            corrupt: fields.optional(QualityKeys::CORRUPT),
            rate: fields.optional(QualityKeys::RATE),
        }
    }

    /// Whether packets pass untouched and at once: nothing is asked of the kernel then.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Reads the section `wires`.
pub(super) fn decode(section: &Value<'_>) -> Vec<Wire> {
    let mut wires: Vec<Wire> = Vec::new();
    let mut places: Vec<Span> = Vec::new();
    for (name, value) in section.entries().unwrap_or_default() {
        check_name("wire", name, &value);
        let Some(mut fields) = value.fields(WireKeys::TABLE) else { continue };
        let place = fields.required_value(WireKeys::ENDS);
        let wire = wire(name, place.as_ref(), &mut fields);
        fields.finish();
        let (Some(wire), Some(place)) = (wire, place) else {
            section.context().explain(value.span(), "wire");
            continue;
        };
        let [a, b] = wire.ends.clone();
        let same = |other: &Wire| other.ends == [a.clone(), b.clone()] || other.ends == [b.clone(), a.clone()];
        if let Some(index) = wires.iter().position(same) {
            let message = format!("wires `{}` and `{name}` join the same nodes, `{a}` and `{b}`", wires[index].name);
            let diagnostic = Diagnostic::new(place.span(), message).also(places[index], "joined here");
            place.context().report(diagnostic);
        }
        places.push(place.span());
        wires.push(wire);
    }
    wires
}

fn wire(name: &str, place: Option<&Value<'_>>, fields: &mut Fields<'_>) -> Option<Wire> {
    let ends = place.and_then(ends);
    let quality = Quality::of(fields);
    let mtu = mtu(fields);
    let neighbours = match fields.optional_value(WireKeys::NEIGHBOURS) {
        None => Neighbours::Permanent,
        Some(value) => value.decode()?,
    };
    Some(Wire { name: WireName::from(name), ends: ends?, quality, mtu, neighbours })
}

fn mtu(fields: &mut Fields<'_>) -> u32 {
    let mtu = fields.optional(WireKeys::MTU);
    if mtu.is_some_and(|mtu| !MTUS.contains(&mtu)) {
        let message = format!("an MTU is from {} to {} bytes", MTUS.start(), MTUS.end());
        fields.error_at(WireKeys::MTU.name, message);
    }
    mtu.unwrap_or(ETHERNET_MTU)
}

fn ends(place: &Value<'_>) -> Option<[NodeName; 2]> {
    let items = place.items()?;
    let [a, b] = items.as_slice() else {
        place.error(format!("a wire has two ends, found {}", items.len()));
        return None;
    };
    let (first, second): (Option<NodeName>, Option<NodeName>) = (a.decode(), b.decode());
    let (first, second) = (first?, second?);
    if first == second {
        b.error(format!("both ends of the wire are at `{first}`"));
        return None;
    }
    Some([first, second])
}
