//! The AMQP client: lapin, on sockets and a runtime of ours.
//!
//! ```text
//! mod      as many connections as wanted, all at the same moment
//! session  one of them: opens, publishes, consumes, ends
//! runtime  tokio as lapin sees it, with our own connect(2)
//! socket   the socket as lapin sees it, which tells what happens to it
//! tune     how `heartbeat: off` is said
//! ```
//!
//! What to do about heartbeats, and what a broken connection is, lapin decides. Each of its connections has a thread of its own.

mod runtime;
mod session;
mod socket;
mod tune;

use std::net::{Ipv4Addr, SocketAddrV4};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Manners, orders};

/// Opens the connections and plays them until no order can come any more.
///
/// # Errors
/// When standard input cannot be read.
pub async fn run(
    source: Ipv4Addr,
    target: SocketAddrV4,
    connections: u32,
    heartbeat_s: Option<u16>,
    manners: Manners,
) -> std::io::Result<()> {
    let mut senders = Vec::new();
    let mut playing = JoinSet::new();
    for number in 1..=connections {
        let (order, ordered) = mpsc::channel(orders::WAITING);
        senders.push(order);
        let way = runtime::Way { source, target, manners: manners.clone(), heartbeat_s };
        playing.spawn(session::play(number, way, ordered));
    }
    orders::distribute(&senders).await
}
