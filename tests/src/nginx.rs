//! What nginx does otherwise than HAProxy in the same situation: verdict by verdict, and why. What is not in this table is the same;
//! what is in it and is the same is a mistake too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::case::snapshots;
use crate::{Failure, Result};

/// A situation in which both were seen.
#[derive(Clone, Copy, Debug)]
pub struct Situation {
    /// nginx's case, as its snapshot is named.
    pub nginx: &'static str,
    /// HAProxy's.
    pub haproxy: &'static str,
    /// What differs, and why.
    pub differences: &'static [Difference],
}

/// A difference that the programs are made with.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// The connection, and what of its verdict: `mechanism`, `closed_by`, `signal`, or a node for the mechanism at that end.
    pub what: &'static [(&'static str, &'static str)],
    /// Why.
    pub reason: &'static str,
}

const ONE_TIMER: &str = "nginx has one inactivity timer for both directions, HAProxy one for each leg";
const NO_LINGER: &str = "HAProxy closes servers' legs with SO_LINGER 0, nginx with FIN";
const UNREAD: &str = "HAProxy had read the client's bytes; what nginx has not read makes RST of its close";
const TRIED_ONCE: &str = "HAProxy tries the same server again, `retries` times; nginx tries each server once";

const CLIENT: &str = "orders client->lb";
const SERVER: &str = "orders lb->s1";

/// The situations.
pub const SITUATIONS: &[Situation] = &[
    Situation {
        nginx: "nginx/idle/length=short",
        haproxy: "proxies/tunnel/proxy=haproxy_tunnel=shorter_length=short",
        differences: &[],
    },
    Situation {
        nginx: "nginx/connect-timeout/length=short",
        haproxy: "proxies/connect-timeout/proxy=haproxy_length=short",
        differences: &[
            Difference { what: &[(CLIENT, "signal"), (CLIENT, "client")], reason: UNREAD },
            Difference {
                what: &[("orders lb->s1 (2)", ""), ("orders lb->s1 (3)", ""), ("orders lb->s1 (4)", "")],
                reason: TRIED_ONCE,
            },
        ],
    },
    Situation {
        nginx: "nginx/connect-refused",
        haproxy: "proxies/connect-refused/proxy=haproxy_retries=1",
        differences: &[Difference { what: &[("orders lb->s1 (2)", "")], reason: TRIED_ONCE }],
    },
    Situation {
        nginx: "nginx/next-upstream",
        haproxy: "proxies/redispatch-lost/proxy=haproxy_length=short",
        differences: &[Difference {
            what: &[(CLIENT, "mechanism"), (CLIENT, "lb"), ("orders lb->s2", "mechanism"), ("orders lb->s2", "lb")],
            reason: ONE_TIMER,
        }],
    },
    Situation { nginx: "nginx/ends/end=nginx-dies", haproxy: "proxies/killed/proxy=haproxy", differences: &[] },
    Situation { nginx: "nginx/ends/end=nginx-told", haproxy: "proxies/terminated/proxy=haproxy", differences: &[] },
    Situation { nginx: "nginx/ends/end=server-dies", haproxy: "proxies/server-dies/proxy=haproxy", differences: &[] },
    Situation {
        nginx: "nginx/half-close/setting=on",
        haproxy: "proxies/half-close/proxy=haproxy",
        differences: &[
            Difference { what: &[(SERVER, "mechanism"), (SERVER, "lb")], reason: ONE_TIMER },
            Difference { what: &[(SERVER, "signal")], reason: NO_LINGER },
        ],
    },
    Situation {
        nginx: "nginx/soft-stop/order=soft-stop_patience=limited",
        haproxy: "proxies/soft-stop/proxy=haproxy_stop=hard",
        differences: &[],
    },
    Situation {
        nginx: "nginx/soft-stop/order=soft-stop_patience=endless",
        haproxy: "proxies/soft-stop/proxy=haproxy_stop=soft",
        differences: &[Difference {
            what: &[(CLIENT, "mechanism"), (CLIENT, "lb"), (SERVER, "mechanism"), (SERVER, "lb")],
            reason: ONE_TIMER,
        }],
    },
];

/// What a snapshot says, as far as two proxies can be compared: connection and what of it → the value.
type Said = BTreeMap<(String, String), String>;

impl Situation {
    /// What the two snapshots differ in.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn found(&self) -> Result<BTreeSet<(String, String)>> {
        let (one, other) = (said(self.nginx)?, said(self.haproxy)?);
        let names = |said: &Said| said.keys().map(|(connection, _)| connection.clone()).collect::<BTreeSet<_>>();
        let both: BTreeSet<_> = names(&one).intersection(&names(&other)).cloned().collect();
        let keys: BTreeSet<_> = one.keys().chain(other.keys()).cloned().collect();
        let differ = keys.into_iter().filter(|key| one.get(key) != other.get(key));
        // A connection that only one has is one difference.
        Ok(differ
            .map(
                |(connection, what)| {
                    if both.contains(&connection) { (connection, what) } else { (connection, String::new()) }
                },
            )
            .collect())
    }

    /// What the table says that they differ in.
    #[must_use]
    pub fn listed(&self) -> BTreeSet<(String, String)> {
        let all = self.differences.iter().flat_map(|difference| difference.what);
        all.map(|(connection, what)| ((*connection).to_owned(), (*what).to_owned())).collect()
    }
}

fn said(name: &str) -> Result<Said> {
    let path = snapshots().join(format!("{name}.snap"));
    let text = fs::read_to_string(&path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    let (mut connection, mut end) = ("", "");
    let mut said = Said::new();
    for line in text.lines() {
        let word = line.trim_start();
        let depth = line.len() - word.len();
        match (depth, word.split_once(": ")) {
            (2, None) => (connection, end) = (word.trim_end_matches(':'), ""),
            (6, None) => end = word.trim_end_matches(':'),
            (4, Some((key @ ("mechanism" | "closed_by" | "signal"), value))) => {
                said.insert((connection.to_owned(), key.to_owned()), value.to_owned());
            }
            (8, Some(("mechanism", value))) => {
                said.insert((connection.to_owned(), end.to_owned()), value.to_owned());
            }
            _ => {}
        }
    }
    Ok(said)
}
