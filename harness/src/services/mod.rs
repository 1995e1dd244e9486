//! What a node can run. A further kind is one file here and one line in [`SERVICES`].

pub mod broker;
pub mod command;
mod config_file;
pub mod echo;
pub mod haproxy;
pub mod image;
pub mod mosquitto;
pub mod mosquitto_log;
pub mod nginx;
pub mod proxy;
pub mod rabbit_log;
mod rabbit_modules;
pub mod rabbitmq;
pub mod relay;
mod session_log;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use crate::actors::What;
use crate::evidence::{Fact, Role};
use crate::lab::container::Image;
use crate::lab::enter::Place;
use crate::lab::process::{Process, ReadLine};
use crate::lab::unpacked::Unpacked;
use crate::scenario::ServiceWord;

/// One service of a scenario, as its kind decoded it.
pub trait Kind: Debug + Send + Sync {
    /// The kind's name, as evidence has it.
    fn name(&self) -> &'static str;

    /// Whether it reports as [`crate::actors`] says; a foreign program's output is its log.
    fn is_actor(&self) -> bool {
        false
    }

    /// What to do instead, if it does not take such an order.
    fn refuses(&self, _what: What) -> Option<&'static str> {
        Some("of services only `server: echo` takes orders; `freeze` stops any program")
    }

    /// What it is to a connection.
    fn role(&self) -> Role;

    /// The port that it is known by, and by default is ready on.
    fn port(&self) -> Option<u16>;

    /// The line of its log that says that it is ready, if its port alone does not.
    fn ready_line(&self) -> Option<&'static str> {
        None
    }

    /// How long it may take to become ready, unless the scenario says otherwise.
    fn ready_within(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// The image that it runs from, if it is no program of this machine.
    ///
    /// # Errors
    /// When a file that goes into it cannot be read.
    fn image(&self) -> std::io::Result<Option<Image>> {
        Ok(None)
    }

    /// Makes its unpacked image, which is this program's to change, start faster in a guest.
    ///
    /// # Errors
    /// When the image's files cannot be written.
    fn prepare(&self, _image: &mut Unpacked) -> std::io::Result<()> {
        Ok(())
    }

    /// What to run.
    ///
    /// # Errors
    /// When a file that it needs cannot be read, or when it is an image.
    fn place(&self, directory: &Path, env: &[(String, String)]) -> std::io::Result<Place>;

    /// The settings that it runs with, as far as they can end a connection.
    fn settings(&self, _service: &Surroundings<'_>) -> Vec<Fact> {
        Vec::new()
    }

    /// How its log is read.
    fn reads(&self, _service: &Surroundings<'_>) -> ReadLine {
        Arc::new(|_, _| None)
    }

    /// What tells it to take no new sessions and to end after its last one.
    fn soft_stop(&self) -> Signal {
        Signal::USR1
    }

    /// How it reads its configuration anew, if it can.
    fn reload(&self) -> Option<Reload> {
        None
    }

    /// Gives it an order, as its operator would, in the words of HAProxy's stats socket.
    ///
    /// # Errors
    /// When it cannot be asked, or does not do it.
    fn operate(&self, _process: &Process, _order: &str) -> std::io::Result<()> {
        Err(std::io::Error::other("this kind of service takes no orders of an operator"))
    }

    /// Which connections it has joined to sessions, as it tells itself when asked now.
    fn sessions(&self, _service: &str, _process: &Process) -> Vec<Fact> {
        Vec::new()
    }
}

/// How a proxy reads its configuration anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// A new process takes the listening sockets over from the old one, which is then told to stop softly (HAProxy, management guide,
    /// 3: `-x`, `-sf`).
    Anew {
        /// Where each of them hands over its sockets.
        socket: &'static str,
    },
    /// Its main process takes this signal and sees to the rest.
    Signal(Signal),
}

/// Where a service runs, for the reading of its settings and its log.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its node's address.
    pub address: Ipv4Addr,
    /// Its environment.
    pub env: &'a [(String, String)],
    /// Every node's address by name.
    pub addresses: &'a BTreeMap<String, Ipv4Addr>,
}

impl Surroundings<'_> {
    /// The address of a host that a configuration names: an address, or a node.
    #[must_use]
    pub fn address_of(&self, host: &str) -> Option<Ipv4Addr> {
        host.parse().ok().or_else(|| self.addresses.get(host).copied())
    }

    /// The address and port of `host:port`.
    #[must_use]
    pub fn socket_of(&self, place: &str) -> Option<SocketAddrV4> {
        let (host, port) = place.rsplit_once(':')?;
        Some(SocketAddrV4::new(self.address_of(host)?, port.parse().ok()?))
    }
}

/// The kinds that there are.
pub const SERVICES: &[ServiceWord<Arc<dyn Kind>>] = &[
    echo::WORD,
    broker::WORD,
    rabbitmq::WORD,
    mosquitto::WORD,
    haproxy::WORD,
    relay::WORD,
    nginx::WORD,
    proxy::WORD,
    command::WORD,
    image::WORD,
];

/// The address, if it is IPv4: nodes have no other.
#[must_use]
pub fn v4(address: std::net::SocketAddr) -> Option<SocketAddrV4> {
    match address {
        std::net::SocketAddr::V4(address) => Some(address),
        std::net::SocketAddr::V6(_) => None,
    }
}
