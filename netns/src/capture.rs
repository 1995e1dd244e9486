//! Every frame on every wire, as it was sent and as it was delivered: packet(7) sockets in the fabric.

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, getsockopt, recvmsg,
    setsockopt, socket, sockopt,
};

use crate::address::End;
use crate::{Error, Network, clock};

/// How much the kernel may hold until it is read, in bytes, unless told otherwise: seconds of a full wire.
pub const RECEIVE_BUFFER: usize = 64 << 20;
/// The largest frame: an IPv4 packet of 64 kB and its Ethernet header.
const LARGEST_FRAME: usize = 65_535 + 14;

/// How many packets the socket took and dropped since this was last read (packet(7)).
#[derive(Clone, Copy, Debug)]
struct Statistics;

nix::getsockopt_impl!(
    Statistics,
    libc::SOL_PACKET,
    libc::PACKET_STATISTICS,
    libc::tpacket_stats,
    sockopt::GetStruct<libc::tpacket_stats>
);

/// Where on its way a frame was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// As it came out of the node, before anything could happen to it.
    Sent,
    /// As it went into the node, after shaping.
    Delivered,
}

/// One frame at one end of a wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When it passed, in nanoseconds of CLOCK_MONOTONIC.
    pub at_monotonic_ns: i64,
    /// The wire's index.
    pub wire: usize,
    /// The index of the node at that end, which sent it or got it.
    pub node: usize,
    /// Whether the node sent it or got it.
    pub point: Point,
    /// All its bytes, from the Ethernet header on.
    pub bytes: Vec<u8>,
}

/// What a capture says of itself at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureEnd {
    /// How many frames were handed on.
    pub frames: u64,
    /// How many the kernel could not hold: the capture has gaps if this is not 0.
    pub dropped: u64,
    /// How far CLOCK_REALTIME was set forward (or back, if negative) during the capture, in nanoseconds. Times of
    /// frames are wrong by up to this much; below 100 000 it is only the error of reading clocks.
    pub clock_step_ns: i64,
}

/// A running capture of all wires of a network.
///
/// Dropping it stops it without a word; [`stop`](Self::stop) says what it missed. It keeps the fabric, and with it the
/// wires, until it ends.
pub struct Capture {
    stop: Arc<EventFd>,
    thread: Option<JoinHandle<Result<CaptureEnd, Error>>>,
}

impl Capture {
    /// Starts to capture. `sink` is called on a thread of its own, once for each frame, in the order of the kernel.
    ///
    /// The ports of a rebooted node are captured as before.
    ///
    /// # Errors
    /// [`Error::Privilege`] without `CAP_NET_RAW`; else when the socket or the thread cannot be made.
    pub fn open(network: &Network, sink: impl FnMut(Frame) + Send + 'static) -> Result<Self, Error> {
        Self::with_buffer(network, RECEIVE_BUFFER, sink)
    }

    /// The same, with another limit on what the kernel may hold until it is read, in bytes. It doubles the number for its own
    /// bookkeeping, and makes 2 kB of anything less (socket(7), SO_RCVBUFFORCE).
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn with_buffer(
        network: &Network,
        buffer: usize,
        sink: impl FnMut(Frame) + Send + 'static,
    ) -> Result<Self, Error> {
        let socket = network.fabric().run(|| open_socket(buffer))??;
        let ends = network.plan().wires.iter().map(|wire| wire.ends).collect();
        let realtime_ahead_ns = clock::realtime_ahead_ns()?;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let stop =
            EventFd::from_value_and_flags(0, flags).map_err(|errno| Error::system("making an eventfd", errno))?;
        let stop = Arc::new(stop);
        let mut reader = Reader {
            socket,
            stop: Arc::clone(&stop),
            ends,
            realtime_ahead_ns,
            buffer: vec![0; LARGEST_FRAME],
            control: nix::cmsg_space!(libc::timespec),
            frames: 0,
            sink,
        };
        let thread = thread::Builder::new()
            .name("capture".to_owned())
            .spawn(move || reader.run())
            .map_err(|source| Error::system("starting the capture's thread", source))?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Ends the capture, when all frames that passed before this call have been handed on.
    ///
    /// # Errors
    /// When frames could not be read.
    pub fn stop(mut self) -> Result<CaptureEnd, Error> {
        self.signal();
        let end = self.thread.take().map(JoinHandle::join);
        let panicked = || Err(Error::system("capturing", std::io::Error::other("the frame sink panicked")));
        end.and_then(Result::ok).unwrap_or_else(panicked)
    }

    fn signal(&self) {
        // Fails only when the counter is full, and then the signal has been given.
        let _ = self.stop.write(1);
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.signal();
        if let Some(thread) = self.thread.take() {
            // Nobody is left to tell.
            let _ = thread.join();
        }
    }
}

/// A socket that sees all frames at all ports of the namespace that the calling thread is in.
fn open_socket(buffer: usize) -> Result<OwnedFd, Error> {
    let failed = |errno: Errno| Error::system("opening a packet socket in the fabric", errno);
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll).map_err(failed)?;
    setsockopt(&socket, sockopt::RcvBufForce, &buffer).map_err(failed)?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true).map_err(failed)?;
    Ok(socket)
}

