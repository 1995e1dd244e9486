//! The plain TCP client: opens its connections at the same moment and follows orders.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use tokio::net::TcpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Manners, What, connection, errno, orders, say};
use crate::evidence::{Pair, Report};

/// Opens the connections and plays them until all have ended and no order can come any more.
///
/// # Errors
/// When standard input cannot be read.
pub async fn run(source: Ipv4Addr, target: SocketAddrV4, connections: u32, manners: Manners) -> std::io::Result<()> {
    let mut senders = Vec::new();
    let mut playing = JoinSet::new();
    for number in 1..=connections {
        let (order, ordered) = mpsc::channel(orders::WAITING);
        senders.push(order);
        playing.spawn(open(source, target, number, manners.clone(), ordered));
    }
    orders::distribute(&senders).await
}

async fn open(source: Ipv4Addr, target: SocketAddrV4, number: u32, manners: Manners, orders: mpsc::Receiver<What>) {
    let mut pair = None;
    let connected = async {
        let socket = TcpSocket::new_v4()?;
        connection::set_options(&socket, &manners)?;
        // Bound before it connects, so that an attempt that fails has an address to be known by.
        socket.bind(SocketAddr::V4(SocketAddrV4::new(source, 0)))?;
        if let SocketAddr::V4(local) = socket.local_addr()? {
            pair = Some(Pair { local, remote: target });
        }
        socket.connect(SocketAddr::V4(target)).await
    };
    match connected.await {
        Ok(stream) => connection::play(stream, number, false, manners, orders).await,
        Err(error) => say(number, pair, Report::ConnectFailed { errno: errno(&error) }),
    }
}
