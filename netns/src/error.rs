//! What can go wrong while a network is built or changed.

use std::io;

/// Why an operation on a network failed: what was being done, to what, what went wrong and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The process may not do this.
    #[error("{doing} was refused: it needs root (CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_NET_RAW); run this as root")]
    Privilege {
        /// What was being done.
        doing: String,
    },
    /// A system call failed.
    #[error("{doing} failed: {source}")]
    System {
        /// What was being done, to what.
        doing: String,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The kernel refused a netlink request.
    #[error("{doing} failed: {source}")]
    Netlink {
        /// What was being done, to what.
        doing: String,
        /// What the kernel answered, with its own words where it gave some.
        source: nlink::Error,
    },
    /// The kernel was built without something that is needed.
    #[error("{doing} failed: this kernel lacks {option}; use a kernel that has it (or load its module)")]
    KernelOption {
        /// What was being done, to what.
        doing: String,
        /// The kernel configuration options that are missing, as in `/proc/config.gz`.
        option: &'static str,
    },
    /// A wire is to be shaped, and the kernel has no netem.
    #[error(
        "wire `{wire}` cannot be shaped: this kernel lacks CONFIG_NET_SCH_NETEM (qdisc kind `netem` is unknown); \
         load the module sch_netem, use a kernel that has it, or remove delay, loss and rate from the wire"
    )]
    NoNetem {
        /// The name of the wire.
        wire: String,
    },
    /// A name that is no sysctl of this kernel.
    #[error("sysctl `{name}` does not exist in this kernel; correct the name, or remove it")]
    UnknownSysctl {
        /// The sysctl in dotted form.
        name: String,
    },
    /// A sysctl could not be set, or does not read back as set.
    #[error("sysctl `{name}` was to be `{wanted}` and is `{found}`; give it a value that the kernel accepts")]
    Sysctl {
        /// The sysctl in dotted form.
        name: String,
        /// The value that was written.
        wanted: String,
        /// The value that was read back, or what the kernel answered to the write.
        found: String,
    },
    /// Something went wrong on one node.
    #[error("node `{node}`: {source}")]
    OnNode {
        /// The name of the node.
        node: String,
        /// What went wrong there.
        source: Box<Error>,
    },
    /// The plan describes no network that can be built.
    #[error("the network plan is wrong: {problem}")]
    Plan {
        /// What is wrong, and with which node or wire.
        problem: String,
    },
    /// An index that is no node or no wire of this network.
    #[error("there is no {what} number {index}: this network has {count}")]
    NoSuch {
        /// `node` or `wire`.
        what: &'static str,
        /// The index that was asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// A node was named that is not at the end of that wire.
    #[error("node `{node}` is not on wire `{wire}`; name one of its two ends")]
    NotOnWire {
        /// The name of the node.
        node: String,
        /// The name of the wire.
        wire: String,
    },
    /// A node was used that is powered off.
    #[error("node `{node}` is powered off; reboot it first")]
    PoweredOff {
        /// The name of the node.
        node: String,
    },
    /// A node was to forget connections that it does not track.
    #[error("node `{node}` is no firewall: it tracks no connections that it could forget")]
    NoFirewall {
        /// The name of the node.
        node: String,
    },
    /// The network is not what it was built to be.
    #[error("the network is not as planned: {found}")]
    NotAsPlanned {
        /// What differs, and where.
        found: String,
    },
}

impl Error {
    /// A failed system call, with the two errnos that mean "not root" told apart.
    pub(crate) fn system(doing: impl Into<String>, source: impl Into<io::Error>) -> Self {
        let (doing, source) = (doing.into(), source.into());
        match source.kind() {
            io::ErrorKind::PermissionDenied => Self::Privilege { doing },
            _ => Self::System { doing, source },
        }
    }

    /// A refused netlink request.
    pub(crate) fn netlink(doing: impl Into<String>, source: nlink::Error) -> Self {
        let doing = doing.into();
        if source.is_permission_denied() { Self::Privilege { doing } } else { Self::Netlink { doing, source } }
    }

    /// The same error, said of a node. A lack of privilege is the process's and not the node's.
    pub(crate) fn on_node(self, node: &str) -> Self {
        match self {
            Self::Privilege { .. } => self,
            other => Self::OnNode { node: node.to_owned(), source: Box::new(other) },
        }
    }
}
