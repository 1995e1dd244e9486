//! The echo server: accepts, sends back what it reads, and follows orders.

use std::net::Ipv4Addr;

use tokio::net::TcpSocket;
use tokio::sync::mpsc;

use super::orders::{self, Incoming};
use super::{Manners, connection};

/// Room for as many clients as a case can have.
const BACKLOG: u32 = 1024;

/// Serves for ever.
///
/// # Errors
/// When the port cannot be listened on.
pub async fn run(port: u16, echo: bool, manners: Manners) -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::UNSPECIFIED, port).into())?;
    let listener = socket.listen(BACKLOG)?;
    let mut number = 0;
    let mut incoming = Incoming::new();
    let mut ordered = true;
    let mut connections = Vec::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted?.0,
            order = incoming.next(), if ordered => {
                match order? {
                    Some(order) => orders::hand_on(&order, &connections).await,
                    None => ordered = false,
                }
                continue;
            }
        };
        number += 1;
        let (order, orders) = mpsc::channel(orders::WAITING);
        connections.push(order);
        let manners = manners.clone();
        tokio::spawn(async move {
            if let Err(error) = connection::set_options(&stream, &manners) {
                eprintln!("setting socket options: {error}");
            }
            connection::play(stream, number, echo, manners, orders).await;
        });
    }
}
