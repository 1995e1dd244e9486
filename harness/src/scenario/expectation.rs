//! Expectations: what the author claims, one item for each connection or group of connections.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::cursor::{Fields, Value};
use super::decode::Choice;
use super::diagnostic::Diagnostic;
use super::names::borrowed;
use super::shape::{Mapped, OneOrMore, Open, Shape, WordShape};
use super::suggest;
use super::vocabulary::Words;

/// What still stands at the end of a case, and so is no mechanism of its own.
const STANDING: [&str; 2] = ["open", "half-open"];

/// What became of a socket that was closed in order at both ends.
pub const NOTHING: &str = "nothing";

/// A claim about connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Expectation {
    /// Which connections are meant.
    pub connection: ConnectionPattern,
    /// The mechanism that ended them, or `open`, or `half-open`.
    pub mechanism: Option<String>,
    /// The node at which it was decided.
    pub closed_by: Option<String>,
    /// The nominal time of the mechanism.
    #[serde(serialize_with = "super::units::serialize_optional_duration")]
    pub nominal: Option<Duration>,
    /// What closed them on the wire.
    pub signal: Option<Signal>,
    /// Mechanisms of single endpoints: node → mechanism.
    #[serde(serialize_with = "super::units::serialize_pairs")]
    pub endpoints: Vec<(String, String)>,
    /// What became of the sockets of single endpoints after they were closed: node → mechanism, or `nothing`.
    #[serde(serialize_with = "super::units::serialize_pairs")]
    pub afterwards: Vec<(String, String)>,
    /// What the proxy's log says of them: a termination state such as `cD`.
    pub log: Option<String>,
    /// For which values of the matrix it is claimed; every dimension given must have one of its values. An
    /// expectation of a [`Case`](super::Case) is one that its case meets.
    #[serde(serialize_with = "super::units::serialize_pairs")]
    pub when: Vec<(String, Vec<String>)>,
    /// Its line in the file, counted from 1.
    pub line: u32,
}

/// How a connection was ended on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signal {
    /// A FIN.
    Fin,
    /// A RST.
    Rst,
    /// Nothing was seen.
    None,
}

/// What is claimed of the connections that no expectation names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Others {
    /// There is none.
    None,
    /// Nothing.
    #[default]
    Any,
}

/// Which connections an expectation means: `orders client->lb`, `client->lb`, `lb->s*`; `→` is the same as `->`.
///
/// Before the arrow stand the client's name, if one is meant, and the node that opened the connection; after it the
/// node that it was opened to. `*` in a name stands for any characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionPattern {
    /// The client; `None` means any, or none (a proxy's connection to its server).
    pub client: Option<Pattern>,
    /// The node that opened the connection.
    pub from: Pattern,
    /// The node that it was opened to.
    pub to: Pattern,
}

impl ConnectionPattern {
    /// Whether a connection is meant, of `client` (if one opened it) from node `from` to node `to`.
    #[must_use]
    pub fn matches(&self, client: Option<&str>, from: &str, to: &str) -> bool {
        let wanted = self.client.as_ref();
        wanted.is_none_or(|wanted| client.is_some_and(|client| wanted.matches(client)))
            && self.from.matches(from)
            && self.to.matches(to)
    }
}

impl fmt::Display for ConnectionPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(client) = &self.client {
            write!(formatter, "{client} ")?;
        }
        write!(formatter, "{}->{}", self.from, self.to)
    }
}

impl Serialize for ConnectionPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A name in which `*` stands for any characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `name` is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let Some((start, rest)) = self.0.split_once('*') else {
            return self.0 == name;
        };
        let Some(mut name) = name.strip_prefix(start) else {
            return false;
        };
        let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
        for part in middle.split('*') {
            let Some(found) = name.find(part) else { return false };
            name = &name[found + part.len()..];
        }
        name.ends_with(end)
    }
}

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl Choice for Signal {
    const WHAT: &'static str = "signal";
    const CHOICES: &'static [(&'static str, Self, &'static str)] =
        &[("fin", Self::Fin, "a FIN"), ("rst", Self::Rst, "a RST"), ("none", Self::None, "nothing was seen")];
}

impl Choice for Others {
    const WHAT: &'static str = "claim";
    const CHOICES: &'static [(&'static str, Self, &'static str)] =
        &[("none", Self::None, "there is none"), ("any", Self::Any, "others may exist")];
}

