//! One connection's socket and clocks: a task that reads, writes, and looks at its watch.

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::super::connection::ends;
use super::super::{Said, errno};
use super::heartbeat::Watcher;
use super::reader::{End, Reader};
use super::{Settings, Shared, Teller, log};
use crate::clock;
use crate::evidence::{Report, Span};

/// Octets read at once.
const READ: usize = 64 * 1024;
/// Channels have their say while less than this waits to be written, bytes.
const OUT_LIMIT: usize = 256 * 1024;
/// Nothing more is read from a client that lets so much of what channels say wait.
const WAITING: usize = 16 * 1024;

/// Plays a connection to its end.
pub async fn play(stream: TcpStream, number: u64, settings: Settings, store: Shared, teller: Teller) {
    let pair = ends(&stream);
    let connection = u32::try_from(number).unwrap_or(u32::MAX);
    let tell = |at_ns, report| teller(&Said { at_ns, connection, pair, report });
    let report = |report| tell(clock::monotonic_ns(), report);
    report(Report::Connected);
    let reader = Reader::new(number, store, log::Log::new(number, pair), settings.heartbeat_s);
    let shaken_by = Instant::now() + settings.handshake_timeout;
    let mut connection =
        Connection { stream, reader, report, shaken_by, watchers: None, sent: 0, received: 0, opened: false };
    let End { why, line } = connection.until_end().await;
    connection.reader.leave();
    if let Some((level, line)) = line {
        connection.reader.log.say(level, &line);
    }
    // RabbitMQ's sockets have SO_LINGER 0 (`tcp_listen_options`), and it closes without waiting for what is not sent yet
    // (`fast_close`): a connection that is not closed on both sides ends with RST.
    let began_ns = clock::monotonic_ns();
    drop(connection.stream);
    let closed_ns = clock::monotonic_ns();
    tell(closed_ns, Report::Closed { why: why.into(), took: Some(Span(closed_ns - began_ns)) });
}

struct Connection<R> {
    stream: TcpStream,
    reader: Reader,
    report: R,
    /// When the handshake must be done.
    shaken_by: Instant,
    /// Who looks at what was sent, and at what was received.
    watchers: Option<(Watcher, Watcher)>,
    sent: u64,
    received: u64,
    opened: bool,
}

impl<R: Fn(Report)> Connection<R> {
    async fn until_end(&mut self) -> End {
        let mut buffer = vec![0; READ];
        loop {
            let alarm = self.alarm();
            let reads = self.reader.reads() && self.reader.outbox.len() < WAITING;
            let done = tokio::select! {
                ready = self.stream.readable(), if reads => match ready {
                    Ok(()) => self.read(&mut buffer),
                    Err(error) => Err(self.failed(&error)),
                },
                ready = self.stream.writable(), if !self.reader.out.is_empty() => match ready {
                    Ok(()) => self.write(),
                    Err(error) => Err(self.failed(&error)),
                },
                Some(outgoing) = self.reader.outbox.recv(), if self.reader.out.len() < OUT_LIMIT => {
                    self.reader.write(outgoing);
                    Ok(())
                }
                () = until(alarm) => self.look(),
            };
            if let Err(end) = done {
                // What was said before the end is handed to the kernel, as far as that takes it.
                let _ = self.write();
                return end;
            }
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<(), End> {
        match self.stream.try_read(buffer) {
            Ok(0) => {
                (self.report)(Report::Eof);
                Err(self.reader.eof())
            }
            Ok(length) => {
                self.received += length as u64;
                (self.report)(Report::Received { bytes: self.received });
                self.reader.input(&buffer[..length])?;
                self.agreed();
                Ok(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn write(&mut self) -> Result<(), End> {
        let written = match self.stream.try_write(&self.reader.out) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(self.failed(&error)),
            Ok(written) => written,
        };
        self.reader.out.drain(..written);
        self.sent += written as u64;
        if written > 0 && self.reader.out.is_empty() {
            (self.report)(Report::Sent { bytes: self.sent });
        }
        Ok(())
    }

    /// The handshake may have come further: heartbeats begin with tune-ok.
    fn agreed(&mut self) {
        if self.watchers.is_none()
            && let Some(seconds @ 1..) = self.reader.heartbeat_s()
        {
            self.watchers = Some((Watcher::sender(seconds), Watcher::receiver(seconds)));
        }
        if self.reader.is_running() && !self.opened {
            self.opened = true;
            (self.report)(Report::Opened { heartbeat_s: self.reader.heartbeat_s().map(u32::from) });
        }
    }

    /// When the next look at the watch is due.
    fn alarm(&self) -> Option<Instant> {
        let handshake = self.reader.is_shaking_hands().then_some(self.shaken_by);
        let watchers = self.watchers.iter().flat_map(|(sender, receiver)| [sender.next, receiver.next]);
        handshake.into_iter().chain(watchers).chain(self.reader.deadline()).min()
    }

    fn look(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if self.reader.is_shaking_hands() && self.shaken_by <= now {
            return Err(self.reader.too_slow());
        }
        if self.reader.deadline().is_some_and(|deadline| deadline <= now) {
            return Err(self.reader.expired());
        }
        let Some((sender, receiver)) = &mut self.watchers else { return Ok(()) };
        if sender.next <= now && sender.look(self.sent) {
            self.reader.beat();
            sender.sent(self.sent + self.reader.out.len() as u64);
        }
        if receiver.next <= now && receiver.look(self.received) {
            return self.reader.missed().map_or(Ok(()), Err);
        }
        Ok(())
    }

    fn failed(&self, error: &std::io::Error) -> End {
        let errno = errno(error);
        let end = self.reader.failed(&errno);
        (self.report)(Report::Error { errno });
        end
    }
}

async fn until(alarm: Option<Instant>) {
    match alarm {
        Some(alarm) => sleep_until(alarm).await,
        None => std::future::pending().await,
    }
}
