//! The system calls on the proxy's TCP sockets, all of them non-blocking.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{
    set_socket_keepalive, set_socket_linger, set_tcp_keepcnt, set_tcp_keepidle, set_tcp_keepintvl, set_tcp_nodelay,
    set_tcp_quickack, socket_error,
};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, acceptfrom_with, getsockname, ipproto,
    recv, send, shutdown, socket_with,
};

use super::outgoing::{Error, Outgoing};
use crate::config::Keepalive;

const FLAGS: SocketFlags = SocketFlags::NONBLOCK.union(SocketFlags::CLOEXEC);

/// The next connection that waits; `None` when none does.
///
/// # Errors
/// As accept4(2): above all EMFILE and ENFILE. A connection that ended before it was accepted is no error.
pub fn accept(listener: impl AsFd) -> Result<Option<(OwnedFd, SocketAddr)>, Errno> {
    loop {
        match acceptfrom_with(&listener, FLAGS) {
            Ok((socket, Some(address))) => match SocketAddr::try_from(address) {
                Ok(address) => return Ok(Some((socket, address))),
                Err(_) => continue,
            },
            Ok((_, None)) | Err(Errno::CONNABORTED | Errno::INTR | Errno::PROTO) => {}
            Err(Errno::AGAIN) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

/// A connection that is being made. It is there, or has failed, when it is writable: [`error`] tells.
///
/// # Errors
/// As [`Outgoing::begin`].
pub fn connecting(address: SocketAddr, keepalive: &Keepalive, outgoing: &Outgoing) -> Result<OwnedFd, Error> {
    outgoing.begin(address, |socket| {
        set_tcp_nodelay(socket, true)?;
        keep_alive(socket, keepalive)
    })
}

/// The same, for a connection that is reset as soon as it stands: the handshake's last ACK is held back, so that the RST comes in its
/// place and the server's program never sees the connection (as HAProxy's checks do; TCP_QUICKACK in tcp(7)).
///
/// # Errors
/// As [`Outgoing::begin`].
pub fn probing(address: SocketAddr, outgoing: &Outgoing) -> Result<OwnedFd, Error> {
    outgoing.begin(address, |socket| set_tcp_quickack(socket, false))
}

/// A TCP socket for an address of this kind.
///
/// # Errors
/// As socket(2).
pub fn tcp(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    socket_with(family, SocketType::STREAM, FLAGS, Some(ipproto::TCP))
}

/// As setsockopt(2) takes a time for TCP.
#[must_use]
pub fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// Sets `option clitcpka` or `option srvtcpka` and their numbers (tcp(7)).
///
/// # Errors
/// As setsockopt(2).
pub fn keep_alive(socket: impl AsFd, keepalive: &Keepalive) -> Result<(), Errno> {
    if !keepalive.on {
        return Ok(());
    }
    set_socket_keepalive(&socket, true)?;
    if let Some(idle) = keepalive.idle {
        set_tcp_keepidle(&socket, idle)?;
    }
    if let Some(interval) = keepalive.interval {
        set_tcp_keepintvl(&socket, interval)?;
    }
    if let Some(probes) = keepalive.probes {
        set_tcp_keepcnt(&socket, probes)?;
    }
    Ok(())
}

/// Reads; 0 is the peer's FIN.
///
/// # Errors
/// As recv(2); EAGAIN when there is nothing to read.
pub fn receive(socket: impl AsFd, into: &mut [u8]) -> Result<usize, Errno> {
    retried(|| recv(&socket, &mut *into, RecvFlags::empty()).map(|(count, _)| count))
}

/// Reads, and leaves everything where it is.
///
/// # Errors
/// As [`receive`].
pub fn peek(socket: impl AsFd, into: &mut [u8]) -> Result<usize, Errno> {
    retried(|| recv(&socket, &mut *into, RecvFlags::PEEK).map(|(count, _)| count))
}

/// Writes what the kernel takes now.
///
/// # Errors
/// As send(2); EAGAIN when it takes nothing.
pub fn transmit(socket: impl AsFd, bytes: &[u8]) -> Result<usize, Errno> {
    retried(|| send(&socket, bytes, SendFlags::NOSIGNAL))
}

/// Writes a few bytes, the first of a connection.
///
/// # Errors
/// As send(2); ENOBUFS when the kernel has no room for them even now.
pub fn transmit_all(socket: impl AsFd, bytes: &[u8]) -> Result<(), Errno> {
    match transmit(socket, bytes)? {
        count if count == bytes.len() => Ok(()),
        _ => Err(Errno::NOBUFS),
    }
}

fn retried(mut call: impl FnMut() -> Result<usize, Errno>) -> Result<usize, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

/// With what the connection broke, if it did; asking takes the error away (SO_ERROR in socket(7)).
pub fn error(socket: impl AsFd) -> Option<Errno> {
    match socket_error(socket) {
        Ok(Ok(())) => None,
        Ok(Err(error)) | Err(error) => Some(error),
    }
}

/// Sends FIN: nothing more is written.
pub fn finish(socket: impl AsFd) {
    // A connection that is gone needs no FIN; whoever reads from it learns that it is gone.
    let _ = shutdown(socket, Shutdown::Write);
}

/// Makes close(2) send RST (SO_LINGER with 0 in socket(7)).
pub fn reset_on_close(socket: impl AsFd) {
    let _ = set_socket_linger(socket, Some(Duration::ZERO));
}

/// The address of this end.
#[must_use]
pub fn local(socket: impl AsFd) -> Option<SocketAddr> {
    SocketAddr::try_from(getsockname(socket).ok()?).ok()
}
