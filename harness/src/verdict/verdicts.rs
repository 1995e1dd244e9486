//! What a verdict says.

use std::net::SocketAddrV4;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::Source;

/// The verdict's name when several mechanisms are possible.
pub const AMBIGUOUS: &str = "ambiguous";
/// The verdict's name when no mechanism is known.
pub const UNKNOWN: &str = "unknown";

/// All verdicts of one case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdicts {
    /// One for each connection, in the order of sessions.
    pub connections: Vec<Verdict>,
    /// Health checks, counted.
    pub checks: Vec<Checks>,
    /// What was not seen; with any of these the case is inconclusive.
    pub gaps: Vec<String>,
}

/// Which mechanism closed a connection, who, when, and how it showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// `orders client->lb`.
    pub name: String,
    /// The session that it is a leg of; legs with one number belong together.
    pub session: Option<u32>,
    /// The node that opened it.
    pub from: String,
    /// The node that accepted it.
    pub to: String,
    /// The addresses of who opened it and of who accepted it, with which it is found in the evidence and the capture; where a
    /// firewall translates, those of the opener's side.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub addresses: Option<[SocketAddrV4; 2]>,
    /// The mechanism's name, `open`, `half-open`, `ambiguous` or `unknown`.
    pub mechanism: String,
    /// The node at which it acted.
    pub closed_by: Option<String>,
    /// What that node put on the wire: `fin`, `rst` or `none`.
    pub signal: Option<String>,
    /// Two kinds of source each exclude everything else.
    pub firm: bool,
    /// When the connection was closed, seconds of the case's clock.
    pub at_s: Option<f64>,
    /// When the mechanism struck, if that was earlier: a proxy may keep one leg a while after its timer fired.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub struck_s: Option<f64>,
    /// What its timer was counted from.
    pub since: Option<Since>,
    /// From there to when it struck, seconds.
    pub elapsed_s: Option<f64>,
    /// When it should have struck by the settings in force, seconds from the same moment.
    pub nominal_s: Option<f64>,
    /// Elapsed minus nominal.
    pub lateness_s: Option<f64>,
    /// The elapsed time that the mechanism allows.
    pub window_s: Option<[f64; 2]>,
    /// The timers that would have fired next, on the same scale.
    pub next: Vec<Next>,
    /// Which kinds of source speak for it.
    pub sources: Vec<Source>,
    /// How each endpoint ended.
    pub endpoints: Vec<EndpointVerdict>,
    /// The connection whose end this one passes on, or by whose close it came to stand half-closed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub because: Option<String>,
    /// The termination state that the proxy logged for the session.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub log: Option<String>,
    /// One line per fact.
    pub proof: Vec<String>,
    /// Why it is not firm; empty when it is.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub doubts: Vec<String>,
}

/// What a timer is counted from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Since {
    /// As people say it: `last payload from client`.
    pub what: String,
    /// Seconds of the case's clock.
    pub at_s: f64,
}

/// A runner-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Next {
    /// Its name.
    pub mechanism: String,
    /// When it would have struck, on the scale of the verdict's `nominal_s`.
    pub nominal_s: f64,
}

/// How one endpoint ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EndpointVerdict {
    /// Its node.
    pub node: String,
    /// The mechanism.
    pub mechanism: String,
    /// What its application saw, or will see when it next looks: `closed`, `aborted`, `eof`, `reset`, an errno; `nothing` when nothing came,
    /// or when it stands frozen for good.
    pub saw: String,
    /// When.
    pub at_s: Option<f64>,
    /// As for the connection.
    pub firm: bool,
    /// What became of its socket after its process had closed it, when its kernel ended that by a timer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub afterwards: Option<Afterwards>,
}

/// How a socket ended that no process held any more, or of which the peer had closed its direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Afterwards {
    /// The mechanism.
    pub mechanism: String,
    /// When, if that was seen.
    pub at_s: Option<f64>,
    /// The nominal time of its timer.
    pub nominal_s: Option<f64>,
    /// What that is counted from.
    pub since: Option<Since>,
    /// As for the connection.
    pub firm: bool,
    /// One line per fact.
    pub proof: Vec<String>,
}

/// A proxy's health checks of one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Checks {
    /// `lb->s1`.
    pub name: String,
    /// How many.
    pub count: u32,
    /// How many were not accepted.
    pub failed: u32,
}
