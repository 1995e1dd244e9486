//! Reloads: a new process takes the listening sockets over, and no client notices.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod beside;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use beside::Program::{Haproxy, Relay};
use beside::{LIMIT, Program, own_address, start, wait_until_it_listens};

/// A place where one process after the other works.
struct Place {
    folder: tempfile::TempDir,
    address: SocketAddr,
    working: Child,
}

impl Place {
    /// The first process; each answers its clients with a byte, fewer of them at once than there are [`Clients`]: somebody always waits to
    /// be accepted.
    fn new(program: Program) -> Place {
        let (folder, address) = (tempfile::tempdir().unwrap(), own_address());
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = server.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut stream in server.incoming().flatten() {
                // One client at a time: the others wait in the backlogs.
                let _ = stream.write_all(b"!");
            }
        });
        let text = format!(
            "global\n stats socket {}/stats mode 600 level admin expose-fd listeners\n\
             listen lb\n bind {address}\n maxconn 4\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n server s1 {at}\n",
            folder.path().display()
        );
        std::fs::write(folder.path().join("proxy.cfg"), text).unwrap();
        let working = start(program, &folder.path().join("proxy.cfg"), &[]);
        wait_until_it_listens(address);
        let place = Place { folder, address, working };
        place.wait_for_the_operators_socket();
        place
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("stats")
    }

    fn wait_for_the_operators_socket(&self) {
        let deadline = Instant::now() + LIMIT;
        while std::os::unix::net::UnixStream::connect(self.socket()).is_err() {
            assert!(Instant::now() < deadline);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A process of this program takes over, and the old one ends by itself.
    fn reload(&mut self, program: Program) {
        let (file, socket) = (self.folder.path().join("proxy.cfg"), self.socket().display().to_string());
        let old = self.working.id().to_string();
        let new = start(program, &file, &["-x", &socket, "-sf", &old]);
        let mut old = std::mem::replace(&mut self.working, new);
        let deadline = Instant::now() + LIMIT;
        while old.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the old process does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(self.working.try_wait().unwrap().is_none(), "the new {program:?} has ended");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.working.kill();
        let _ = self.working.wait();
    }
}

/// Clients that come all the time, one behind the other in each of some threads.
struct Clients {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicU64>,
    threads: Vec<std::thread::JoinHandle<Result<(), String>>>,
}

impl Clients {
    fn of(address: SocketAddr) -> Clients {
        let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let one = || {
            let (stop, served) = (stop.clone(), served.clone());
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let mut client = TcpStream::connect(address).map_err(|e| format!("connecting: {e}"))?;
                    client.set_read_timeout(Some(LIMIT)).map_err(|e| e.to_string())?;
                    client.read_exact(&mut [0]).map_err(|e| format!("waiting for the byte: {e}"))?;
                    served.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            })
        };
        let threads = (0..8).map(|_| one()).collect();
        Clients { stop, served, threads }
    }

    /// Waits until some more were served.
    fn are_served(&self) {
        let (before, deadline) = (self.served.load(Ordering::Relaxed), Instant::now() + LIMIT);
        while self.served.load(Ordering::Relaxed) < before + 50
            && self.threads.iter().all(|thread| !thread.is_finished())
        {
            assert!(Instant::now() < deadline, "no client is served");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn all_were_served(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            assert_eq!(thread.join().unwrap(), Ok(()));
        }
    }
}

/// So many reloads, from one program to the next, while clients come all the time.
fn nobody_is_lost(programs: &[Program]) {
    let mut place = Place::new(programs[0]);
    let clients = Clients::of(place.address);
    for program in &programs[1..] {
        clients.are_served();
        place.reload(*program);
    }
    clients.are_served();
    clients.all_were_served();
}

#[test]
fn no_client_is_refused_or_reset_in_many_reloads() {
    nobody_is_lost(&[Relay; 21]);
}

#[test]
fn relay_and_haproxy_take_over_from_one_another() {
    nobody_is_lost(&[Haproxy, Relay, Haproxy, Relay, Relay, Haproxy]);
}

#[test]
fn the_old_process_rests_while_its_last_session_stands_and_the_new_one_works() {
    let mut place = Place::new(Relay);
    let mut last = TcpStream::connect(place.address).unwrap();
    last.read_exact(&mut [0]).unwrap();
    // Its server has closed: it goes on for its client.
    let (file, socket) = (place.folder.path().join("proxy.cfg"), place.socket().display().to_string());
    let pid = place.working.id();
    let new = start(Relay, &file, &["-x", &socket, "-sf", &pid.to_string()]);
    let mut old = std::mem::replace(&mut place.working, new);
    std::thread::sleep(Duration::from_millis(200));
    let clients = Clients::of(place.address);
    let used = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields = stat.rsplit_once(')').unwrap().1;
        fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum::<u64>()
    };
    let before = used();
    std::thread::sleep(Duration::from_secs(1));
    assert!(used() - before <= 2, "the old process is busy");
    clients.all_were_served();
    assert!(old.try_wait().unwrap().is_none(), "the old process has left its session");
    drop(last);
    let deadline = Instant::now() + LIMIT;
    while old.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "the old process does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_process_that_may_not_have_the_sockets_does_not_get_them_and_does_not_start() {
    let place = Place::new(Relay);
    let file = place.folder.path().join("proxy.cfg");
    let plain =
        std::fs::read_to_string(&file).unwrap().replace(" expose-fd listeners", "").replace("/stats ", "/other ");
    let other = own_address();
    std::fs::write(&file, plain.replace(&place.address.to_string(), &other.to_string())).unwrap();
    let mut second = start(Relay, &file, &[]);
    wait_until_it_listens(other);
    let socket = place.folder.path().join("other").display().to_string();
    let third =
        std::process::Command::new(env!("CARGO_BIN_EXE_relay")).arg("-f").arg(&file).args(["-x", &socket]).output();
    let third = third.unwrap();
    let said = String::from_utf8_lossy(&third.stderr);
    assert!(!third.status.success() && said.contains("expose-fd listeners"), "{said}");
    let _ = second.kill();
    let _ = second.wait();
}
