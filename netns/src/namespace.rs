//! Network namespaces (network_namespaces(7)) held by descriptor.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};
use tokio::sync::oneshot;

use crate::Error;

/// The namespace of the thread that opens it (proc_pid_ns(5)).
const OF_THIS_THREAD: &str = "/proc/thread-self/ns/net";

/// A network namespace, held open by a descriptor and by nothing else.
///
/// It has no name in the file system. It ends when the last clone is dropped and no process and no socket is left in
/// it.
#[derive(Clone, Debug)]
pub struct Namespace {
    file: Arc<File>,
    inode: u64,
}

impl Namespace {
    /// Creates a namespace with nothing in it but a loopback interface that is down.
    ///
    /// # Errors
    /// [`Error::Privilege`] without `CAP_SYS_ADMIN`; [`Error::System`] when the kernel has none left to give.
    pub fn create() -> Result<Self, Error> {
        thread::scope(|scope| {
            let thread = thread::Builder::new()
                .spawn_scoped(scope, Self::unshared)
                .map_err(|source| Error::system("starting a thread for a new network namespace", source))?;
            joined(thread.join())
        })
    }

    /// The namespace that the calling thread is in.
    ///
    /// # Errors
    /// [`Error::System`] when `/proc` is not mounted.
    pub fn current() -> Result<Self, Error> {
        let opening = |source| Error::system(format!("opening {OF_THIS_THREAD}"), source);
        let file = File::open(OF_THIS_THREAD).map_err(opening)?;
        let inode = file.metadata().map_err(opening)?.ino();
        Ok(Self { file: Arc::new(file), inode })
    }

    /// The namespace that a process is in.
    ///
    /// # Errors
    /// [`Error::System`] when there is no such process, [`Error::Privilege`] when it is another user's.
    pub fn of_process(pid: i32) -> Result<Self, Error> {
        let path = format!("/proc/{pid}/ns/net");
        let opening = |source| Error::system(format!("opening {path}"), source);
        let file = File::open(&path).map_err(opening)?;
        let inode = file.metadata().map_err(opening)?.ino();
        Ok(Self { file: Arc::new(file), inode })
    }

    /// Creates a namespace and runs `prepare` on a thread inside it, without keeping the caller's thread waiting.
    pub(crate) async fn create_and<T: Send + 'static>(
        prepare: impl FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<(Self, T), Error> {
        let (done, result) = oneshot::channel();
        thread::Builder::new()
            .spawn(move || {
                let prepared = Self::unshared().and_then(|namespace| {
                    let prepared = prepare(&namespace)?;
                    Ok((namespace, prepared))
                });
                // A receiver that is gone has no use for the namespace, which ends with this value.
                drop(done.send(prepared));
            })
            .map_err(|source| Error::system("starting a thread for a new network namespace", source))?;
        result.await.unwrap_or_else(|_| Err(panicked()))
    }

    /// Runs `work` on a thread of its own inside this namespace, and waits for it.
    ///
    /// Sockets that `work` opens stay in the namespace wherever they are used later.
    ///
    /// # Errors
    /// When the thread cannot be started or may not enter the namespace.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, Error> {
        thread::scope(|scope| {
            let thread = thread::Builder::new()
                .spawn_scoped(scope, || {
                    setns(self, CloneFlags::CLONE_NEWNET)
                        .map_err(|errno| Error::system(format!("entering network namespace {}", self.inode), errno))?;
                    Ok(work())
                })
                .map_err(|source| Error::system("starting a thread in a network namespace", source))?;
            joined(thread.join())
        })
    }

    /// The inode number by which the kernel tells namespaces apart, as `/proc/PID/ns/net` shows it.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// Moves the calling thread into a new namespace. Only for threads that end afterwards.
    fn unshared() -> Result<Self, Error> {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| Error::system("creating a network namespace", errno))?;
        Self::current()
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn joined<T>(result: thread::Result<Result<T, Error>>) -> Result<T, Error> {
    result.unwrap_or_else(|_| Err(panicked()))
}

fn panicked() -> Error {
    Error::system("working in a network namespace", std::io::Error::other("the thread in it panicked"))
}
