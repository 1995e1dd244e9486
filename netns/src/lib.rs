//! Networks of Linux network namespaces, for watching what happens to TCP connections in them.
//!
//! A [`Network`] is built from a [`NetworkPlan`]: one namespace per node, and one namespace, the *fabric*, where every
//! wire lies. A wire can be cut, unplugged and shaped, a node powered off and rebooted, and a [`Capture`] in the fabric
//! sees each frame twice: as a node sent it, and as it was delivered. Everything goes through netlink and `/proc/sys`
//! from this process; namespaces are held by descriptor, so nothing outlives the process that built them.
//!
//! All of it needs root (`CAP_SYS_ADMIN`, `CAP_NET_ADMIN`, `CAP_NET_RAW`), and a Tokio runtime with I/O for what is
//! `async`.

mod address;
mod batch;
pub mod capture;
mod clock;
mod error;
mod fault;
mod firewall;
mod link;
mod namespace;
mod network;
mod offload;
mod plan;
mod prove;
mod redirect;
pub mod segment;
mod shaping;
pub mod sockets;
pub mod sysctl;
mod topology;
mod translation;

pub use capture::{Capture, CaptureEnd, Frame, Point, RECEIVE_BUFFER};
pub use error::Error;
pub use fault::Direction;
pub use firewall::{Firewall, Unknown, probe_firewall};
pub use namespace::Namespace;
pub use network::Network;
pub use plan::{NetworkPlan, NodePlan, Shaping, WirePlan};
pub use segment::{Flags, Segment};
pub use shaping::probe_netem;
pub use sockets::TcpSocket;
pub use translation::Translation;
