//! How long a lab takes up and down again, beside the same lab made with `ip`, `tc` and `sysctl`.
//!
//! Both labs are built in turn in the same run, since times of different runs do not compare. Needs root and iproute2.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::process::Command;
use std::time::{Duration, Instant};

use netns::{Network, NetworkPlan};

/// Rounds of each; the first is not counted.
const ROUNDS: usize = 31;
/// Wires of client (0), load balancer (1) and two servers (2, 3).
const WIRES: [[usize; 2]; 3] = [[0, 1], [1, 2], [1, 3]];
const NODES: usize = 4;

fn main() {
    // `cargo test --benches` only wants to know whether it runs.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { ROUNDS } else { 2 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let plan = common::plan(NODES, &WIRES);
    let (mut netlink, mut commands) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let times = runtime.block_on(by_netlink(plan.clone()));
        let by_commands = by_commands(&plan);
        if round > 0 {
            netlink.push(times);
            commands.push(by_commands);
        }
    }
    let up = median(netlink.iter().map(|(up, _)| *up));
    let down = median(netlink.iter().map(|(_, down)| *down));
    let total = median(netlink.iter().map(|(up, down)| *up + *down));
    let commands = median(commands.into_iter());
    println!("lab of {NODES} nodes and {} wires, up and down, medians of {} rounds:", WIRES.len(), rounds - 1);
    println!("  netns                {total:>9.2?}   (up {up:.2?}, down {down:.2?})");
    println!("  ip, tc and sysctl    {commands:>9.2?}");
    println!("  ratio                {:>8.1}x", commands.as_secs_f64() / total.as_secs_f64());
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    times[times.len() / 2]
}

async fn by_netlink(plan: NetworkPlan) -> (Duration, Duration) {
    let start = Instant::now();
    let network = Network::build(plan).await.unwrap_or_else(|error| panic!("{error}"));
    let up = start.elapsed();
    let start = Instant::now();
    network.down().await.unwrap_or_else(|error| panic!("{error}"));
    (up, start.elapsed())
}

/// Named namespaces, deleted however this ends.
struct Named(Vec<String>);

impl Drop for Named {
    fn drop(&mut self) {
        for name in &self.0 {
            run(&format!("ip netns del {name}"));
        }
    }
}

fn by_commands(plan: &NetworkPlan) -> Duration {
    let name = |what: &str| format!("whyclosed-bench-{}-{what}", std::process::id());
    let fabric = name("fabric");
    let nodes: Vec<String> = (0..NODES).map(|node| name(&node.to_string())).collect();
    let start = Instant::now();
    let mut named = Named(Vec::new());
    for namespace in nodes.iter().chain([&fabric]) {
        named.0.push(namespace.clone());
        run(&format!("ip netns add {namespace}"));
    }
    for node in &nodes {
        run(&format!("ip -n {node} link set lo up"));
        run(&format!("ip netns exec {node} sysctl -q -w {}", SYSCTLS.join(" ")));
    }
    let mut interfaces = [0; NODES];
    for (wire, ends) in WIRES.iter().enumerate() {
        let ports = [format!("w{wire}a"), format!("w{wire}b")];
        for (end, &node) in ends.iter().enumerate() {
            let (namespace, port, interface) = (&nodes[node], &ports[end], format!("eth{}", interfaces[node]));
            interfaces[node] += 1;
            let other = ends[1 - end];
            let (own, peer) = (plan.nodes[node].address, plan.nodes[other].address);
            run(&format!(
                "ip -n {fabric} link add {port} up mtu 1500 type veth peer name {interface} mtu 1500 \
                 address 02:00:00:0{node}:00:0{wire} netns {namespace}"
            ));
            run(&format!("ip -n {namespace} addr add {own}/32 dev {interface}"));
            run(&format!("ip -n {namespace} link set {interface} up"));
            run(&format!("ip -n {namespace} neigh add {peer} lladdr 02:00:00:0{other}:00:0{wire} dev {interface}"));
            run(&format!("ip -n {namespace} route add {peer}/32 dev {interface} scope link src {own}"));
            run(&format!("tc -n {fabric} qdisc add dev {port} ingress"));
        }
        for (from, to) in [(&ports[0], &ports[1]), (&ports[1], &ports[0])] {
            run(&format!(
                "tc -n {fabric} filter add dev {from} parent ffff: protocol all prio 1 u32 match u32 0 0 \
                 action mirred egress redirect dev {to}"
            ));
        }
    }
    drop(named);
    start.elapsed()
}

/// Some of what `netns` sets; each further one is a line of this one command and costs next to nothing.
const SYSCTLS: [&str; 8] = [
    "net.ipv6.conf.all.disable_ipv6=1",
    "net.ipv4.ip_forward=0",
    "net.ipv4.conf.all.rp_filter=0",
    "net.ipv4.tcp_keepalive_time=7200",
    "net.ipv4.tcp_keepalive_intvl=75",
    "net.ipv4.tcp_keepalive_probes=9",
    "net.ipv4.tcp_retries2=15",
    "net.ipv4.tcp_no_metrics_save=1",
];

fn run(line: &str) {
    let mut words = line.split_whitespace();
    let status = Command::new(words.next().unwrap()).args(words).status();
    let done = status.as_ref().is_ok_and(std::process::ExitStatus::success);
    // A second panic while namespaces are being deleted would leave the others.
    if !done && !std::thread::panicking() {
        panic!("`{line}` failed: {status:?}");
    }
}