keys! {
    /// The keys of a claim about connections.
    pub struct ExpectKeys {
        CONNECTION: required Connection = "connection", "app client->server",
            "which ones: `client->lb`, with the client's name before it if that matters; `*` in a name stands for any characters; `→` is `->`. At least one connection must match";
        MECHANISM: optional MechanismName = "mechanism", "tcp-keepalive", "not checked",
            "the mechanism's name, or `open`, `half-open`; `whyclosed mechanisms` lists them";
        CLOSED_BY: optional String = "closed_by", "client", "not checked", "the node at which it acted";
        NOMINAL: optional Duration = "nominal", "200s", "not checked", "the nominal time of its timer";
        SIGNAL: optional Signal = "signal", "fin", "not checked",
            "`fin`, `rst` or `none`: what the closing node put on the wire";
        ENDPOINTS: optional Mapped<MechanismName> = "endpoints", "{ server: half-open }", "not checked",
            "node → mechanism of that endpoint";
        AFTERWARDS: optional Mapped<Afterwards> = "afterwards", "{ client: tcp-fin-timeout }", "not checked",
            "node → what became of the socket there after it was closed: `tcp-orphan-retries`, `tcp-fin-timeout`, `nothing`";
        LOG: optional String = "log", "cD", "not checked",
            "why the session ended, as the proxy logged it: HAProxy's termination state, `cD`; nginx's words, `connection timed out`";
        WHEN: optional Mapped<OneOrMore<String>> = "when", "{ length: [short, full] }", "in all cases",
            "only in cases with these values of the matrix";
    }
}

keys! {
    /// The claim about all other connections.
    pub struct OthersKeys {
        OTHERS: required Others = "others", "none",
            "`none`: there is no connection besides those named; health checks and the harness's own are not counted";
    }
}

shape! {
    /// `client->server`
    pub Connection = Shape::Form { name: "connection", pattern: || ".*(->|→).*".into(),
        number: None,
        expected: "a connection such as `client->server` or `orders client->server`",
    }
}

shape! {
    /// The name of a mechanism.
    pub MechanismName = Shape::Open(Open::Mechanism)
}

shape! {
    /// What became of a closed socket.
    pub Afterwards = Shape::Either(&[
        Shape::Open(Open::Mechanism),
        Shape::Words(|| vec![WordShape { word: NOTHING, about: "it was closed in order at both ends" }]),
    ])
}

shape! {
    /// The section `expect`.
    pub Expect = Shape::List(&Shape::Either(&[ExpectKeys::SHAPE, OthersKeys::SHAPE]), None)
}

/// Every name that an expectation can have of what became of a connection: the mechanisms, and what still stands.
pub(super) fn mechanisms<W: Words>() -> Vec<&'static str> {
    let standing = STANDING.iter().filter(|name| !W::MECHANISMS.contains(name));
    W::MECHANISMS.iter().chain(standing).copied().collect()
}

/// Reads the section `expect`; keeps the expectations that hold for a case of these matrix `values`.
pub(super) fn decode<W: Words>(section: &Value<'_>, values: &[(String, String)]) -> (Vec<Expectation>, Others) {
    let mut expectations = Vec::new();
    let mut others = None;
    for item in section.items().unwrap_or_default() {
        let Some(mut fields) = item.fields(ExpectKeys::TABLE) else { continue };
        if fields.has(OthersKeys::OTHERS.name) && !fields.has(ExpectKeys::CONNECTION.name) {
            let Some(of_others) = item.fields(OthersKeys::TABLE) else { continue };
            fields = of_others;
            if others.is_some() {
                item.error("`others` is said already");
            }
            others = fields.required(OthersKeys::OTHERS);
        } else if let Some(expectation) = expectation::<W>(&item, &mut fields)
            && meets(values, &expectation.when)
        {
            expectations.push(expectation);
        }
        fields.finish();
    }
    (expectations, others.unwrap_or_default())
}

fn expectation<W: Words>(item: &Value<'_>, fields: &mut Fields<'_>) -> Option<Expectation> {
    let connection = fields.required_value(ExpectKeys::CONNECTION).and_then(|place| pattern(&place));
    if fields.take(OthersKeys::OTHERS.name).is_some() {
        fields.error_at(OthersKeys::OTHERS.name, "`others` is an item of its own");
    }
    let ends = fields.optional_value(ExpectKeys::ENDPOINTS).map(|place| endpoints(&place, mechanism::<W>));
    let afterwards = fields.optional_value(ExpectKeys::AFTERWARDS).map(|place| endpoints(&place, afterwards::<W>));
    let mechanism = fields.optional_value(ExpectKeys::MECHANISM).and_then(|place| mechanism::<W>(&place));
    let closed_by = fields.optional_value(ExpectKeys::CLOSED_BY).and_then(|place| node(&place));
    let nominal = fields.optional(ExpectKeys::NOMINAL);
    let signal = fields.optional(ExpectKeys::SIGNAL);
    let log = fields.optional(ExpectKeys::LOG);
    let when = fields.optional_value(ExpectKeys::WHEN).map(|place| when(&place));
    Some(Expectation {
        connection: connection?,
        mechanism,
        closed_by,
        nominal,
        signal,
        endpoints: ends.unwrap_or_default(),
        afterwards: afterwards.unwrap_or_default(),
        log,
        when: when.unwrap_or_default(),
        line: item.line(),
    })
}

fn meets(values: &[(String, String)], when: &[(String, Vec<String>)]) -> bool {
    when.iter().all(|(dimension, wanted)| {
        let value = values.iter().find(|(name, _)| name == dimension);
        value.is_none_or(|(_, value)| wanted.contains(value))
    })
}

