//! The embedded broker over loopback, with lapin and with bare sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod channels;
mod connections;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lapin::{Channel, Connection, ConnectionProperties};
use tokio::net::TcpListener;
use whyclosed::actors::broker::{Settings, Teller, serve};
use whyclosed::actors::{Manners, Said};
use whyclosed::evidence::Report;

/// RabbitMQ's defaults.
pub const USUAL: Settings = Settings { heartbeat_s: 60, handshake_timeout: Duration::from_secs(10) };

/// What is not there by then never comes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What a broker has said of its connections.
pub type Reports = Arc<Mutex<Vec<Report>>>;

/// Starts a broker.
pub async fn broker(settings: Settings) -> (SocketAddr, Reports) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let reports = Reports::default();
    let told = reports.clone();
    let teller: Teller = Arc::new(move |said: &Said| told.lock().unwrap().push(said.report.clone()));
    let manners = Manners { linger_s: Some(0), ..Manners::default() };
    tokio::spawn(async move { serve(&listener, settings, &manners, &teller).await });
    (address, reports)
}

/// Why it has closed its connections.
pub fn whys(reports: &Reports) -> Vec<String> {
    let reports = reports.lock().unwrap();
    let why = |report: &Report| if let Report::Closed { why, .. } = report { Some(why.clone()) } else { None };
    reports.iter().filter_map(why).collect()
}

/// Connects with lapin.
pub async fn connect(broker: SocketAddr) -> Connection {
    Connection::connect(&format!("amqp://{broker}/%2f"), ConnectionProperties::default()).await.unwrap()
}

/// A broker, a connection to it and a channel.
pub async fn channel() -> (SocketAddr, Connection, Channel) {
    let (broker, _) = broker(USUAL).await;
    let connection = connect(broker).await;
    let channel = connection.create_channel().await.unwrap();
    (broker, connection, channel)
}
