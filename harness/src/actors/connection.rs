//! One connection of an actor, from its first byte to its end.

use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::socket::{Shutdown, setsockopt, shutdown, sockopt};
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use super::orders::next;
use super::{KeepaliveSetting, Manners, What, errno, say, say_of};
use crate::clock;
use crate::evidence::{Pair, Report, Span};

/// A slow reader reads ten times a second.
const READS_PER_SECOND: u64 = 10;

/// An echo server reads no further while this much waits to be sent back, bytes.
const BACK_LIMIT: usize = 256 * 1024;

/// Sets the socket options that these manners ask for.
///
/// # Errors
/// As setsockopt(2).
pub fn set_options(socket: &impl std::os::fd::AsFd, manners: &Manners) -> std::io::Result<()> {
    match manners.keepalive {
        KeepaliveSetting::Off => {}
        KeepaliveSetting::System => setsockopt(socket, sockopt::KeepAlive, &true)?,
        KeepaliveSetting::Custom { idle_s, interval_s, probes } => {
            setsockopt(socket, sockopt::TcpKeepIdle, &idle_s)?;
            setsockopt(socket, sockopt::TcpKeepInterval, &interval_s)?;
            setsockopt(socket, sockopt::TcpKeepCount, &probes)?;
            setsockopt(socket, sockopt::KeepAlive, &true)?;
        }
    }
    if let Some(ms) = manners.user_timeout_ms {
        setsockopt(socket, sockopt::TcpUserTimeout, &ms)?;
    }
    if let Some(seconds) = manners.linger_s {
        linger(socket, seconds)?;
    }
    Ok(())
}

/// Sets SO_LINGER.
///
/// # Errors
/// As setsockopt(2).
pub fn linger(socket: &impl std::os::fd::AsFd, seconds: u32) -> std::io::Result<()> {
    let value = nix::libc::linger { l_onoff: 1, l_linger: i32::try_from(seconds).unwrap_or(i32::MAX) };
    Ok(setsockopt(socket, sockopt::Linger, &value)?)
}

/// Plays one established connection to its end.
pub async fn play(stream: TcpStream, number: u32, echo: bool, manners: Manners, orders: mpsc::Receiver<What>) {
    let pair = ends(&stream);
    say(number, pair, Report::Connected);
    let (reader, writer) = stream.into_split();
    let (stopped, shuts) = (false, false);
    let back = Vec::new();
    let mut player = Player { number, pair, echo, manners, writer, due: 0, back, sent: 0, received: 0, stopped, shuts };
    let why = player.until_end(orders, reader).await;
    // Both halves hold the socket: `close(2)` happens when the second goes, without the FIN that `OwnedWriteHalf` would send
    // first (a reset must be a reset). The reader has gone already.
    let began_ns = clock::monotonic_ns();
    player.writer.forget();
    // Read once, behind the close: the process may be preempted between any two of these lines, and only what the clock said
    // before and after tells where the kernel's part lies.
    let closed_ns = clock::monotonic_ns();
    let took = Some(Span(closed_ns - began_ns));
    say_of(closed_ns, number, pair, Report::Closed { why: why.into(), took });
}

/// One connection and what is still to be written to it.
struct Player {
    number: u32,
    pair: Option<Pair>,
    echo: bool,
    manners: Manners,
    writer: OwnedWriteHalf,
    /// Bytes that were ordered and are not written yet.
    due: u64,
    /// Bytes that were read and are not sent back yet.
    back: Vec<u8>,
    sent: u64,
    received: u64,
    /// It has been told to read nothing.
    stopped: bool,
    /// It has been told to shut its sending side, and has something to write before that.
    shuts: bool,
}

