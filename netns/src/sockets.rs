//! The TCP sockets of a namespace, listed and ended through sock_diag(7).

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::AsFd;

use nlink::netlink::{Connection, SockDiag};
pub use nlink::sockdiag::TcpState;
pub use nlink::sockdiag::types::Timer;
use nlink::sockdiag::{InetSocket, SocketState};

use crate::{Error, Namespace};

/// One TCP socket, as the kernel has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpSocket {
    /// Its own address and port.
    pub local: SocketAddrV4,
    /// Its peer's; port 0 for a listener.
    pub remote: SocketAddrV4,
    /// Its state.
    pub state: TcpState,
    /// The inode by which `/proc/PID/fd` names it; 0 when no process has it any more.
    pub inode: u32,
    /// The kernel's number of this socket, never used twice.
    pub cookie: u64,
    /// Bytes received and not read; for a listener, connections not accepted.
    pub receive_queue: u32,
    /// Bytes sent and not acknowledged; for a listener, the most connections it lets wait.
    pub send_queue: u32,
    /// The timer that its kernel has running for it.
    pub timer: Timer,
}

/// Lists all TCP sockets of a namespace over IPv4, those of IPv6 programs among them.
///
/// # Errors
/// When the kernel's socket tables cannot be read.
pub async fn tcp(namespace: &Namespace) -> Result<Vec<TcpSocket>, Error> {
    Ok(list(&connect(namespace)?).await?.iter().filter_map(described).collect())
}

/// Ends all TCP sockets of a namespace (SOCK_DESTROY, tcp_abort in net/ipv4/tcp.c) and says how many there were. Their
/// owners get ECONNABORTED; orphans, which nobody owns, would otherwise keep the namespace for minutes.
///
/// # Errors
/// When the kernel's socket tables cannot be read, or it refuses to end a socket.
pub async fn destroy_all(namespace: &Namespace) -> Result<usize, Error> {
    destroy(namespace, |_| true).await
}

/// Ends the TCP connections of a namespace whose remote address is one that `chosen` takes, as `ss -K` does, and says how many
/// there were. Listeners stay. The kernel sends RST for each, except for one that is not established yet.
///
/// # Errors
/// As [`destroy_all`].
pub async fn destroy_connections(namespace: &Namespace, chosen: impl Fn(Ipv4Addr) -> bool) -> Result<usize, Error> {
    let connects = |socket: &InetSocket| match described(socket) {
        Some(socket) => socket.state != TcpState::Listen && chosen(*socket.remote.ip()),
        None => false,
    };
    destroy(namespace, connects).await
}

async fn destroy(namespace: &Namespace, wanted: impl Fn(&InetSocket) -> bool) -> Result<usize, Error> {
    let connection = connect(namespace)?;
    let mut sockets = list(&connection).await?;
    sockets.retain(wanted);
    for socket in &sockets {
        match connection.destroy_tcp_socket(socket).await {
            // It ended by itself in the meantime.
            Err(error) if error.errno() == Some(nix::libc::ENOENT) => {}
            result => {
                let doing = || format!("destroying the TCP socket {} to {}", socket.local, socket.remote);
                result.map_err(|source| Error::netlink(doing(), source))?;
            }
        }
    }
    Ok(sockets.len())
}

fn connect(namespace: &Namespace) -> Result<Connection<SockDiag>, Error> {
    Connection::<SockDiag>::new_in(namespace.as_fd())
        .map_err(|source| Error::netlink("reaching sock_diag in a network namespace", source))
}

async fn list(connection: &Connection<SockDiag>) -> Result<Vec<InetSocket>, Error> {
    connection.query_tcp().await.map_err(|source| Error::netlink("listing TCP sockets", source))
}

/// What is told of a socket; none for one between IPv6 addresses, which no node has.
fn described(socket: &InetSocket) -> Option<TcpSocket> {
    let SocketState::Tcp(state) = socket.state else { return None };
    Some(TcpSocket {
        local: ipv4(socket.local)?,
        remote: ipv4(socket.remote)?,
        state,
        inode: socket.inode,
        cookie: socket.cookie,
        receive_queue: socket.recv_q,
        send_queue: socket.send_q,
        timer: socket.timer,
    })
}

/// The IPv4 address that a socket address stands for: itself, the one mapped into IPv6, or "any".
fn ipv4(address: SocketAddr) -> Option<SocketAddrV4> {
    let ip = match address.ip() {
        IpAddr::V4(ip) => ip,
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv4Addr::UNSPECIFIED,
        IpAddr::V6(ip) => ip.to_ipv4_mapped()?,
    };
    Some(SocketAddrV4::new(ip, address.port()))
}
