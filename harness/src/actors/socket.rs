//! The socket of a client whose protocol is a library's: as the library sees it, with what happens to it told as the other actors
//! tell it.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use futures_io::{AsyncRead, AsyncWrite};
use nix::sys::socket::{Shutdown, shutdown};
use std::os::fd::AsRawFd;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;

use super::connection::{ends, linger, set_options};
use super::{Manners, errno, say};
use crate::clock;
use crate::evidence::{Pair, Report};

/// From where to where, and how.
#[derive(Clone, Debug)]
pub struct Way {
    /// The node's address.
    pub source: Ipv4Addr,
    /// The broker's.
    pub target: SocketAddrV4,
    /// The socket's options.
    pub manners: Manners,
    /// TCP_NODELAY, as the library's own connect(2) has it.
    pub nodelay: bool,
}

/// What shows the library something else than what was read.
pub trait Veil: std::fmt::Debug + Send + Sync {
    /// Changes octets that were read, in the order in which they came.
    fn cover(&mut self, octets: &mut [u8]);
}

/// What a session and its socket know of each other.
#[derive(Debug, Default)]
pub struct Line {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    pair: Option<Pair>,
    stream: Weak<TcpStream>,
    /// Whoever waits for something to read.
    reader: Option<Waker>,
    /// The library is made to give the socket up.
    cut: bool,
    /// What it saw of its end.
    saw: Option<&'static str>,
    closed: Option<oneshot::Sender<Closing>>,
}

/// When shutdown(2) or, without one before it, close(2) began, and when close(2) was done, CLOCK_MONOTONIC.
#[derive(Clone, Copy, Debug)]
pub struct Closing {
    /// Nanoseconds.
    pub began_ns: i64,
    /// Nanoseconds.
    pub closed_ns: i64,
}

impl Line {
    /// Whatever is sent here when the socket is closed can be waited for.
    pub fn new(closed: oneshot::Sender<Closing>) -> Self {
        Self { inner: Mutex::new(Inner { closed: Some(closed), ..Inner::default() }) }
    }

    /// Its addresses, once it is bound.
    pub fn pair(&self) -> Option<Pair> {
        self.inner().pair
    }

    /// In a word, what the socket saw of its end: `eof`, `error`.
    pub fn saw(&self) -> Option<&'static str> {
        self.inner().saw
    }

    /// Has the library give the socket up, which closes it; as an abort if wanted.
    pub fn cut(&self, abort: bool) {
        let mut inner = self.inner();
        if abort && let Some(stream) = inner.stream.upgrade() {
            let _ = linger(&*stream, 0);
        }
        inner.cut = true;
        if let Some(reader) = inner.reader.take() {
            reader.wake();
        }
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An established connection.
#[derive(Debug)]
pub struct Socket {
    number: u32,
    line: Arc<Line>,
    pair: Option<Pair>,
    /// `None` only while it is being dropped.
    stream: Option<Arc<TcpStream>>,
    veil: Option<Box<dyn Veil>>,
    /// When shutdown(2) began: the FIN is its work, and close(2) may come any time later.
    shut_ns: Option<i64>,
    sent: u64,
    received: u64,
}

impl Socket {
    /// Connects, from the node's address and with the options of the scenario, and reports what came of it.
    ///
    /// # Errors
    /// As socket(2), bind(2) and connect(2).
    pub async fn connect(number: u32, way: Way, line: Arc<Line>) -> std::io::Result<Self> {
        let connected = async {
            let socket = TcpSocket::new_v4()?;
            set_options(&socket, &way.manners)?;
            socket.set_nodelay(way.nodelay)?;
            socket.bind(SocketAddr::from((way.source, 0)))?;
            if let SocketAddr::V4(local) = socket.local_addr()? {
                line.inner().pair = Some(Pair { local, remote: way.target });
            }
            socket.connect(SocketAddr::V4(way.target)).await
        };
        match connected.await {
            Ok(stream) => {
                let (pair, stream) = (ends(&stream), Arc::new(stream));
                line.inner().stream = Arc::downgrade(&stream);
                say(number, pair, Report::Connected);
                let veil = None;
                Ok(Self { number, line, pair, stream: Some(stream), veil, shut_ns: None, sent: 0, received: 0 })
            }
            Err(error) => {
                say(number, line.pair(), Report::ConnectFailed { errno: errno(&error) });
                Err(error)
            }
        }
    }

    /// What is read from now on goes through this first.
    #[must_use]
    pub fn behind(mut self, veil: Option<Box<dyn Veil>>) -> Self {
        self.veil = veil;
        self
    }

    fn stream(&self) -> std::io::Result<&TcpStream> {
        self.stream.as_deref().ok_or_else(|| std::io::ErrorKind::NotConnected.into())
    }

    /// A socket that was given up does nothing any more; its reader is remembered, so that it can be woken to hear that.
    fn usable(&self, reader: Option<&Waker>) -> std::io::Result<()> {
        let mut inner = self.line.inner();
        if inner.cut {
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        if let Some(reader) = reader {
            inner.reader = Some(reader.clone());
        }
        Ok(())
    }

    fn failed(&self, error: &std::io::Error) {
        self.line.inner().saw.get_or_insert("error");
        say(self.number, self.pair, Report::Error { errno: errno(error) });
    }

    fn received(&mut self, octets: &mut [u8]) {
        if octets.is_empty() {
            self.line.inner().saw.get_or_insert("eof");
            say(self.number, self.pair, Report::Eof);
            return;
        }
        if let Some(veil) = &mut self.veil {
            veil.cover(octets);
        }
        self.received += octets.len() as u64;
        say(self.number, self.pair, Report::Received { bytes: self.received });
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<std::io::Result<usize>> {
        self.usable(Some(context.waker()))?;
        loop {
            let stream = self.stream()?;
            let read = std::task::ready!(stream.poll_read_ready(context)).and_then(|()| stream.try_read(buffer));
            match read {
                Ok(length) => {
                    self.received(&mut buffer[..length]);
                    return Poll::Ready(Ok(length));
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    self.failed(&error);
                    return Poll::Ready(Err(error));
                }
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<std::io::Result<usize>> {
        self.usable(None)?;
        loop {
            let stream = self.stream()?;
            let written = std::task::ready!(stream.poll_write_ready(context)).and_then(|()| stream.try_write(octets));
            match written {
                Ok(length) => {
                    self.sent += length as u64;
                    say(self.number, self.pair, Report::Sent { bytes: self.sent });
                    return Poll::Ready(Ok(length));
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    self.failed(&error);
                    return Poll::Ready(Err(error));
                }
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.shut_ns.get_or_insert_with(clock::monotonic_ns);
        let stream = self.stream()?;
        Poll::Ready(shutdown(stream.as_raw_fd(), Shutdown::Write).map_err(std::io::Error::from))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let began_ns = self.shut_ns.unwrap_or_else(clock::monotonic_ns);
        self.stream = None;
        let closed_ns = clock::monotonic_ns();
        if let Some(closed) = self.line.inner().closed.take() {
            // A session that has gone does not report either.
            let _ = closed.send(Closing { began_ns, closed_ns });
        }
    }
}
