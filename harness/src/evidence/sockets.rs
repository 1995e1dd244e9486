//! The options of every TCP socket of the lab, read from the sockets themselves.
//!
//! `pidfd_getfd(2)` gives the harness a descriptor for a socket of an unmodified program, and `getsockopt(2)` on it tells what
//! sock_diag(7) does not: keepalive's numbers, TCP_USER_TIMEOUT, linger. The descriptor is held for microseconds only: while it
//! is open, a close in the program would not end the connection.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use nix::sys::socket::{SockaddrStorage, getpeername, getsockname, getsockopt, sockopt};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::routes::{Owner, Routes};
use super::store::Ledger;
use super::{Fact, Keepalive, Pair, SocketOptions};

/// A program whose sockets are read.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Its name.
    pub process: Arc<str>,
    /// Its node.
    pub node: Arc<str>,
    /// The processes it consists of.
    pub pids: Vec<i32>,
}

/// Reads socket options and reports each only when it is new or has changed.
#[derive(Debug, Default)]
pub struct Inspector {
    /// By the socket's inode: another socket may have the same ends later.
    known: HashMap<String, SocketOptions>,
}

impl Inspector {
    /// Reads the options of all connected TCP sockets of these programs, and tells the tracer whose threads they are.
    pub fn look(&mut self, programs: &[Watched], ledger: &Ledger, routes: &Routes, slice: u16) {
        for program in programs {
            for &pid in &program.pids {
                learn_threads(program, pid, routes, slice);
                for (inode, socket) in sockets_of(pid) {
                    let Some(options) = read(&socket, program) else { continue };
                    drop(socket);
                    if self.known.get(&inode) != Some(&options) {
                        ledger.put_now(Fact::SocketOptions(options.clone()));
                        self.known.insert(inode, options);
                    }
                }
            }
        }
    }
}

fn learn_threads(program: &Watched, pid: i32, routes: &Routes, slice: u16) {
    for entry in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let Some(tid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // At every look: a number may have been given to another thread meanwhile.
        routes.own(slice, tid, Owner { process: program.process.clone(), node: program.node.clone() });
    }
}

/// The sockets of a process by their inodes, as descriptors of our own, one at a time.
fn sockets_of(pid: i32) -> impl Iterator<Item = (String, OwnedFd)> {
    let process = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    let folder = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    folder.filter_map(move |entry| {
        // proc(5), `/proc/pid/fd/`: `socket:[INODE]`.
        let inode = fs::read_link(entry.path()).ok()?.to_str()?.strip_prefix("socket:")?.to_owned();
        let fd = entry.file_name().to_str()?.parse().ok()?;
        Some((inode, pidfd_getfd(process.as_ref()?, fd, PidfdGetfdFlags::empty()).ok()?))
    })
}

fn read(socket: &OwnedFd, program: &Watched) -> Option<SocketOptions> {
    let (local, remote) = ends(socket)?;
    let keepalive = getsockopt(socket, sockopt::KeepAlive).ok()?;
    let linger = getsockopt(socket, sockopt::Linger).ok()?;
    Some(SocketOptions {
        node: program.node.to_string(),
        process: program.process.to_string(),
        pair: Pair { local, remote },
        keepalive: if keepalive {
            Some(Keepalive {
                idle_s: getsockopt(socket, sockopt::TcpKeepIdle).ok()?,
                interval_s: getsockopt(socket, sockopt::TcpKeepInterval).ok()?,
                probes: getsockopt(socket, sockopt::TcpKeepCount).ok()?,
            })
        } else {
            None
        },
        user_timeout_ms: getsockopt(socket, sockopt::TcpUserTimeout).ok()?,
        linger_s: (linger.l_onoff != 0).then(|| u32::try_from(linger.l_linger).unwrap_or(0)),
    })
}

/// Both ends of a connected TCP socket over IPv4.
fn ends(socket: &OwnedFd) -> Option<(SocketAddrV4, SocketAddrV4)> {
    // Unix and UDP sockets have no TCP_USER_TIMEOUT: `read` leaves them out.
    Some((ipv4(&getsockname(socket.as_raw_fd()).ok()?)?, ipv4(&getpeername(socket.as_raw_fd()).ok()?)?))
}

/// The IPv4 address of a socket's end: a program that listens on `::` has it mapped into IPv6 (ipv6(7)).
fn ipv4(address: &SockaddrStorage) -> Option<SocketAddrV4> {
    if let Some(address) = address.as_sockaddr_in() {
        return Some((*address).into());
    }
    let address = address.as_sockaddr_in6()?;
    Some(SocketAddrV4::new(address.ip().to_ipv4_mapped()?, address.port()))
}
