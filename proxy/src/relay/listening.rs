//! Sockets that are listened on, as `bind` lines describe them (manual, 5.1; `tcp_bind_listener` and `sock_inet_bind_receiver`).

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{BindToDevice, IpFreebind, IpTransparent};
use rustix::io::Errno;
use rustix::net::sockopt::{
    set_ipv6_v6only, set_socket_linger, set_socket_reuseaddr, set_socket_reuseport, set_tcp_nodelay, set_tcp_quickack,
    set_tcp_user_timeout,
};
use rustix::net::{bind, listen};

use super::socket::{milliseconds, tcp};
use crate::config::{Bind, Proxy};

/// How long a client is waited for that has not sent anything, in seconds (manual, 5.1 `defer-accept`).
const DEFERRED: i32 = 1;

mod options {
    use nix::{getsockopt_impl, libc, setsockopt_impl, sockopt_impl};

    sockopt_impl!(
        /// The largest segment (TCP_MAXSEG in tcp(7)).
        MaxSegment, Both, libc::IPPROTO_TCP, libc::TCP_MAXSEG, i32);
    sockopt_impl!(
        /// For how many seconds a silent client is not taken (TCP_DEFER_ACCEPT in tcp(7)).
        DeferAccept, Both, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, i32);
    sockopt_impl!(
        /// How many clients may wait whose bytes came with their SYN (TCP_FASTOPEN in tcp(7)).
        FastOpen, Both, libc::IPPROTO_TCP, libc::TCP_FASTOPEN, i32);
}

/// A socket that listens on one of the addresses of a `bind` line of this proxy, in a process that has so many sessions at most: a new one,
/// or one that was taken over. Clients' sockets inherit what is set here.
///
/// # Errors
/// As socket(2), setsockopt(2), bind(2), listen(2).
pub fn listening(
    address: SocketAddr,
    line: &Bind,
    proxy: &Proxy,
    most: u32,
    taken: Option<OwnedFd>,
) -> Result<OwnedFd, Errno> {
    let backlog = line.backlog.or(proxy.backlog).or(line.maxconn).or(proxy.maxconn).unwrap_or(most);
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    let socket = taken.map_or_else(|| bound(address, line), Ok)?;
    set_tcp_nodelay(&socket, true)?;
    if proxy.nolinger {
        set_socket_linger(&socket, Some(Duration::ZERO))?;
    }
    if let Some(size) = line.mss.filter(|size| *size > 0) {
        setsockopt(&socket, options::MaxSegment, &size).map_err(errno)?;
    }
    if let Some(limit) = line.user_timeout {
        set_tcp_user_timeout(&socket, milliseconds(limit))?;
    }
    if line.defer_accept {
        setsockopt(&socket, options::DeferAccept, &DEFERRED).map_err(errno)?;
    }
    if line.fast_open {
        setsockopt(&socket, options::FastOpen, &backlog).map_err(errno)?;
    }
    listen(&socket, backlog)?;
    set_tcp_quickack(&socket, !proxy.smart_accept)?;
    Ok(socket)
}

/// A socket that is bound to an address and does not listen yet.
fn bound(address: SocketAddr, line: &Bind) -> Result<OwnedFd, Errno> {
    let socket = tcp(address)?;
    set_socket_reuseaddr(&socket, true)?;
    // A new process takes over from an old one without a moment in which nobody listens (HAProxy, management guide, 4).
    set_socket_reuseport(&socket, true)?;
    if line.transparent && setsockopt(&socket, IpTransparent, &true).is_err() {
        // It needs no privilege, and is enough to be bound; HAProxy falls back in the same way (`sock_inet4_make_foreign`).
        setsockopt(&socket, IpFreebind, &true).map_err(errno)?;
    }
    if let Some(interface) = &line.interface {
        setsockopt(&socket, BindToDevice, &OsString::from(interface)).map_err(errno)?;
    }
    if let (true, Some(only)) = (address.is_ipv6(), line.ipv6_only) {
        set_ipv6_v6only(&socket, only)?;
    }
    bind(&socket, &address)?;
    Ok(socket)
}

/// Makes a client's segments so many bytes smaller than they would be (`session_accept_fd`).
///
/// # Errors
/// As setsockopt(2).
pub fn reduce_segments(socket: &OwnedFd, less: u32) -> Result<(), Errno> {
    let size = nix::sys::socket::getsockopt(socket, options::MaxSegment).map_err(errno)?;
    setsockopt(socket, options::MaxSegment, &size.saturating_sub_unsigned(less)).map_err(errno)
}

fn errno(errno: nix::errno::Errno) -> Errno {
    Errno::from_raw_os_error(errno as i32)
}
