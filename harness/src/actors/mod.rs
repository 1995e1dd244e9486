//! The harness's own programs of the lab: a plain TCP client and an echo server, an AMQP client and a broker,
//! an MQTT client.
//!
//! They are real processes in their nodes (`whyclosed actor …`), so their kernel's answers are a real process's. Orders come
//! as JSON lines on standard input, reports go as JSON lines to standard output, with times of CLOCK_MONOTONIC.

mod amqp;
pub mod broker;
mod client;
mod connection;
mod echo;
pub mod manners;
pub mod mqtt;
mod orders;
mod socket;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock;
use crate::evidence::{Pair, Report};

/// What an actor is told at its start (its one argument, as JSON).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "actor", rename_all = "kebab-case")]
pub enum Part {
    /// Opens connections and does what it is ordered to.
    Client {
        /// Its node's address.
        source: Ipv4Addr,
        /// Where to.
        target: SocketAddrV4,
        /// How many, all at once.
        connections: u32,
        /// How its sockets and its application behave.
        manners: Manners,
    },
    /// Opens AMQP connections and does what it is ordered to.
    Amqp {
        /// Its node's address.
        source: Ipv4Addr,
        /// Where to.
        target: SocketAddrV4,
        /// How many, all at once.
        connections: u32,
        /// The heartbeat that it asks for, seconds; 0 is none. What the broker proposes, if `None`.
        heartbeat_s: Option<u16>,
        /// How its sockets behave.
        manners: Manners,
    },
    /// Opens MQTT connections and does what it is ordered to.
    Mqtt {
        /// Its node's address.
        source: Ipv4Addr,
        /// Where to.
        target: SocketAddrV4,
        /// How many, all at once.
        connections: u32,
        /// How it speaks MQTT.
        settings: mqtt::Settings,
        /// How its sockets behave.
        manners: Manners,
    },
    /// Is an AMQP broker.
    Broker {
        /// The port it listens on.
        port: u16,
        /// How it is configured.
        settings: broker::Settings,
        /// How its sockets behave.
        manners: Manners,
    },
    /// Accepts connections.
    Echo {
        /// The port it listens on.
        port: u16,
        /// Whether it sends back what it reads.
        echo: bool,
        /// How its sockets and its application behave.
        manners: Manners,
    },
}

/// How an application treats its connections.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manners {
    /// SO_KEEPALIVE.
    pub keepalive: KeepaliveSetting,
    /// TCP_USER_TIMEOUT, milliseconds.
    pub user_timeout_ms: Option<u32>,
    /// SO_LINGER, seconds.
    pub linger_s: Option<u32>,
    /// Keeps the connection when the peer has sent FIN.
    pub ignores_eof: bool,
    /// Sends this many bytes again and again.
    pub sends: Option<Sends>,
    /// Reads no faster than this, bytes per second; 0 is not at all.
    pub reads_per_s: Option<u64>,
}

/// SO_KEEPALIVE as an application sets it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeepaliveSetting {
    /// Not set.
    #[default]
    Off,
    /// Set, with the numbers of the node's sysctls.
    System,
    /// Set, with numbers of its own (TCP_KEEPIDLE, TCP_KEEPINTVL in seconds, TCP_KEEPCNT).
    Custom {
        /// Seconds.
        idle_s: u32,
        /// Seconds.
        interval_s: u32,
        /// Count.
        probes: u32,
    },
}

/// Payload sent again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sends {
    /// Bytes each time.
    pub bytes: u64,
    /// Time between two.
    pub every: Duration,
}

/// What the timeline tells a running client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Which of its connections, from 1; all of them if `None`.
    pub connection: Option<u32>,
    /// What to do.
    #[serde(flatten)]
    pub what: What,
}

/// The orders that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "kebab-case")]
pub enum What {
    /// Send this many bytes.
    Send {
        /// Bytes.
        bytes: u64,
    },
    /// Publish messages, on AMQP and MQTT connections.
    Publish {
        /// How many.
        messages: u64,
        /// Bytes of each.
        bytes: u64,
    },
    /// shutdown(2) of the sending side, when what was ordered before is written.
    HalfClose,
    /// Read nothing any more.
    StopReading,
    /// Read again.
    ResumeReading,
    /// close(2); before it connection.close on AMQP connections, DISCONNECT on MQTT's.
    Close,
    /// close(2) with SO_LINGER 0, which sends RST.
    Reset,
}

/// One line that an actor writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// CLOCK_MONOTONIC, nanoseconds.
    pub at_ns: i64,
    /// Which connection, from 1 in the order in which they began.
    pub connection: u32,
    /// Its addresses.
    pub pair: Option<Pair>,
    /// What happened.
    #[serde(flatten)]
    pub report: Report,
}

/// What `whyclosed actor JSON` does.
///
/// # Errors
/// When the part cannot be read, or a server cannot listen.
pub fn act(part: &str) -> std::io::Result<()> {
    let part: Part = serde_json::from_str(part)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match part {
            Part::Client { source, target, connections, manners } => {
                client::run(source, target, connections, manners).await
            }
            Part::Amqp { source, target, connections, heartbeat_s, manners } => {
                amqp::run(source, target, connections, heartbeat_s, manners).await
            }
            Part::Mqtt { source, target, connections, settings, manners } => {
                mqtt::run(source, target, connections, settings, manners).await
            }
            Part::Broker { port, settings, manners } => broker::run(port, settings, manners).await,
            Part::Echo { port, echo, manners } => echo::run(port, echo, manners).await,
        }
    })
}

fn say(connection: u32, pair: Option<Pair>, report: Report) {
    say_of(clock::monotonic_ns(), connection, pair, report);
}

/// Says what was true at a moment of CLOCK_MONOTONIC.
fn say_of(at_ns: i64, connection: u32, pair: Option<Pair>, report: Report) {
    tell(&Said { at_ns, connection, pair, report });
}

fn tell(said: &Said) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    // Nobody listens any more when the harness has gone; the PID namespace ends with it.
    let _ = serde_json::to_writer(&mut out, said).map_err(std::io::Error::from).and_then(|()| out.write_all(b"\n"));
    let _ = out.flush();
}

fn errno(error: &std::io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |raw| format!("{:?}", nix::errno::Errno::from_raw(raw)))
}
