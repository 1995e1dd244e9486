//! The AMQP client: lapin, on sockets and a runtime of ours.
//!
//! ```text
//! mod      as many connections as wanted, all at the same moment
//! session  one of them: opens, publishes, consumes, ends
//! runtime  tokio as lapin sees it, with our own connect(2)
//! tune     how `heartbeat: off` is said
//! ```
//!
//! What to do about heartbeats, and what a broken connection is, lapin decides. Each of its connections has a thread of its own.

mod runtime;
mod session;
mod tune;

use std::net::{Ipv4Addr, SocketAddrV4};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Manners, orders, socket};

/// RabbitMQ's proposal, and the least there is, bytes.
const FRAME_MAX: std::ops::RangeInclusive<u32> = 8192..=131_072;
/// lapin sets memory aside for so many frames of each connection (io_loop.rs, `FRAMES_STORAGE`, in two buffers),
const FRAMES: u32 = 64;
/// and all connections of a client together are to have no more than this, bytes.
const MEMORY: u32 = 256 * 1024 * 1024;

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
    let frame_max = (MEMORY / (connections.max(1) * FRAMES)).clamp(*FRAME_MAX.start(), *FRAME_MAX.end());
    for number in 1..=connections {
        let (order, ordered) = mpsc::channel(orders::WAITING);
        senders.push(order);
        let way = socket::Way { source, target, manners: manners.clone(), nodelay: true };
        let way = runtime::Way { way, heartbeat_s, frame_max };
        playing.spawn(session::play(number, way, ordered));
    }
    orders::distribute(&senders).await
}
