//! `results.json` (version 1), and the folder of each case beside it.

use std::collections::HashMap;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::evidence::pcapng::{Crossing, Origin, Packet, PcapngWriter};
use crate::play::Played;
use crate::scenario::Node;
use crate::verdict::{Checks, Verdict};
use crate::{Case, evidence};

/// Everything that a run found.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Results {
    /// The version of this format: 1. Within it, fields may be added, and nothing else changes; a reader leaves out what it does not know.
    #[schemars(extend("const" = 1))]
    pub version: u32,
    /// What all chance in the run came from.
    #[serde(default)]
    pub seed: u64,
    /// How long the whole run took, seconds of wall time.
    #[serde(default)]
    pub wall_s: f64,
    /// The command that runs just what did not pass; empty if everything did.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rerun: String,
    /// One for each case.
    pub cases: Vec<CaseResult>,
}

/// What became of one case.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CaseResult {
    /// The scenario's name: `seed/idle`.
    pub scenario: String,
    /// The matrix's values, in the order of its dimensions.
    #[serde(serialize_with = "as_map", deserialize_with = "from_map")]
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub case: Vec<(String, String)>,
    /// `real` or `virtual`.
    pub clock: String,
    /// How it came out.
    pub outcome: Outcome,
    /// What the case cost, from build to teardown, seconds of wall time.
    pub wall_s: f64,
    /// How long its timeline was, seconds of its clock.
    pub clock_s: f64,
    /// The verdicts.
    pub connections: Vec<Verdict>,
    /// Health checks.
    pub checks: Vec<Checks>,
    /// What does not hold, or what failed; empty when the case passed.
    pub messages: Vec<String>,
    /// Where its evidence is, relative to this file.
    pub folder: String,
    /// What `--keep` left of a case that did not pass, a line for each: how to enter a node, or where its files are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
}

/// How a case came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Every expectation holds.
    Pass,
    /// One does not.
    Fail,
    /// Not everything was seen: no verdict counts.
    Inconclusive,
    /// The machine lacks something, or the harness failed.
    Error,
}

impl CaseResult {
    /// A case of which nothing is known yet: as such, an error.
    #[must_use]
    pub fn new(case: &Case, clock: &str) -> CaseResult {
        CaseResult {
            scenario: case.scenario.clone(),
            case: case.values.clone(),
            clock: clock.into(),
            outcome: Outcome::Error,
            wall_s: 0.0,
            clock_s: 0.0,
            connections: Vec::new(),
            checks: Vec::new(),
            messages: Vec::new(),
            folder: folder(case),
            kept: Vec::new(),
        }
    }

    /// The case's name: `seed/idle[length=short]`.
    #[must_use]
    pub fn name(&self) -> String {
        let values: Vec<_> = self.case.iter().map(|(dimension, value)| format!("{dimension}={value}")).collect();
        if values.is_empty() { self.scenario.clone() } else { format!("{}[{}]", self.scenario, values.join(",")) }
    }
}

/// The folder of a case below the run's.
#[must_use]
pub fn folder(case: &Case) -> String {
    case.name().replace('[', "/").replace(']', "").replace(',', "_")
}

/// Writes `results.json`.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(out: &Path, results: &Results) -> std::io::Result<()> {
    let file = BufWriter::new(fs::File::create(out.join("results.json"))?);
    serde_json::to_writer_pretty(file, results)?;
    Ok(())
}

/// The JSON schema of `results.json`, which is published as `docs/results.schema.json`.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn schema() -> serde_json::Result<String> {
    let generator = schemars::generate::SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<Results>();
    schema.insert("title".into(), "results.json of whyclosed, version 1".into());
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}

/// Reads `results.json`.
///
/// # Errors
/// When it cannot be read, or is none.
pub fn read(file: &Path) -> std::io::Result<Results> {
    Ok(serde_json::from_slice(&fs::read(file)?)?)
}

/// Writes a case's resolved scenario, evidence and capture to its folder.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_case(folder: &Path, case: &Case, played: &Played, verdicts: &[Verdict]) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("case.json"), serde_json::to_vec_pretty(case)?)?;
    let mut file = BufWriter::new(fs::File::create(folder.join("evidence.ndjson"))?);
    for event in &played.events {
        serde_json::to_writer(&mut file, event)?;
        file.write_all(b"\n")?;
    }
    file.flush()?;
    capture(&folder.join("capture.pcapng"), case, played, verdicts)
}

