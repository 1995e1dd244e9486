//! The socket as rumqttc sees it.
//!
//! rumqttc makes its own TCP sockets and lets nobody set their options, bind them, or see what happens to them. It does take a
//! Unix socket in the place of one. So it is given one of those, and all that passes there is carried to a TCP socket of ours
//! and back at once; when either ends, so does the other.

use std::future::poll_fn;
use std::io::{ErrorKind, Result};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixListener, UnixStream};

use super::super::say;
use crate::actors::socket::{Line, Socket, Way};
use crate::evidence::Report;

/// How much is carried at a time, bytes.
const PORTION: usize = 64 << 10;

/// Where rumqttc is to connect to.
#[derive(Debug)]
pub struct Bridge {
    listener: UnixListener,
    /// In the abstract namespace (unix(7)), which is the node's own and leaves no file behind.
    pub path: String,
}

impl Bridge {
    /// Waits for rumqttc.
    ///
    /// # Errors
    /// As bind(2).
    pub fn new(number: u32) -> Result<Bridge> {
        let path = format!("\0whyclosed-mqtt-{}-{number}", std::process::id());
        Ok(Bridge { listener: UnixListener::bind(&path)?, path })
    }

    /// Connects when rumqttc does, and carries until one of the two ends.
    pub async fn carry(self, number: u32, way: Way, line: Arc<Line>) {
        let Ok((library, _)) = self.listener.accept().await else { return };
        let (mut out, back) = (Portion::default(), Portion::default());
        let socket = tokio::select! {
            connected = Socket::connect(number, way, line.clone()) => match connected {
                Ok(socket) => socket,
                Err(_) => return,
            },
            // rumqttc waits for TCP's handshake and MQTT's together, and no longer than its own limit.
            () = gone(&library, &mut out) => {
                say(number, line.pair(), Report::ConnectFailed { errno: "the library gave it up".into() });
                return;
            }
        };
        let mut both = Both { library, socket, out, back };
        poll_fn(|context| both.carry(context)).await;
    }
}

/// Until the library has closed its side; what it says before that waits for the socket.
async fn gone(library: &UnixStream, out: &mut Portion) {
    while library.readable().await.is_ok() {
        let room = &mut out.octets[out.waits.end..];
        match library.try_read(room) {
            Ok(0) => return,
            // CONNECT: it says no more before that is answered.
            Ok(length) => out.waits.end += length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

struct Both {
    library: UnixStream,
    socket: Socket,
    out: Portion,
    back: Portion,
}

impl Both {
    /// Carries what there is, both ways; ready when either side has ended.
    fn carry(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Both { library, socket, out, back } = self;
        if self::carry(out, context, &mut |context, room| read(library, context, room), &mut |context, octets| {
            Pin::new(&mut *socket).poll_write(context, octets)
        })
        .is_ready()
        {
            return Poll::Ready(());
        }
        self::carry(
            back,
            context,
            &mut |context, room| Pin::new(&mut *socket).poll_read(context, room),
            &mut |context, octets| write(library, context, octets),
        )
    }
}

/// What was read on one side and is not written on the other yet.
struct Portion {
    octets: Box<[u8]>,
    waits: Range<usize>,
}

impl Default for Portion {
    fn default() -> Self {
        Portion { octets: vec![0; PORTION].into(), waits: 0..0 }
    }
}

type Reads<'a> = dyn FnMut(&mut Context<'_>, &mut [u8]) -> Poll<Result<usize>> + 'a;
type Writes<'a> = dyn FnMut(&mut Context<'_>, &[u8]) -> Poll<Result<usize>> + 'a;

/// Carries one way as much as can be; ready when that way has ended.
fn carry(portion: &mut Portion, context: &mut Context<'_>, reads: &mut Reads<'_>, writes: &mut Writes<'_>) -> Poll<()> {
    loop {
        if portion.waits.is_empty() {
            match ready!(reads(context, &mut portion.octets)) {
                Ok(length) if length > 0 => portion.waits = 0..length,
                _ => return Poll::Ready(()),
            }
        }
        match ready!(writes(context, &portion.octets[portion.waits.clone()])) {
            Ok(length) => portion.waits.start += length,
            Err(_) => return Poll::Ready(()),
        }
    }
}

fn read(library: &UnixStream, context: &mut Context<'_>, room: &mut [u8]) -> Poll<Result<usize>> {
    loop {
        ready!(library.poll_read_ready(context))?;
        match library.try_read(room) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            done => return Poll::Ready(done),
        }
    }
}

fn write(library: &UnixStream, context: &mut Context<'_>, octets: &[u8]) -> Poll<Result<usize>> {
    loop {
        ready!(library.poll_write_ready(context))?;
        match library.try_write(octets) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            done => return Poll::Ready(done),
        }
    }
}
