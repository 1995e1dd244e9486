//! Tokio as lapin sees it, with a connect(2) of ours: that is how lapin takes a socket's options and its source address.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_rs::Tokio;
use async_rs::traits::{Executor, Reactor, RuntimeKit};
use async_rs::util::Task;
use futures_core::Stream;
use futures_io::{AsyncRead, AsyncWrite};

use super::tune::Tune;
use crate::actors::socket::{self, Line, Socket, Veil};

/// From where to where, and how.
#[derive(Clone, Debug)]
pub struct Way {
    /// The socket's.
    pub way: socket::Way,
    /// The heartbeat asked for, seconds; 0 is none.
    pub heartbeat_s: Option<u16>,
    /// The largest frame asked for, bytes.
    pub frame_max: u32,
}

/// The runtime of one connection.
#[derive(Clone, Debug)]
pub struct Kit {
    /// The connection's number.
    pub number: u32,
    /// Where it goes.
    pub way: Way,
    /// Its socket's other end, so to speak.
    pub line: Arc<Line>,
    /// Everything else.
    pub tokio: Tokio,
}

impl RuntimeKit for Kit {}

impl Executor for Kit {
    type Task<T: Send + 'static> = <Tokio as Executor>::Task<T>;

    fn block_on<T, F: Future<Output = T>>(&self, future: F) -> T {
        self.tokio.block_on(future)
    }

    fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(&self, future: F) -> Task<Self::Task<T>> {
        self.tokio.spawn(future)
    }

    fn spawn_blocking<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(&self, work: F) -> Task<Self::Task<T>> {
        self.tokio.spawn_blocking(work)
    }
}

impl Reactor for Kit {
    type TcpStream = Socket;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        handle: H,
    ) -> std::io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        self.tokio.register(handle)
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.tokio.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.tokio.interval(duration)
    }

    fn tcp_connect_addr(&self, _address: SocketAddr) -> impl Future<Output = std::io::Result<Socket>> + Send + 'static {
        let silent = (self.way.heartbeat_s == Some(0)).then(|| Box::<Tune>::default() as Box<dyn Veil>);
        let connected = Socket::connect(self.number, self.way.way.clone(), self.line.clone());
        async { Ok(connected.await?.behind(silent)) }
    }
}