fn capture(path: &Path, case: &Case, played: &Played, verdicts: &[Verdict]) -> std::io::Result<()> {
    let os =
        nix::sys::utsname::uname().map(|uts| format!("Linux {}", uts.release().to_string_lossy())).unwrap_or_default();
    let application = concat!("whyclosed ", env!("CARGO_PKG_VERSION"));
    let origin = Origin { hardware: std::env::consts::ARCH, os: &os, application };
    let mut writer = PcapngWriter::new(BufWriter::new(fs::File::create(path)?), origin)?;
    let mut ports = HashMap::new();
    for (index, wire) in case.wires.iter().enumerate() {
        for end in &wire.ends {
            let node = case.nodes.iter().position(|node| node.name == *end).unwrap_or_default();
            let name = format!("{}@{end}", wire.name);
            let about =
                format!("wire {} at node {end}: inbound was sent by it, outbound was delivered to it", wire.name);
            ports.insert((index, node), writer.interface(&name, &about)?);
        }
    }
    let to_realtime = crate::clock::realtime_offset_ns();
    for frame in &played.frames {
        let Some(&interface) = ports.get(&(frame.wire, frame.node)) else { continue };
        let at = evidence::Moment(frame.at_monotonic_ns - played.start_ns);
        let closes = verdicts.iter().find(|verdict| closing(verdict, at, case, frame));
        let comment = closes.map(|verdict| format!("{}: {}", verdict.name, verdict.mechanism));
        writer.packet(Packet {
            interface,
            time: u64::try_from(frame.at_monotonic_ns + to_realtime).unwrap_or_default(),
            crossing: match frame.point {
                netns::Point::Sent => Crossing::Inbound,
                netns::Point::Delivered => Crossing::Outbound,
            },
            frame: &frame.bytes,
            comment: comment.as_deref(),
        })?;
    }
    writer.finish()?.flush()
}

/// Whether this is the segment by which a connection was closed.
fn closing(verdict: &Verdict, at: evidence::Moment, case: &Case, frame: &netns::Frame) -> bool {
    let Some(closed) = verdict.at_s else { return false };
    if (at.seconds() - closed).abs() > 0.002 || frame.point != netns::Point::Sent {
        return false;
    }
    let Some(segment) = netns::Segment::parse(&frame.bytes) else { return false };
    let ends = segment.flags.has(netns::Flags::FIN) || segment.flags.has(netns::Flags::RST);
    // A firewall resets in an endpoint's name, and behind one that translates addresses the endpoint has the firewall's.
    let closer = case.nodes.get(frame.node).map(|node| node.name.as_str());
    let translates = |node: &Node| node.firewall.as_ref().is_some_and(|firewall| firewall.nat.is_some());
    let between = |ip: &std::net::Ipv4Addr| {
        let mut here = case.nodes.iter().filter(|node| node.address == *ip);
        let is_end = |node: &Node| [verdict.from.as_str(), verdict.to.as_str()].contains(&node.name.as_str());
        here.any(|node| is_end(node) || translates(node))
    };
    ends && verdict.closed_by.as_deref() == closer && between(segment.from.ip()) && between(segment.to.ip())
}

/// Seconds, to the millisecond.
#[must_use]
pub fn round(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

fn as_map<S: Serializer>(values: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(values.iter().map(|(key, value)| (key, value)))
}

fn from_map<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    struct InOrder;
    impl<'de> serde::de::Visitor<'de> for InOrder {
        type Value = Vec<(String, String)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a map of texts")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut values = Vec::new();
            while let Some(entry) = map.next_entry()? {
                values.push(entry);
            }
            Ok(values)
        }
    }
    deserializer.deserialize_map(InOrder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_that_is_read_back_has_the_name_that_it_was_written_with() {
        let text = r#"{"scenario":"s","case":{"z":"1","a":"2"},"clock":"real","outcome":"pass","wall_s":0.0,"clock_s":0.0,
            "connections":[],"checks":[],"messages":[],"folder":"s/z=1_a=2"}"#;
        let result: CaseResult = serde_json::from_str(text).expect("a result");
        assert_eq!(result.name(), "s[z=1,a=2]");
    }
}
