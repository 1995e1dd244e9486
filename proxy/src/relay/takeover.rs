//! How a new process takes the listening sockets over from the old one, so that no client is refused or reset in between: over the
//! old one's stats socket, in HAProxy's own form (`_getsocks` in src/cli.c, `sock_get_old_sockets` in src/sock.c). Either program
//! can take over from the other.
//!
//! The old process tells how many sockets there are, and then hands them over in portions: each socket is a descriptor (SCM_RIGHTS in
//! unix(7)) and some bytes, which tell its network namespace, its interface and nothing more.

use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::cmsg_space;
use rustix::net::sockopt::{socket_acceptconn, socket_type};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    SocketType, getsockname, recvmsg, sendmsg,
};

/// How many descriptors one message carries at most (SCM_MAX_FD in the kernel's include/net/scm.h).
const PORTION: usize = 253;
/// What is told of a socket without a namespace and an interface: two empty names, and four bytes that once had options.
const PLAIN: [u8; 6] = [0; 6];
/// How long the other process may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is said to ask for the sockets.
pub const REQUEST: &str = "_getsocks";

/// Hands sockets over to whoever asked for them. The kernel has room for all that is said here: nobody is waited for.
///
/// # Errors
/// As sendmsg(2).
pub fn give<'a>(to: impl AsFd, sockets: impl Iterator<Item = BorrowedFd<'a>>) -> std::io::Result<()> {
    let sockets: Vec<BorrowedFd<'_>> = sockets.collect();
    if sockets.is_empty() {
        return Ok(());
    }
    let count = i32::try_from(sockets.len()).unwrap_or(i32::MAX).to_ne_bytes();
    let mut nothing = SendAncillaryBuffer::default();
    sendmsg(&to, &[IoSlice::new(&count)], &mut nothing, SendFlags::NOSIGNAL)?;
    for portion in sockets.chunks(PORTION) {
        let about = PLAIN.repeat(portion.len());
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(PORTION))];
        let mut descriptors = SendAncillaryBuffer::new(&mut space);
        descriptors.push(SendAncillaryMessage::ScmRights(portion));
        sendmsg(&to, &[IoSlice::new(&about)], &mut descriptors, SendFlags::NOSIGNAL)?;
    }
    Ok(())
}

/// Sockets that were taken over, until somebody wants them. Those that nobody wants are closed in the end.
#[derive(Debug, Default)]
pub struct Taken(Vec<(SocketAddr, OwnedFd)>);

impl Taken {
    /// Asks a process for its sockets, at its stats socket.
    ///
    /// # Errors
    /// When nobody answers there, or breaks off.
    pub fn from(path: &Path) -> std::io::Result<Taken> {
        let mut stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(format!("{REQUEST}\n").as_bytes())?;
        let mut count = [0; 4];
        match stream.read_exact(&mut count) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                let why = "it hands nothing over there: `stats socket` needs `expose-fd listeners`";
                return Err(std::io::Error::other(why));
            }
            other => other?,
        }
        let count = usize::try_from(i32::from_ne_bytes(count)).unwrap_or_default();
        let mut sockets = Vec::new();
        while sockets.len() < count {
            let before = sockets.len();
            portion(&stream, &mut sockets)?;
            if sockets.len() == before {
                return Err(std::io::Error::other(format!("it handed over {before} of {count} sockets")));
            }
            // Whatever this says, HAProxy waits for it before the next portion. Behind the last one nobody may be there any more.
            let _ = stream.write_all(&[0; 4]);
        }
        let listens = |socket: &OwnedFd| socket_acceptconn(socket).unwrap_or(false);
        let tcp = |socket: OwnedFd| {
            let address = SocketAddr::try_from(getsockname(&socket).ok()?).ok()?;
            (socket_type(&socket).ok()? == SocketType::STREAM && listens(&socket)).then_some((address, socket))
        };
        Ok(Taken(sockets.into_iter().filter_map(tcp).collect()))
    }

    /// The socket that listens on an address, if there is one.
    pub fn at(&mut self, address: SocketAddr) -> Option<OwnedFd> {
        let place = self.0.iter().position(|(known, _)| *known == address)?;
        Some(self.0.swap_remove(place).1)
    }
}

/// Takes the descriptors of one message.
fn portion(stream: &UnixStream, sockets: &mut Vec<OwnedFd>) -> std::io::Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(PORTION))];
    let mut descriptors = RecvAncillaryBuffer::new(&mut space);
    // Names of namespaces and interfaces may be long; what they are called does not matter here.
    let mut about = vec![0; 1 << 16];
    recvmsg(stream, &mut [IoSliceMut::new(&mut about)], &mut descriptors, RecvFlags::CMSG_CLOEXEC)?;
    for message in descriptors.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            sockets.extend(received);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A process that answers once.
    fn giver(sockets: Vec<TcpListener>) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stats");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; REQUEST.len() + 1];
            stream.read_exact(&mut asked).unwrap();
            give(&stream, sockets.iter().map(AsFd::as_fd)).unwrap();
        });
        (folder, path)
    }

    #[test]
    fn more_sockets_than_one_message_carries_are_all_taken_over() {
        let sockets: Vec<TcpListener> = (0..300).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addresses: Vec<SocketAddr> = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
        let (_folder, path) = giver(sockets);
        let mut taken = Taken::from(&path).unwrap();
        for address in addresses {
            assert!(taken.at(address).is_some(), "{address}");
            assert!(taken.at(address).is_none(), "{address} twice");
        }
    }

    #[test]
    fn a_process_that_hands_nothing_over_is_an_error_that_says_what_is_missing() {
        let (_folder, path) = giver(Vec::new());
        let error = Taken::from(&path).unwrap_err().to_string();
        assert!(error.contains("expose-fd listeners"), "{error}");
    }
}
