//! Models of boxes that stand between people and their servers. A further one is one entry in [`MODELS`].
//!
//! Each is a model and no more: a Linux kernel that forgets connections after the time that the box's maker publishes, and then
//! does to their segments what the box is said to do. What else the box does, nothing here knows.

use std::time::Duration;

use super::firewall::Unknown;

/// One box.
#[derive(Debug)]
pub struct Model {
    /// How scenarios name it.
    pub name: &'static str,
    /// What it stands for, and what the model leaves out.
    pub what: &'static str,
    /// After how long without any segment it forgets a connection; `None` leaves it to Linux.
    pub idle: Option<Duration>,
    /// The same once one side has sent FIN.
    pub half_closed: Option<Duration>,
    /// After how long without payload it forgets a connection.
    pub payload_idle: Option<Duration>,
    /// What becomes of a segment of a forgotten one.
    pub unknown: Unknown,
    /// Where these values are published.
    pub source: &'static str,
    /// When that was read: year and month.
    pub read: &'static str,
}

/// When the sources were read.
const READ: &str = "2026-11";

/// All boxes that there is a model of.
pub const MODELS: &[Model] = &[
    Model {
        name: "aws-nlb",
        what: "AWS Network Load Balancer, TCP listener: forgets a flow in silence, and answers its next segment with RST",
        idle: Some(Duration::from_secs(350)),
        half_closed: None,
        payload_idle: None,
        unknown: Unknown::Reset,
        source: "aws.amazon.com, Introducing NLB TCP configurable idle timeout (2024-09): default 350 s",
        read: READ,
    },
    Model {
        name: "aws-classic-elb",
        what: "AWS Classic Load Balancer: counts payload only. It is a proxy and closes by itself; the model resets the next segment",
        idle: None,
        half_closed: None,
        payload_idle: Some(Duration::from_mins(1)),
        unknown: Unknown::Reset,
        source: "docs.aws.amazon.com, Configure the idle connection timeout for your Classic Load Balancer: default 60 s, \
                 keep-alive probes do not prevent it",
        read: READ,
    },
    Model {
        name: "azure-lb",
        what: "Azure Load Balancer, without TCP reset on idle: drops a forgotten flow in silence",
        idle: Some(Duration::from_mins(4)),
        half_closed: None,
        payload_idle: None,
        unknown: Unknown::Drop,
        source: "learn.microsoft.com, Load Balancer TCP Reset and Idle Timeout: default 4 min, silent",
        read: READ,
    },
    Model {
        name: "gcp-vpc",
        what: "Google Cloud VPC firewall: drops in silence. There an outgoing segment makes a new entry; the model has no inside",
        idle: Some(Duration::from_mins(10)),
        half_closed: None,
        payload_idle: None,
        unknown: Unknown::Drop,
        source: "cloud.google.com, Compute Engine troubleshooting, idle connections (2025-08): 10 min",
        read: READ,
    },
    Model {
        name: "ipvs",
        what: "Linux IPVS on one bridge, as of Docker Swarm's VIPs and kube-proxy: RST; across a router `unknown: drop`",
        idle: Some(Duration::from_mins(15)),
        half_closed: Some(Duration::from_mins(1)),
        payload_idle: None,
        unknown: Unknown::Reset,
        source: "net/netfilter/ipvs/ip_vs_proto_tcp.c, tcp_timeouts: ESTABLISHED 900 s, CLOSE_WAIT 60 s; moby/moby #31208, #29655",
        read: READ,
    },
    Model {
        name: "cisco-asa",
        what: "Cisco ASA: drops a forgotten connection's segments in silence",
        idle: Some(Duration::from_hours(1)),
        half_closed: Some(Duration::from_mins(10)),
        payload_idle: None,
        unknown: Unknown::Drop,
        source: "cisco.com, ASA Firewall CLI Configuration Guide, global timeouts: conn 1:00:00, half-closed 0:10:0",
        read: READ,
    },
];
