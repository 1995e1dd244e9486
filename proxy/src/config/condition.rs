//! Access lists, and conditions made of them (manual, section 7).
//!
//! A further thing that can be tested is one entry in [`TESTS`], and one arm of [`Test::holds`].

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use super::arguments::Arguments;
use super::network::Network;
use super::{NoteKind, Proxy, Word};

/// A named list of tests, or one that stands between braces where it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    /// Its name; empty between braces.
    pub name: String,
    /// It holds when one of these does.
    pub tests: Vec<Test>,
}

/// Something that can be said about a connection of a client's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// It is so (`always_true`), or is not (`always_false`).
    Always(bool),
    /// `src`: the client's address is in one of these networks.
    Source(Vec<Network>),
    /// `src_port`: the client's port is one of these.
    SourcePort(Vec<RangeInclusive<u16>>),
    /// `dst`: the address that it came to is in one of these networks.
    Destination(Vec<Network>),
    /// `dst_port`: the port that it came to is one of these.
    DestinationPort(Vec<RangeInclusive<u16>>),
}

/// What must hold for a rule to be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// What follows must not hold (`unless`).
    pub unless: bool,
    /// One of these must hold, and of it all terms.
    pub any: Vec<Vec<Term>>,
}

/// A part of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// The list must not hold.
    pub negated: bool,
    /// The list, by its place in [`Proxy::acls`].
    pub acl: usize,
}

/// The two ends of a client's connection: what tests are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// The client's.
    pub source: SocketAddr,
    /// The one that it came to, if that is known.
    pub destination: Option<SocketAddr>,
}