impl Player {
    /// Reads, writes and follows orders, all at the same time, until the connection ends; says why it did.
    async fn until_end(&mut self, mut orders: mpsc::Receiver<What>, mut reader: OwnedReadHalf) -> &'static str {
        let mut buffer = vec![0; 65536];
        let allowance = share(self.manners.reads_per_s, buffer.len());
        let mut eof = false;
        let mut may_read_at = Instant::now();
        let mut sends = self.manners.sends.map(|sends| {
            let mut ticks = interval(sends.every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            (ticks, sends.bytes)
        });
        loop {
            if self.shuts && !self.waits() {
                self.half_close();
                sends = None;
            }
            let reads = !eof && allowance > 0 && !self.stopped && self.back.len() < BACK_LIMIT;
            let done: std::io::Result<()> = tokio::select! {
                order = next(&mut orders) => match order {
                    What::Send { bytes } => { self.due += bytes; Ok(()) }
                    // Plain TCP has no messages; the scenario's reader does not let this through.
                    What::Publish { .. } => Ok(()),
                    What::HalfClose => { self.shuts = true; Ok(()) }
                    What::StopReading => { self.reading(false); Ok(()) }
                    What::ResumeReading => { self.reading(true); Ok(()) }
                    What::Close => return "order",
                    What::Reset => { let _ = linger(self.writer.as_ref(), 0); return "order" }
                },
                bytes = tick(&mut sends) => { self.due += bytes; Ok(()) }
                ready = self.writer.writable(), if self.waits() => ready.and_then(|()| self.write()),
                read = paced(&mut reader, &mut buffer[..allowance], may_read_at), if reads => match read {
                    Ok(0) => {
                        eof = true;
                        say(self.number, self.pair, Report::Eof);
                        if !self.manners.ignores_eof {
                            return "eof";
                        }
                        Ok(())
                    }
                    Ok(length) => {
                        self.take(&buffer[..length]);
                        if self.manners.reads_per_s.is_some() {
                            may_read_at = Instant::now() + Duration::from_millis(1000 / READS_PER_SECOND);
                        }
                        Ok(())
                    }
                    Err(error) => Err(error),
                },
                // A socket that is not read, or whose EOF is ignored, still tells of its death.
                error = failure(&self.writer), if !reads => Err(error),
            };
            if let Err(error) = done {
                say(self.number, self.pair, Report::Error { errno: errno(&error) });
                return "error";
            }
        }
    }

    fn waits(&self) -> bool {
        self.due > 0 || !self.back.is_empty()
    }

    fn reading(&mut self, on: bool) {
        self.stopped = !on;
        say(self.number, self.pair, Report::Reading { on });
    }

    /// shutdown(2) of the sending side. It fails only on a connection that has ended, which is told by reading.
    fn half_close(&mut self) {
        self.shuts = false;
        let began_ns = clock::monotonic_ns();
        let done = shutdown(self.writer.as_ref().as_raw_fd(), Shutdown::Write);
        let returned_ns = clock::monotonic_ns();
        if done.is_ok() {
            let took = Span(returned_ns - began_ns);
            say_of(returned_ns, self.number, self.pair, Report::HalfClosed { took });
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.received += bytes.len() as u64;
        say(self.number, self.pair, Report::Received { bytes: self.received });
        if self.echo {
            self.back.extend_from_slice(bytes);
        }
    }

    /// Writes what the socket takes now: first what goes back, then what was ordered.
    fn write(&mut self) -> std::io::Result<()> {
        const BLOCK: [u8; 4096] = [b'.'; 4096];
        let ordered = self.back.is_empty();
        let block = &BLOCK[..BLOCK.len().min(usize::try_from(self.due).unwrap_or(BLOCK.len()))];
        let written = match self.writer.try_write(if ordered { block } else { &self.back }) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => 0,
            other => other?,
        };
        self.sent += written as u64;
        if ordered {
            self.due -= written as u64;
            if self.due == 0 {
                say(self.number, self.pair, Report::Sent { bytes: self.sent });
            }
        } else {
            self.back.drain(..written);
        }
        Ok(())
    }
}

/// The bytes of the next periodic send.
async fn tick(sends: &mut Option<(Interval, u64)>) -> u64 {
    match sends {
        Some((ticks, bytes)) => {
            ticks.tick().await;
            *bytes
        }
        None => std::future::pending().await,
    }
}

/// One read, not before its time.
async fn paced(reader: &mut OwnedReadHalf, buffer: &mut [u8], not_before: Instant) -> std::io::Result<usize> {
    sleep_until(not_before).await;
    reader.read(buffer).await
}

/// How much one read may take under a rate.
fn share(per_s: Option<u64>, all: usize) -> usize {
    per_s.map_or(all, |rate| usize::try_from(rate.div_ceil(READS_PER_SECOND)).unwrap_or(all).min(all))
}

async fn failure(writer: &OwnedWriteHalf) -> std::io::Error {
    let stream: &TcpStream = writer.as_ref();
    loop {
        if let Err(error) = stream.ready(Interest::ERROR).await {
            return error;
        }
        if let Ok(Some(error)) = stream.take_error() {
            return error;
        }
        // Readiness without an error: forget it, so that the next wait is one.
        let _ = stream.try_io(Interest::ERROR, || Err::<(), _>(std::io::ErrorKind::WouldBlock.into()));
    }
}

/// Both addresses of a connection.
pub fn ends(stream: &TcpStream) -> Option<Pair> {
    match (stream.local_addr(), stream.peer_addr()) {
        (Ok(std::net::SocketAddr::V4(local)), Ok(std::net::SocketAddr::V4(remote))) => Some(Pair { local, remote }),
        _ => None,
    }
}
