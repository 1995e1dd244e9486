//! `balance` and `hash-type`: which server takes a session (manual, section 4.2).

use super::arguments::Arguments;

/// How the server of a session is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Balance {
    /// Each in turn, by weight.
    #[default]
    RoundRobin,
    /// Each in turn, by weights that do not change.
    StaticRoundRobin,
    /// The one with the fewest sessions, by weight.
    LeastConn,
    /// The first that has room.
    First,
    /// By the client's address, so that a client always comes to the same.
    Source,
    /// Of as many drawn by chance, by weight, the one with the fewest sessions.
    Random {
        /// How many are drawn.
        draws: u32,
    },
}

/// How the hash of `balance source` is made and used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashType {
    /// How a hash becomes a server.
    pub method: HashMethod,
    /// The hash.
    pub function: HashFunction,
    /// Whether the hash is mixed once more.
    pub avalanche: bool,
}

impl Default for HashType {
    fn default() -> HashType {
        HashType { method: HashMethod::MapBased, function: HashFunction::Sdbm, avalanche: false }
    }
}

/// How a hash becomes a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashMethod {
    /// By a table of all servers that are up: most clients move when one goes down.
    MapBased,
    /// By a ring: only the clients of a server that goes down move.
    Consistent,
}

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum HashFunction {
    Sdbm,
    Djb2,
    Wt6,
    Crc32,
}

const ALGORITHMS: [&str; 11] = [
    "roundrobin",
    "static-rr",
    "leastconn",
    "first",
    "source",
    "random",
    "uri",
    "url_param",
    "hdr",
    "hash",
    "rdp-cookie",
];

impl Balance {
    /// Reads what stands behind `balance`.
    pub(super) fn read(arguments: &mut Arguments<'_>) -> Option<Balance> {
        let Some(word) = arguments.next() else { return Some(Balance::RoundRobin) };
        let (name, argument) = match word.text.split_once('(') {
            Some((name, rest)) => (name, Some(rest)),
            None => (word.text.as_str(), None),
        };
        match (name, argument) {
            ("roundrobin", None) => Some(Balance::RoundRobin),
            ("static-rr", None) => Some(Balance::StaticRoundRobin),
            ("leastconn", None) => Some(Balance::LeastConn),
            ("first", None) => Some(Balance::First),
            ("source", None) => Some(Balance::Source),
            ("random", None) => Some(Balance::Random { draws: 2 }),
            ("random", Some(text)) => {
                let draws =
                    text.strip_suffix(')').and_then(|text| if text.is_empty() { Some(2) } else { text.parse().ok() });
                if draws.is_none_or(|draws: u32| draws == 0) {
                    arguments.malformed(word, format!("`{}`: expected `random(draws)`, at least 1 draw", word.text));
                }
                draws.map(|draws| Balance::Random { draws })
            }
            ("uri" | "url_param" | "hdr", _) => {
                arguments.rest();
                arguments
                    .unsupported(word, format!("`balance {name}` is not implemented: there are no HTTP requests here"));
                None
            }
            ("hash" | "rdp-cookie", _) => {
                arguments.rest();
                arguments.unsupported(
                    word,
                    format!("`balance {name}` is not implemented: the content of sessions is not read"),
                );
                None
            }
            _ => {
                let message = format!("`{}` is no way to balance", word.text);
                arguments.malformed_near(word, message, &ALGORITHMS);
                arguments.rest();
                None
            }
        }
    }
}

impl HashType {
    /// Reads what stands behind `hash-type`: `<method> [<function> [avalanche]]`.
    pub(super) fn read(arguments: &mut Arguments<'_>) -> Option<HashType> {
        let methods = [("map-based", HashMethod::MapBased), ("consistent", HashMethod::Consistent)];
        let method = arguments.one_of(&methods)?;
        if arguments.peek().is_none() {
            return Some(HashType {
                method,
                function: HashFunction::Sdbm,
                avalanche: method == HashMethod::Consistent,
            });
        }
        let function = arguments.one_of(&[
            ("sdbm", HashFunction::Sdbm),
            ("djb2", HashFunction::Djb2),
            ("wt6", HashFunction::Wt6),
            ("crc32", HashFunction::Crc32),
        ])?;
        let avalanche = arguments.take("avalanche").is_some();
        Some(HashType { method, function, avalanche })
    }
}
