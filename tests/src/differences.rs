//! In what relay is not like HAProxy, and why. What is not in this list is the same; what is in it and is the same is a mistake too.

/// A difference that is meant, or cannot be helped.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// The start of the names of the cases that show it, without their `proxy`.
    pub cases: &'static str,
    /// What differs.
    pub what: What,
    /// Why.
    pub reason: &'static str,
}

/// What two runs of a case can differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Which SYN, FIN and RST are on the wires, and in which order.
    Signals,
    /// When they are.
    Times,
    /// The termination states that are logged.
    Log,
}

/// The differences.
pub const DIFFERENCES: &[Difference] = &[
    Difference {
        cases: "amqp/frozen-behind-proxy[victim=client,length=short]",
        what: What::Log,
        reason: "the broker's last heartbeat and its RST come together, and HAProxy takes a RST right behind bytes for a FIN",
    },
    Difference { cases: "proxies/backup-server[sessions=go]", what: What::Times, reason: DRIFT },
    Difference { cases: "proxies/server-down[sessions=go", what: What::Times, reason: DRIFT },
    Difference {
        cases: "proxies/stop-reading[reader=client]",
        what: What::Times,
        reason: "the client's window closes when what was on its way is read, and the proxies write to it in other portions: the kernel's probes start at another moment",
    },
];

const DRIFT: &str =
    "HAProxy's checks come a millisecond or two late each, and the next is counted from the last: they drift";
