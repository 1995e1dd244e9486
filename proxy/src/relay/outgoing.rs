//! Where connections to a server come from, and what is set on their sockets (manual, 5.2 `source`, `tcp-ut`; `tcp_connect_server`).

use std::cell::Cell;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{BindToDevice, IpBindAddressNoPort};
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_reuseaddr, set_tcp_user_timeout};
use rustix::net::{bind, connect};

use super::socket::{milliseconds, tcp};
use crate::config::Source;

/// What holds for the connections to one server, sessions and checks alike.
#[derive(Debug, Default)]
pub struct Outgoing {
    source: Option<Source>,
    user_timeout: Option<Duration>,
    /// How far the next port is from the first.
    next: Cell<u16>,
}

/// Why no connection was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// What it is to come from cannot be had.
    Source(Errno),
    /// Everything else, as socket(2) and connect(2).
    Connect(Errno),
}

impl Error {
    /// The errno of either.
    #[must_use]
    pub fn errno(self) -> Errno {
        match self {
            Error::Source(errno) | Error::Connect(errno) => errno,
        }
    }
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Error {
        Error::Connect(errno)
    }
}

impl Outgoing {
    /// As the server's own settings say, and where they do not, its backend's.
    #[must_use]
    pub fn new(source: Option<&Source>, user_timeout: Option<Duration>) -> Outgoing {
        Outgoing { source: source.cloned(), user_timeout, next: Cell::new(0) }
    }

    /// Begins a connection. It is there, or has failed, when its socket is writable; `prepare` sets what else is to be set.
    ///
    /// # Errors
    /// For what is known at once: no route, no port, no such source.
    pub fn begin(
        &self,
        address: SocketAddr,
        prepare: impl Fn(&OwnedFd) -> Result<(), Errno>,
    ) -> Result<OwnedFd, Error> {
        let ports = self.source.as_ref().and_then(|source| source.ports.clone()).unwrap_or(0..=0);
        let mut left = ports.len();
        loop {
            let socket = tcp(address)?;
            prepare(&socket)?;
            if let Some(limit) = self.user_timeout {
                set_tcp_user_timeout(&socket, milliseconds(limit))?;
            }
            left = left.saturating_sub(1);
            let tried = self.come_from(&socket, &ports).and_then(|()| match connect(&socket, &address) {
                Ok(()) | Err(Errno::INPROGRESS) => Ok(()),
                Err(errno) => Err(Error::Connect(errno)),
            });
            match tried {
                // Which ports are taken the kernel knows, and says at bind(2) or connect(2).
                Err(error) if left > 0 && matches!(error.errno(), Errno::ADDRINUSE | Errno::ADDRNOTAVAIL) => {}
                tried => return tried.map(|()| socket),
            }
        }
    }

    fn come_from(&self, socket: &OwnedFd, ports: &RangeInclusive<u16>) -> Result<(), Error> {
        let Some(source) = &self.source else { return Ok(()) };
        if let Some(interface) = &source.interface {
            // It can only be missing, or somebody else's to give: HAProxy goes out by any other then.
            let _ = setsockopt(socket, BindToDevice, &OsString::from(interface));
        }
        let port = ports.start() + self.next.get();
        self.next.set(if port < *ports.end() { self.next.get() + 1 } else { 0 });
        if port == 0 {
            // So that a port can be used for several servers; a kernel without it chooses one that nobody has.
            let _ = setsockopt(socket, IpBindAddressNoPort, &true);
        }
        set_socket_reuseaddr(socket.as_fd(), true).map_err(Error::Source)?;
        bind(socket, &SocketAddr::new(source.address, port)).map_err(Error::Source)
    }
}
