//! The echo server: accepts, and sends back what it reads.

use std::net::Ipv4Addr;

use tokio::net::TcpSocket;
use tokio::sync::mpsc;

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
    loop {
        let (stream, _) = listener.accept().await?;
        number += 1;
        let manners = manners.clone();
        tokio::spawn(async move {
            if let Err(error) = connection::set_options(&stream, &manners) {
                eprintln!("setting socket options: {error}");
            }
            // Nobody orders a server: the sender is kept so that its channel stays open and silent.
            let (_orders, ordered) = mpsc::channel(1);
            connection::play(stream, number, echo, manners, ordered).await;
        });
    }
}
