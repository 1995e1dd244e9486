//! An AMQP 0-9-1 broker for labs: what a client sees of a RabbitMQ with its default settings, without Erlang.
//!
//! ```text
//! mod         listens, one task for each connection
//! connection  its socket and its clocks
//! reader      the connection's protocol: handshake, negotiation, ends (rabbit_reader.erl)
//! heartbeat   when heartbeats are sent and missed (rabbit_heartbeat.erl)
//! store       channels, exchanges, queues (rabbit_channel.erl)
//! frames      octets to frames and back
//! exception   reply codes
//! log         RabbitMQ's words
//! ```
//!
//! What it does not have: persistence, transactions, policies, alarms and flow control, headers exchanges, dead letters,
//! limits of queues, users. Whoever says a name is that user.

mod connection;
mod exception;
mod frames;
mod heartbeat;
mod log;
mod reader;
mod store;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpSocket};

use super::connection::set_options;
use super::{Manners, Said, tell};

/// Room for as many clients as a case can have.
const BACKLOG: u32 = 1024;

/// What all connections share.
type Shared = Arc<Mutex<store::Store>>;

/// Who is told what happens to connections.
pub type Teller = Arc<dyn Fn(&Said) + Send + Sync>;

/// How a broker is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The heartbeat that it proposes, seconds; 0 is none.
    pub heartbeat_s: u16,
    /// A connection that is not open by then is closed.
    pub handshake_timeout: Duration,
}

/// Serves for ever.
///
/// # Errors
/// When the port cannot be listened on.
pub async fn run(port: u16, settings: Settings, manners: Manners) -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::UNSPECIFIED, port).into())?;
    serve(&socket.listen(BACKLOG)?, settings, &manners, &(Arc::new(tell) as Teller)).await
}

/// Serves who connects to a listener.
///
/// # Errors
/// When accept(2) fails.
pub async fn serve(
    listener: &TcpListener,
    settings: Settings,
    manners: &Manners,
    teller: &Teller,
) -> std::io::Result<()> {
    let store = Shared::default();
    let mut number = 0;
    loop {
        let (stream, _) = listener.accept().await?;
        number += 1;
        let options = set_options(&stream, manners).and_then(|()| stream.set_nodelay(true));
        if let Err(error) = options {
            eprintln!("setting socket options: {error}");
        }
        tokio::spawn(connection::play(stream, number, settings, store.clone(), teller.clone()));
    }
}
