//! The MQTT client: rumqttc, on sockets of ours.
//!
//! ```text
//! mod      as many connections as wanted, all at the same moment
//! session  one of them: opens, subscribes, publishes, ends
//! library  rumqttc's two versions of the protocol as one
//! bridge   the socket as rumqttc sees it
//! ```
//!
//! When to ping, and when a broker that does not answer is dead, rumqttc decides.

mod bridge;
mod library;
mod session;

use std::net::{Ipv4Addr, SocketAddrV4};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Manners, orders, socket};

/// How a client speaks MQTT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// What its connections call themselves, with their number behind it: a client identifier is one connection's.
    pub name: String,
    /// Which version of the protocol it speaks.
    pub version: Version,
    /// The keep-alive that it asks for, seconds; 0 is none.
    pub keep_alive_s: u16,
    /// Whether it gives up a broker that does not answer its PINGREQ.
    pub pingresp: Pingresp,
}

/// A version of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// 3.1.1.
    #[default]
    #[serde(rename = "3.1.1")]
    V3,
    /// 5.
    #[serde(rename = "5")]
    V5,
}

/// What a client makes of a PINGREQ without an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pingresp {
    /// The connection is broken when the next PINGREQ is due: rumqttc as it is.
    #[default]
    Enforced,
    /// Nothing, as clients that do not look for PINGRESP.
    Ignored,
}

/// Opens the connections and plays them until no order can come any more.
///
/// # Errors
/// When standard input cannot be read.
pub async fn run(
    source: Ipv4Addr,
    target: SocketAddrV4,
    connections: u32,
    settings: Settings,
    manners: Manners,
) -> std::io::Result<()> {
    let mut senders = Vec::new();
    let mut playing = JoinSet::new();
    for number in 1..=connections {
        let (order, ordered) = mpsc::channel(orders::WAITING);
        senders.push(order);
        // rumqttc leaves TCP_NODELAY off unless it is told otherwise (NetworkOptions).
        let way = socket::Way { source, target, manners: manners.clone(), nodelay: false };
        playing.spawn(session::play(number, way, settings.clone(), ordered));
    }
    orders::distribute(&senders).await
}
