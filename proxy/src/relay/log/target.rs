//! One target of log lines.

use std::fmt::Write as _;
use std::net::{ToSocketAddrs, UdpSocket};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::{Line, priority, wall};
use crate::config::{LogAddress, LogFormat, LogTarget, Severity};

/// A target that is ready to take lines.
#[derive(Debug)]
pub struct Target {
    what: LogTarget,
    open: Open,
}

/// How lines get there.
#[derive(Debug)]
enum Open {
    /// A UDP socket that is connected to it.
    Udp(UdpSocket),
    /// A datagram socket for this path. The path is looked up for each line: a syslog daemon that starts again makes a new one.
    Unix(UnixDatagram, PathBuf),
    /// A copy of a descriptor that was open at the start, and whether the last line was cut off in the midst.
    Descriptor(OwnedFd, AtomicBool),
}

impl Target {
    /// Opens a target; that nobody listens there is no error.
    ///
    /// # Errors
    /// When there is no such host or descriptor, or no socket can be had.
    pub fn open(what: &LogTarget) -> std::io::Result<Target> {
        let open = match &what.address {
            LogAddress::Udp { host, port } => {
                let mut addresses = (host.as_str(), *port).to_socket_addrs()?;
                let address = addresses.next().ok_or_else(|| std::io::Error::other("the host has no address"))?;
                let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(any)?;
                socket.connect(address)?;
                socket.set_nonblocking(true)?;
                Open::Udp(socket)
            }
            LogAddress::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_nonblocking(true)?;
                Open::Unix(socket, path.clone())
            }
            LogAddress::Descriptor(number) => Open::Descriptor(copy(*number)?, AtomicBool::new(false)),
        };
        Ok(Target { what: what.clone(), open })
    }

    /// Sends a line, if it is important enough. One that is not taken at once is lost.
    pub fn send(&self, line: &Line<'_>) {
        if line.severity > self.what.level {
            return;
        }
        let severity = line.severity.max(self.what.min_level);
        let mut bytes = self.dress(line, severity).into_bytes();
        bytes.truncate(usize::from(self.what.length).saturating_sub(1));
        let _taken = match &self.open {
            // What is told first may be that nobody had listened for an earlier line; this one is not sent then.
            Open::Udp(socket) => socket.send(&bytes).or_else(|_| socket.send(&bytes)).is_ok(),
            Open::Unix(socket, path) => socket.send_to(&bytes, path).is_ok(),
            Open::Descriptor(descriptor, cut) => {
                bytes.push(b'\n');
                if cut.load(Ordering::Relaxed) {
                    bytes.insert(0, b'\n');
                }
                write_now(descriptor, &bytes).is_some_and(|count| {
                    cut.store(count < bytes.len(), Ordering::Relaxed);
                    count == bytes.len()
                })
            }
        };
    }

    fn dress(&self, line: &Line<'_>, severity: Severity) -> String {
        let (priority, level) = (priority(self.what.facility, severity), severity.number());
        let Line { at, tag, pid, host, text, .. } = *line;
        let mut dressed = String::with_capacity(text.len() + 64);
        // Writing to a string cannot fail.
        let _ = match self.what.format {
            LogFormat::Local => write!(dressed, "<{priority}>{} {tag}[{pid}]: ", wall::syslog_date(at)),
            LogFormat::Rfc3164 => write!(dressed, "<{priority}>{} {host} {tag}[{pid}]: ", wall::syslog_date(at)),
            LogFormat::Rfc5424 => write!(dressed, "<{priority}>1 {} {host} {tag} {pid} - - ", wall::iso_date(at)),
            LogFormat::Priority => write!(dressed, "<{priority}>"),
            LogFormat::Short => write!(dressed, "<{level}>"),
            LogFormat::Timed => write!(dressed, "<{level}>{} ", wall::iso_date(at)),
            LogFormat::Iso => write!(dressed, "{} ", wall::iso_date(at)),
            LogFormat::Raw => Ok(()),
        };
        dressed.push_str(text);
        dressed
    }
}

fn copy(number: i32) -> std::io::Result<OwnedFd> {
    if number < 0 {
        return Err(std::io::Error::other("there is no descriptor below 0"));
    }
    // SAFETY: only fcntl(2) is called on it, which refuses a number that is no open descriptor.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    let copy = descriptor.try_clone_to_owned()?;
    // A terminal is left as it is: it would stay so for all that use it.
    if !rustix::termios::isatty(&copy) {
        fcntl_setfl(&copy, fcntl_getfl(&copy)? | OFlags::NONBLOCK)?;
    }
    Ok(copy)
}

/// Writes what is taken without waiting; says how much that is, if anything.
fn write_now(descriptor: &OwnedFd, bytes: &[u8]) -> Option<usize> {
    let mut asked = [PollFd::new(descriptor, PollFlags::OUT)];
    let room = poll(&mut asked, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|count| count > 0);
    if room { rustix::io::write(descriptor, bytes).ok() } else { None }
}