fn pattern(place: &Value<'_>) -> Option<ConnectionPattern> {
    const EXPECTED: &str = "a connection such as `client->server` or `orders client->server`";
    let text = place.scalar(EXPECTED)?;
    let Some((left, right)) = text.split_once("->").or_else(|| text.split_once('→')) else {
        place.mismatch(EXPECTED);
        return None;
    };
    let before: Vec<_> = left.split_whitespace().collect();
    let (client, from) = match before.as_slice() {
        [from] => (None, *from),
        [client, from] => (Some(*client), *from),
        _ => {
            place.mismatch(EXPECTED);
            return None;
        }
    };
    let to = right.trim();
    if to.is_empty() || to.contains(char::is_whitespace) {
        place.mismatch(EXPECTED);
        return None;
    }
    let scope = place.context().scope;
    if let Some(client) = client {
        let names = borrowed(&scope.clients);
        check(place, left.find(client), client, ("client", "clients"), &names);
    }
    if let Some(nodes) = scope.nodes.as_deref().map(borrowed) {
        check(place, left.rfind(from), from, ("node", "nodes"), &nodes);
        check(place, text.rfind(to), to, ("node", "nodes"), &nodes);
    }
    Some(ConnectionPattern { client: client.map(Pattern::from), from: Pattern::from(from), to: Pattern::from(to) })
}

/// Reports a pattern that none of the names matches; it starts at byte `start` of the place's text.
fn check(place: &Value<'_>, start: Option<usize>, name: &str, (what, plural): (&str, &str), names: &[&str]) {
    let pattern = Pattern::from(name);
    if names.iter().any(|known| pattern.matches(known)) {
        return;
    }
    let (message, help) = suggest::unknown(what, name, plural, names);
    let span = start.map_or(place.span(), |start| place.part(start..start + name.len()));
    place.context().report(Diagnostic::new(span, message).help(help));
}

fn node(place: &Value<'_>) -> Option<String> {
    let text = place.scalar("the name of a node")?;
    if let Some(nodes) = place.context().scope.nodes.as_deref() {
        check(place, Some(0), text, ("node", "nodes"), &borrowed(nodes));
    }
    Some(text.to_owned())
}

fn mechanism<W: Words>(place: &Value<'_>) -> Option<String> {
    let text = place.scalar("a mechanism")?;
    let mechanisms = mechanisms::<W>();
    if !mechanisms.contains(&text) {
        let (message, _) = suggest::unknown("mechanism", text, "mechanisms", &mechanisms);
        place.error_with_help(message, "`whyclosed mechanisms` lists them");
    }
    Some(text.to_owned())
}

/// What became of a closed socket: a mechanism, or nothing out of the ordinary.
fn afterwards<W: Words>(place: &Value<'_>) -> Option<String> {
    if place.scalar("a mechanism").is_some_and(|text| text == NOTHING) {
        return Some(NOTHING.to_owned());
    }
    mechanism::<W>(place)
}

fn endpoints(place: &Value<'_>, claim: fn(&Value<'_>) -> Option<String>) -> Vec<(String, String)> {
    let mut endpoints = Vec::new();
    for (name, value) in place.entries().unwrap_or_default() {
        if let Some(nodes) = place.context().scope.nodes.as_deref().map(borrowed)
            && !nodes.iter().any(|node| Pattern::from(name).matches(node))
        {
            let (message, help) = suggest::unknown("node", name, "nodes", &nodes);
            place.context().report(value.key_error(message).help(help));
        }
        if let Some(mechanism) = claim(&value) {
            endpoints.push((name.to_owned(), mechanism));
        }
    }
    endpoints
}

fn when(place: &Value<'_>) -> Vec<(String, Vec<String>)> {
    let dimensions = &place.context().scope.dimensions;
    let mut conditions = Vec::new();
    for (name, value) in place.entries().unwrap_or_default() {
        let Some((_, choices)) = dimensions.iter().find(|(dimension, _)| dimension == name) else {
            let names: Vec<_> = dimensions.iter().map(|(dimension, _)| dimension.as_str()).collect();
            let (message, help) = suggest::unknown("matrix dimension", name, "matrix dimensions", &names);
            place.context().report(value.key_error(message).help(help));
            continue;
        };
        let choices: Vec<_> = choices.iter().map(String::as_str).collect();
        let mut wanted = Vec::new();
        for item in value.one_or_more().unwrap_or_default() {
            let Some(text) = item.scalar("the name of a matrix value") else { continue };
            if !choices.is_empty() && !choices.contains(&text) {
                let what = format!("value of `{name}`");
                let (message, help) = suggest::unknown(&what, text, &format!("values of `{name}`"), &choices);
                item.error_with_help(message, help);
            }
            wanted.push(text.to_owned());
        }
        conditions.push((name.to_owned(), wanted));
    }
    conditions
}