struct Reader<S> {
    socket: OwnedFd,
    stop: Arc<EventFd>,
    /// The nodes at the ends of each wire.
    ends: Vec<[usize; 2]>,
    realtime_ahead_ns: i64,
    buffer: Vec<u8>,
    control: Vec<u8>,
    frames: u64,
    sink: S,
}

impl<S: FnMut(Frame)> Reader<S> {
    fn run(&mut self) -> Result<CaptureEnd, Error> {
        loop {
            let stopping = self.wait()?;
            while self.read()? {}
            if stopping {
                break;
            }
        }
        let statistics = getsockopt(&self.socket, Statistics)
            .map_err(|errno| Error::system("reading a capture's statistics", errno))?;
        let clock_step_ns = clock::realtime_ahead_ns()? - self.realtime_ahead_ns;
        Ok(CaptureEnd { frames: self.frames, dropped: statistics.tp_drops.into(), clock_step_ns })
    }

    /// Waits for frames or for the end, and says whether it is the end.
    fn wait(&self) -> Result<bool, Error> {
        let mut waiting =
            [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN), PollFd::new(self.stop.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waiting, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => Ok(waiting[1].any().unwrap_or_default()),
            Err(errno) => Err(Error::system("waiting for frames", errno)),
        }
    }

    /// Reads one frame and hands it on; false when there is none.
    fn read(&mut self) -> Result<bool, Error> {
        let mut slices = [IoSliceMut::new(&mut self.buffer)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let message = match recvmsg::<LinkAddr>(self.socket.as_raw_fd(), &mut slices, Some(&mut self.control), flags) {
            Ok(message) => message,
            Err(Errno::EAGAIN) => return Ok(false),
            // A port went down or away, which is a fault that was asked for; the others are still there.
            Err(Errno::EINTR | Errno::ENETDOWN) => return Ok(true),
            Err(errno) => return Err(Error::system("reading a captured frame", errno)),
        };
        let Some(from) = message.address else { return Ok(true) };
        let Some(end) = End::of_port(from.ifindex()) else { return Ok(true) };
        let Some(nodes) = self.ends.get(end.wire) else { return Ok(true) };
        let stamps = message.cmsgs().map_err(|errno| Error::system("reading the time of a captured frame", errno))?;
        let stamp = stamps.into_iter().find_map(|control| match control {
            ControlMessageOwned::ScmTimestampns(time) => Some(time.tv_sec() * 1_000_000_000 + time.tv_nsec()),
            _ => None,
        });
        let stamp = stamp.ok_or_else(|| Error::system("reading the time of a captured frame", Errno::ENODATA))?;
        let (length, point) = (message.bytes, point(&from));
        let frame = Frame {
            at_monotonic_ns: stamp - self.realtime_ahead_ns,
            wire: end.wire,
            node: nodes[end.end],
            point,
            bytes: self.buffer[..length].to_vec(),
        };
        self.frames += 1;
        (self.sink)(frame);
        Ok(true)
    }
}

/// What leaves a port goes into the node behind it.
fn point(from: &LinkAddr) -> Point {
    if from.pkttype() == libc::PACKET_OUTGOING { Point::Delivered } else { Point::Sent }
}
