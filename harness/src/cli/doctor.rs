//! `whyclosed doctor`

use std::path::Path;
use std::process::Command;

use anstyle::{AnsiColor, Style};

use super::{BROKEN, PASSED};
use crate::guest::contain::Containment;
use crate::lab::engine;
use crate::run::hz::ticks_per_second;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// What is looked at: its name, and what was found or what is missing.
struct Finding {
    name: &'static str,
    /// Whether its clock is no clock without it.
    needed: bool,
    found: Result<String, String>,
}

/// Says what this machine has and lacks, for each clock; good if there is one.
pub fn main() -> u8 {
    let virtually =
        has("the virtual clock (`--clock virtual`, the default on x86-64)", &[virtual_clock(), containment()]);
    let really =
        has("the real clock (`--clock real`)", &[root(), kernel(), tracefs(), reset_reasons(), netem(), nftables()]);
    has("services", &[haproxy(), nginx(), mosquitto(), docker()]);
    if virtually || really { PASSED } else { BROKEN }
}

/// Prints findings; says whether nothing that is needed is missing.
fn has(title: &str, findings: &[Finding]) -> bool {
    anstream::println!("{title}");
    for finding in findings {
        match &finding.found {
            Ok(text) => anstream::println!("{GOOD}  has{GOOD:#}  {:14} {text}", finding.name),
            Err(text) => {
                let word = if finding.needed { "lacks" } else { "  no " };
                anstream::println!("{BAD}{word}{BAD:#}  {:14} {text}", finding.name);
            }
        }
    }
    findings.iter().all(|finding| !finding.needed || finding.found.is_ok())
}

fn root() -> Finding {
    let found = if nix::unistd::geteuid().is_root() {
        Ok("network namespaces and the kernel's trace need it".into())
    } else {
        Err("network namespaces and the kernel's trace need it: run with sudo".into())
    };
    Finding { name: "root", needed: true, found }
}

fn kernel() -> Finding {
    let release =
        nix::sys::utsname::uname().map(|uts| uts.release().to_string_lossy().into_owned()).unwrap_or_default();
    let hz = ticks_per_second();
    Finding { name: "kernel", needed: true, found: Ok(format!("Linux {release}, {hz} ticks per second")) }
}

fn tracefs() -> Finding {
    let found = if Path::new("/sys/kernel/tracing").is_dir() {
        Ok("each run mounts it for itself".into())
    } else {
        Err("no /sys/kernel/tracing: a kernel with CONFIG_FTRACE and CONFIG_ENABLE_DEFAULT_TRACERS is needed".into())
    };
    Finding { name: "tracefs", needed: true, found }
}

fn reset_reasons() -> Finding {
    let release =
        nix::sys::utsname::uname().map(|uts| uts.release().to_string_lossy().into_owned()).unwrap_or_default();
    let mut numbers = release.split(['.', '-']).filter_map(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let found = if version >= (6, 12) {
        Ok("the kernel says why it sends a RST".into())
    } else {
        Err("before Linux 6.12 the kernel does not say why it sends a RST: some verdicts are less firm".into())
    };
    Finding { name: "reset reasons", needed: false, found }
}

fn netem() -> Finding {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let has = runtime.ok().is_some_and(|runtime| runtime.block_on(netns::probe_netem()).unwrap_or(false));
    let found = if has {
        Ok("wires can have delay, loss, duplicates, reordering".into())
    } else {
        Err("wires cannot have delay or loss: this needs root and a kernel with CONFIG_NET_SCH_NETEM (module sch_netem)".into())
    };
    Finding { name: "netem", needed: false, found }
}

fn nftables() -> Finding {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let has = runtime.ok().is_some_and(|runtime| runtime.block_on(netns::probe_firewall()).unwrap_or(false));
    let found = if has {
        Ok("nodes can be firewalls".into())
    } else {
        Err("nodes cannot be firewalls: this needs root and a kernel with nftables (modules nft_ct, nft_reject_ipv4, nft_masq)".into())
    };
    Finding { name: "nftables", needed: false, found }
}

fn haproxy() -> Finding {
    let found = Command::new("haproxy")
        .arg("-v")
        .output()
        .map_err(|_| "scenarios with `proxy: haproxy` need it: apt-get install haproxy".into());
    let found =
        found.map(|output| String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_string());
    Finding { name: "haproxy", needed: false, found }
}

fn nginx() -> Finding {
    let found = Command::new("nginx").arg("-v").output();
    let found = found.map(|output| String::from_utf8_lossy(&output.stderr).trim().to_owned());
    let needs = "scenarios with `proxy: nginx` need it: apt-get install nginx-light libnginx-mod-stream";
    Finding { name: "nginx", needed: false, found: found.map_err(|_| needs.into()) }
}

fn mosquitto() -> Finding {
    // Its exit code with `-h` is not 0; that it says which it is counts.
    let found = Command::new("mosquitto")
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .arg("-h")
        .output()
        .map_err(|_| "scenarios with `broker: mosquitto` need it: apt-get install mosquitto".into());
    let found =
        found.map(|output| String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_string());
    Finding { name: "mosquitto", needed: false, found }
}

fn docker() -> Finding {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let version = runtime.and_then(|runtime| {
        runtime.block_on(async {
            let version = engine::reach().await?.version().await.map_err(std::io::Error::other)?;
            Ok(version.version.unwrap_or_default())
        })
    });
    let found = version.map(|version| format!("Docker {version}: RabbitMQ and any other image"));
    let found = found.map_err(|error| format!("services that are images need it: {error}"));
    Finding { name: "docker", needed: false, found }
}

fn containment() -> Finding {
    let found = std::env::current_exe().map_err(|error| format!("looking for this program: {error}"));
    let found = found.and_then(|program| Containment::find(&program).map_err(|missing| missing.to_string()));
    let found = found
        .map(|containment| format!("{containment}: a guest kernel can write its results and nothing else of the host"));
    Finding { name: "containment", needed: true, found }
}

fn virtual_clock() -> Finding {
    let found =
        crate::kernel::find().map(|kernel| super::kernel::describe(&kernel)).map_err(|missing| missing.to_string());
    Finding { name: "guest kernel", needed: true, found }
}
