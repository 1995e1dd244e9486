//! The plain TCP client: opens its connections at the same moment and follows orders.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Manners, Order, What, connection, errno, say};
use crate::evidence::{Pair, Report};

/// Orders that wait for a connection that is busy sending.
const WAITING: usize = 64;

/// Opens the connections and plays them until all have ended and no order can come any more.
///
/// # Errors
/// When standard input cannot be read.
pub async fn run(source: Ipv4Addr, target: SocketAddrV4, connections: u32, manners: Manners) -> std::io::Result<()> {
    let mut orders = Vec::new();
    let mut playing = JoinSet::new();
    for number in 1..=connections {
        let (order, ordered) = mpsc::channel(WAITING);
        orders.push(order);
        playing.spawn(open(source, target, number, manners.clone(), ordered));
    }
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let Ok(Order { connection, what }) = serde_json::from_str(&line) else { continue };
        for (number, order) in (1..).zip(&orders) {
            if connection.is_none_or(|wanted| wanted == number) {
                // A connection that has ended takes no orders.
                let _ = order.send(what).await;
            }
        }
    }
    Ok(())
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
