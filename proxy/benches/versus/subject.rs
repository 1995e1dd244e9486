//! A proxy that is measured: how it is configured and started, and what it costs.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, CpuSet, sched_setaffinity, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;

use super::Result;

/// The processor of the proxies.
const PROXY: usize = 0;
/// The processor of the load generator.
pub const GENERATOR: usize = 1;
/// Where proxies listen, on every address.
pub const FRONT: u16 = 9000;
/// Where the servers listen that proxies go to.
pub const BACK: u16 = 9001;
/// How long a proxy may take to listen.
const STARTED: Duration = Duration::from_secs(10);

/// A kind of proxy.
pub struct Kind {
    pub name: &'static str,
    /// The program; ours is found by cargo.
    program: &'static str,
    /// What stands behind the program; `{}` is the configuration's path.
    arguments: &'static [&'static str],
    configuration: &'static str,
    /// What is added to the configuration's defaults.
    besides: &'static str,
}

/// Each with one thread or process, and nothing logged.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "relay",
        program: env!("CARGO_BIN_EXE_relay"),
        arguments: &["-f", "{}"],
        configuration: HAPROXY,
        besides: "",
    },
    Kind { name: "haproxy", program: "haproxy", arguments: &["-db", "-f", "{}"], configuration: HAPROXY, besides: "" },
    Kind {
        name: "haproxy splice",
        program: "haproxy",
        arguments: &["-db", "-f", "{}"],
        configuration: HAPROXY,
        besides: "    option splice-request\n    option splice-response\n",
    },
    Kind {
        name: "nginx",
        program: "nginx",
        arguments: &["-e", "stderr", "-c", "{}"],
        configuration: NGINX,
        besides: "",
    },
];

const HAPROXY: &str = "\
global
    maxconn 9600
    nbthread 1
    maxpipes 256
defaults
    mode tcp
    maxconn 9600
    timeout connect 5s
    timeout client 60s
    timeout server 60s
";
const HAPROXY_PROXY: &str = "\
listen measured
    bind :9000
    server one 127.0.0.1:9001
";

const NGINX: &str = "\
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
error_log stderr emerg;
pid PID;
include /etc/nginx/modules-enabled/*.conf;
events { worker_connections 19900; }
stream {
    server {
        listen 9000 backlog=4096;
        proxy_connect_timeout 5s;
        proxy_timeout 60s;
        proxy_pass 127.0.0.1:9001;
    }
}
";

/// Those that are installed. That ours is alone is told.
///
/// # Errors
/// None at present; the type leaves room for a peer that must be there.
pub fn installed() -> Result<Vec<&'static Kind>> {
    let there = |kind: &&Kind| {
        let found = Path::new(kind.program).is_absolute()
            || Command::new(kind.program).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
        if !found {
            eprintln!("{} is not installed: its column is left out.", kind.program);
        }
        found
    };
    Ok(KINDS.iter().filter(there).collect())
}

/// A proxy that runs; it ends with this.
pub struct Subject {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Subject {
    /// Starts one and waits until it listens.
    ///
    /// # Errors
    /// When it does not start, with what it says.
    pub fn start(kind: &Kind) -> Result<Subject> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("configuration");
        let pid = folder.path().join("pid").display().to_string();
        let text = match kind.configuration {
            HAPROXY => format!("{HAPROXY}{}{HAPROXY_PROXY}", kind.besides),
            other => other.replace("PID", &pid),
        };
        std::fs::write(&path, text)?;
        let place = path.display().to_string();
        let child = Command::new("taskset")
            .args(["-c", &PROXY.to_string(), kind.program])
            .args(kind.arguments.iter().map(|argument| argument.replace("{}", &place)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("said"))?)
            .spawn()?;
        let mut subject = Subject { child, _folder: folder };
        subject.wait_until_it_listens()?;
        Ok(subject)
    }

    fn wait_until_it_listens(&mut self) -> Result {
        let started = Instant::now();
        while !listens(FRONT)? {
            if self.child.try_wait()?.is_some() || started.elapsed() > STARTED {
                let said = std::fs::read_to_string(self._folder.path().join("said"))?;
                return Err(format!("it does not listen: {said}").into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// The processes it consists of.
    fn processes(&self) -> Result<Vec<u32>> {
        let own = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children"))?;
        let children: std::result::Result<Vec<u32>, _> = children.split_whitespace().map(str::parse).collect();
        Ok(std::iter::once(own).chain(children?).collect())
    }

    /// Its processor time so far (/proc/PID/schedstat, in nanoseconds).
    ///
    /// # Errors
    /// When it has ended.
    pub fn busy(&self) -> Result<Duration> {
        let mut sum = Duration::ZERO;
        for process in self.processes()? {
            let text = std::fs::read_to_string(format!("/proc/{process}/schedstat"))?;
            let time = text.split_whitespace().next().ok_or("an empty schedstat")?;
            sum += Duration::from_nanos(time.parse()?);
        }
        Ok(sum)
    }

    /// Its own memory, bytes: private pages that are in use (/proc/PID/smaps_rollup).
    ///
    /// # Errors
    /// When it has ended.
    pub fn memory(&self) -> Result<u64> {
        let mut sum = 0;
        for process in self.processes()? {
            let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
            let line = text.lines().find_map(|line| line.strip_prefix("Private_Dirty:"));
            let kb = line.and_then(|line| line.split_whitespace().next()).ok_or("no Private_Dirty in smaps_rollup")?;
            sum += kb.parse::<u64>()? * 1024;
        }
        Ok(sum)
    }
}

/// Whether a socket listens on a port (/proc/net/tcp; a connection would be a session already).
fn listens(port: u16) -> Result<bool> {
    let table = std::fs::read_to_string("/proc/self/net/tcp")?;
    let local = format!(":{port:04X}");
    Ok(table.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        fields.next().is_some_and(|address| address.ends_with(&local)) && fields.nth(1) == Some("0A")
    }))
}

impl Drop for Subject {
    fn drop(&mut self) {
        let own = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(i32::MAX));
        // nginx's master ends its worker.
        let _ = nix::sys::signal::kill(own, nix::sys::signal::Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

/// Moves this process to a network of its own, in which its connections are alone.
///
/// # Errors
/// When it may not, or the loopback device cannot be brought up.
pub fn own_network() -> Result {
    let root = nix::unistd::geteuid().is_root();
    let user = if root { CloneFlags::empty() } else { CloneFlags::CLONE_NEWUSER };
    unshare(CloneFlags::CLONE_NEWNET | user).map_err(|e| format!("making a network namespace: {e}"))?;
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status()?;
    if !up.success() {
        return Err("`ip link set lo up` failed".into());
    }
    std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "10000 65000")?;
    Ok(())
}

/// Keeps this process on one processor.
///
/// # Errors
/// When there is no such processor.
pub fn use_processor(number: usize) -> Result {
    let mut set = CpuSet::new();
    set.set(number)?;
    sched_setaffinity(Pid::from_raw(0), &set).map_err(|e| format!("this needs two processors: {e}"))?;
    Ok(())
}

/// As many descriptors as may be: also the proxies inherit them.
///
/// # Errors
/// As setrlimit(2).
pub fn raise_descriptors() -> Result {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}