/// How the values behind a word are read.
type ReadTest = fn(&mut Arguments<'_>) -> Test;
/// How a list is made that is there without a line.
type MakeTest = fn() -> Test;

/// What can be tested: its word, and the rest of it.
const TESTS: &[(&str, ReadTest)] = &[
    ("src", |a| Test::Source(networks(a))),
    ("src_port", |a| Test::SourcePort(ports(a))),
    ("dst", |a| Test::Destination(networks(a))),
    ("dst_port", |a| Test::DestinationPort(ports(a))),
    ("always_true", |_| Test::Always(true)),
    ("always_false", |_| Test::Always(false)),
];

/// The lists that are there without a line (`default_acl_list`, src/acl.c), as far as they ask for what can be tested.
const PREDEFINED: &[(&str, MakeTest)] = &[
    ("TRUE", || Test::Always(true)),
    ("FALSE", || Test::Always(false)),
    ("LOCALHOST", || Test::Source(["127.0.0.1/8", "::1"].into_iter().filter_map(Network::parse).collect())),
];

impl Test {
    fn holds(&self, ends: Ends) -> bool {
        let within = |networks: &[Network], ip: IpAddr| networks.iter().any(|network| network.contains(ip));
        let among = |ports: &[RangeInclusive<u16>], port: u16| ports.iter().any(|range| range.contains(&port));
        match self {
            Test::Always(holds) => *holds,
            Test::Source(networks) => within(networks, ends.source.ip()),
            Test::SourcePort(ports) => among(ports, ends.source.port()),
            Test::Destination(networks) => ends.destination.is_some_and(|at| within(networks, at.ip())),
            Test::DestinationPort(ports) => ends.destination.is_some_and(|at| among(ports, at.port())),
        }
    }

    /// Whether it asks for the address that the client came to.
    #[must_use]
    pub fn asks_for_destination(&self) -> bool {
        matches!(self, Test::Destination(_) | Test::DestinationPort(_))
    }
}

impl Condition {
    /// Whether it holds for a connection, with the lists of its proxy.
    #[must_use]
    pub fn holds(&self, acls: &[Acl], ends: Ends) -> bool {
        let list = |place: usize| acls.get(place).is_some_and(|acl| acl.tests.iter().any(|test| test.holds(ends)));
        self.unless != self.any.iter().any(|terms| terms.iter().all(|term| term.negated != list(term.acl)))
    }

    /// Reads `if …` or `unless …`, if that is what stands next; all that follows belongs to it.
    pub(super) fn read(proxy: &mut Proxy, arguments: &mut Arguments<'_>) -> Option<Condition> {
        let unless = arguments.take("if").is_none();
        if unless && arguments.take("unless").is_none() {
            return None;
        }
        let mut any = vec![Vec::new()];
        let mut negated = false;
        while let Some(word) = arguments.next() {
            let name = word.text.trim_start_matches('!');
            negated ^= (word.text.len() - name.len()) % 2 == 1;
            if name.is_empty() {
                continue;
            }
            if name.eq_ignore_ascii_case("or") || name == "||" {
                any.push(Vec::new());
            } else {
                let acl =
                    if name == "{" { anonymous(proxy, word, arguments) } else { named(proxy, name, word, arguments) };
                if let (Some(acl), Some(terms)) = (acl, any.last_mut()) {
                    terms.push(Term { negated, acl });
                }
            }
            negated = false;
        }
        any.retain(|terms| !terms.is_empty());
        Some(Condition { unless, any })
    }
}

/// Reads what stands behind `acl`: a name, what is tested, and for what.
pub(super) fn read_acl(proxy: &mut Proxy, arguments: &mut Arguments<'_>) {
    let Some(name) = arguments.required("a name, and what is tested") else { return };
    if let Some(character) = super::wrong_character(&name.text) {
        arguments.malformed(name, format!("`{character}` cannot be in the name of a list: `{}`", name.text));
    }
    let Some(test) = read_test(arguments) else { return };
    match proxy.acls.iter_mut().find(|acl| acl.name == name.text) {
        Some(acl) => acl.tests.push(test),
        None => proxy.acls.push(Acl { name: name.text.clone(), tests: vec![test] }),
    }
}

/// `{ src 10.0.0.0/8 }`, of which the first brace has been taken.
fn anonymous(proxy: &mut Proxy, brace: &Word, arguments: &mut Arguments<'_>) -> Option<usize> {
    let words = arguments.rest();
    let Some(end) = words.iter().position(|word| word.text == "}") else {
        arguments.malformed(brace, "this brace is never closed: `}` stands between spaces too");
        return None;
    };
    let mut test = None;
    arguments.put_back(&words[end + 1..]);
    arguments.apart(std::slice::from_ref(brace), &words[..end], |inner| test = read_test(inner));
    proxy.acls.push(Acl { name: String::new(), tests: vec![test?] });
    Some(proxy.acls.len() - 1)
}

fn named(proxy: &mut Proxy, name: &str, word: &Word, arguments: &mut Arguments<'_>) -> Option<usize> {
    if let Some(place) = proxy.acls.iter().position(|acl| acl.name == name) {
        return Some(place);
    }
    let Some((_, test)) = PREDEFINED.iter().find(|(known, _)| *known == name) else {
        let known = proxy.acls.iter().map(|acl| acl.name.as_str()).chain(PREDEFINED.iter().map(|(known, _)| *known));
        let known: Vec<&str> = known.filter(|known| !known.is_empty()).collect();
        arguments.malformed_near(word, format!("no acl `{name}` stands before this line"), &known);
        return None;
    };
    proxy.acls.push(Acl { name: name.to_owned(), tests: vec![test()] });
    Some(proxy.acls.len() - 1)
}

fn read_test(arguments: &mut Arguments<'_>) -> Option<Test> {
    let word = arguments.required("what is tested")?;
    let Some((_, read)) = TESTS.iter().find(|(keyword, _)| *keyword == word.text) else {
        let names: Vec<&str> = TESTS.iter().map(|(keyword, _)| *keyword).collect();
        let listed = super::arguments::listed(&names);
        arguments.unsupported(word, format!("`{}` is not tested here, as it is none of {listed}", word.text));
        arguments.rest();
        return None;
    };
    while let Some(flag) = arguments.first().filter(|word| word.text.starts_with('-')) {
        arguments.next();
        if flag.text == "--" {
            break;
        }
        arguments.unsupported(flag, format!("`{}` is not implemented: the values stand on the line itself", flag.text));
        arguments.rest();
    }
    let mut test = None;
    arguments.within(std::slice::from_ref(word), |inner| test = Some(read(inner)));
    test
}

fn networks(arguments: &mut Arguments<'_>) -> Vec<Network> {
    let mut networks = Vec::new();
    for word in arguments.rest() {
        match Network::parse(&word.text) {
            Some(network) => networks.push(network),
            None if word.text.contains('/') || word.text.contains(':') => {
                arguments.malformed(word, format!("`{}` is no network: expected address[/mask]", word.text));
            }
            None => {
                arguments.unsupported(word, format!("`{}` is no address, and names are not looked up here", word.text));
            }
        }
    }
    networks
}

/// Numbers and ranges `1024:65535`, each behind `eq`, `ge`, `gt`, `le` or `lt` where one stands.
fn ports(arguments: &mut Arguments<'_>) -> Vec<RangeInclusive<u16>> {
    let mut ports = Vec::new();
    let mut operator = "eq";
    for word in arguments.rest() {
        if let Some(known) = ["eq", "ge", "gt", "le", "lt"].into_iter().find(|known| *known == word.text) {
            operator = known;
            continue;
        }
        let (first, last) = word.text.split_once(':').unwrap_or((&word.text, &word.text));
        let open = |bound: &str, end: u16| if bound.is_empty() { Some(end) } else { bound.parse().ok() };
        let Some((first, last)) = open(first, 0).zip(open(last, u16::MAX)).filter(|(first, last)| first <= last) else {
            arguments.note(super::Note::at(
                word,
                NoteKind::Malformed,
                format!("`{}` is no port or range of ports", word.text),
            ));
            continue;
        };
        match operator {
            "ge" => ports.push(first..=u16::MAX),
            "gt" => ports.extend(first.checked_add(1).map(|first| first..=u16::MAX)),
            "le" => ports.push(0..=last),
            "lt" => ports.extend(last.checked_sub(1).map(|last| 0..=last)),
            _ => ports.push(first..=last),
        }
    }
    ports
}
