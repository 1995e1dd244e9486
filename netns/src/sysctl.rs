//! Sysctls of a network namespace, through `/proc/sys` (proc_sys_net(5), Documentation/networking/ip-sysctl.rst).

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::FileExt;

use crate::{Error, Namespace};

/// What every node gets, whatever the host has: a new namespace inherits some of these and has kernel defaults of
/// others.
const ALWAYS: &[(&str, &str)] = &[
    ("net.ipv6.conf.all.disable_ipv6", "1"),
    ("net.ipv6.conf.default.disable_ipv6", "1"),
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
    ("net.ipv4.ip_local_port_range", "32768 60999"),
    ("net.ipv4.tcp_keepalive_time", "7200"),
    ("net.ipv4.tcp_keepalive_intvl", "75"),
    ("net.ipv4.tcp_keepalive_probes", "9"),
    ("net.ipv4.tcp_retries1", "3"),
    ("net.ipv4.tcp_retries2", "15"),
    ("net.ipv4.tcp_syn_retries", "6"),
    ("net.ipv4.tcp_synack_retries", "5"),
    ("net.ipv4.tcp_orphan_retries", "0"),
    ("net.ipv4.tcp_fin_timeout", "60"),
    // The one algorithm that every kernel has and that every namespace may choose (net/ipv4/tcp_cong.c).
    ("net.ipv4.tcp_congestion_control", "reno"),
    ("net.ipv4.tcp_slow_start_after_idle", "1"),
    ("net.ipv4.tcp_timestamps", "1"),
    ("net.ipv4.tcp_abort_on_overflow", "0"),
    ("net.ipv4.tcp_early_retrans", "3"),
    ("net.ipv4.tcp_rmem", "4096 131072 6291456"),
    ("net.ipv4.tcp_wmem", "4096 16384 4194304"),
    ("net.ipv4.tcp_tw_reuse", "2"),
    // A metrics cache would carry round-trip times from one connection into the next.
    ("net.ipv4.tcp_no_metrics_save", "1"),
];

/// What every node gets where the kernel has it (since Linux 6.5, 6.11 and 6.15). Older kernels have these values built
/// in, but for the linear timeouts, which they do not do.
const WHERE_KNOWN: &[(&str, &str)] = &[
    ("net.ipv4.tcp_syn_linear_timeouts", "4"),
    ("net.ipv4.tcp_rto_min_us", "200000"),
    ("net.ipv4.tcp_rto_max_ms", "120000"),
];

/// The fabric's own: it must never answer, forward or speak.
pub(crate) const FABRIC: &[(&str, &str)] = &[
    ("net.ipv6.conf.all.disable_ipv6", "1"),
    ("net.ipv6.conf.default.disable_ipv6", "1"),
    ("net.ipv4.ip_forward", "0"),
    ("net.ipv4.conf.all.arp_ignore", "8"),
];

/// More than the text of any sysctl that is a number or a few.
const LONGEST: usize = 4096;

/// Sets sysctls in a namespace, in this order, and returns each name with the value that was read back.
///
/// Names are in dotted form, `net.ipv4.tcp_keepalive_time`. Values of several numbers are compared number by number.
///
/// # Errors
/// [`Error::UnknownSysctl`] for a name that the kernel has not got; [`Error::Sysctl`], with the value wanted and the
/// value found, where the kernel refuses a value or reads back another.
pub fn set_and_read_back(namespace: &Namespace, wanted: &[(String, String)]) -> Result<Vec<(String, String)>, Error> {
    namespace.run(|| wanted.iter().map(|(name, value)| set(name, value)).collect())?
}

/// Sets what every node gets and then `own`, which wins. For a thread that is in the node's namespace.
pub(crate) fn set_all(forwards: bool, own: &[(String, String)]) -> Result<Vec<(String, String)>, Error> {
    let left_to_the_plan = |name: &str| own.iter().any(|(own, _)| own == name);
    // Turning forwarding on resets other settings of the namespace to a router's (ip-sysctl.rst), so it comes first.
    let forward = ("net.ipv4.ip_forward", if forwards { "1" } else { "0" });
    let mut values = Vec::with_capacity(1 + ALWAYS.len() + WHERE_KNOWN.len() + own.len());
    for (name, value) in std::iter::once(&forward).chain(ALWAYS).filter(|(name, _)| !left_to_the_plan(name)) {
        values.push(set(name, value)?);
    }
    for (name, value) in WHERE_KNOWN.iter().filter(|(name, _)| !left_to_the_plan(name)) {
        match set(name, value) {
            Err(Error::UnknownSysctl { .. }) => {}
            result => values.push(result?),
        }
    }
    for (name, value) in own {
        values.push(set(name, value)?);
    }
    Ok(values)
}

/// Sets defaults and then `own`, which wins. For a thread that is in the node's namespace.
pub(crate) fn set_over(defaults: &[(&str, &str)], own: &[(String, String)]) -> Result<Vec<(String, String)>, Error> {
    let left = defaults.iter().filter(|(name, _)| !own.iter().any(|(own, _)| own == name));
    let all = left.copied().chain(own.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    all.map(|(name, value)| set(name, value)).collect()
}

/// Reads one sysctl of the namespace that the calling thread is in.
pub(crate) fn read(name: &str) -> Result<String, Error> {
    match File::open(path(name)?).and_then(|file| content(&file)) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::UnknownSysctl { name: name.to_owned() }),
        Err(error) => Err(Error::system(format!("reading sysctl `{name}`"), error)),
    }
}

/// Sets one sysctl of the namespace that the calling thread is in, and reads it back.
pub(crate) fn set(name: &str, value: &str) -> Result<(String, String), Error> {
    let doing = || format!("setting sysctl `{name}`");
    // Opened without creating: what is not there in `/proc/sys` is unknown, and not forbidden.
    let mut file = match OpenOptions::new().read(true).write(true).open(path(name)?) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Error::UnknownSysctl { name: name.to_owned() });
        }
        Err(error) => return Err(Error::system(doing(), error)),
    };
    let written = file.write_all(value.as_bytes());
    let found = content(&file).map_err(|error| Error::system(format!("reading sysctl `{name}`"), error))?;
    if written.is_ok() && found == words(value) {
        return Ok((name.to_owned(), found));
    }
    Err(Error::Sysctl { name: name.to_owned(), wanted: value.to_owned(), found })
}

/// What a sysctl says: its whole text comes by one read (fs/proc/proc_sysctl.c), and in a guest each system call has its price.
fn content(file: &File) -> std::io::Result<String> {
    let mut buffer = [0; LONGEST];
    let length = file.read_at(&mut buffer, 0)?;
    Ok(words(&String::from_utf8_lossy(&buffer[..length])))
}

/// The file of a sysctl. A name with a slash or an empty part could lead out of `/proc/sys`.
fn path(name: &str) -> Result<String, Error> {
    if name.contains('/') || name.split('.').any(str::is_empty) {
        return Err(Error::UnknownSysctl { name: name.to_owned() });
    }
    Ok(format!("/proc/sys/{}", name.replace('.', "/")))
}

/// The text with every run of white space as one space: the kernel separates numbers by tabs.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
