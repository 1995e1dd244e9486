//! From a scenario's firewall to what the network and the evidence have of it.

use std::time::Duration;

use tokio::task::JoinHandle;

use crate::Case;
use crate::evidence::store::Ledger;
use crate::evidence::{Fact, FirewallSettings, FirewallUnknown, Pair};
use crate::scenario::{Firewall, Nat, Node, Unknown};

/// The rules of the node's namespace.
pub fn rules(firewall: &Firewall) -> netns::Firewall {
    netns::Firewall {
        unknown: match firewall.unknown {
            Unknown::Drop => netns::Unknown::Drop,
            Unknown::Reset => netns::Unknown::Reset,
        },
        payload_idle: firewall.payload_idle,
        masquerade: firewall.nat == Some(Nat::Masquerade),
    }
}

/// The sysctls by which it forgets, those left out that the node names itself.
pub fn sysctls(node: &Node) -> Vec<(String, String)> {
    let Some(firewall) = &node.firewall else { return Vec::new() };
    let seconds = |timeout: Duration| timeout.as_secs().to_string();
    // A connection with unacknowledged data has a timeout of its own: 300 s, unless that of an idle one is shorter.
    let waiting = seconds(firewall.idle.min(Duration::from_mins(5)));
    let timeouts = [
        ("tcp_loose", u8::from(firewall.loose).to_string()),
        ("tcp_timeout_established", seconds(firewall.idle)),
        ("tcp_timeout_close_wait", seconds(firewall.half_closed)),
        ("tcp_timeout_unacknowledged", waiting.clone()),
        ("tcp_timeout_max_retrans", waiting),
    ];
    let named = |name: &String| node.sysctls.iter().any(|(own, _)| own == name);
    let full = timeouts.into_iter().map(|(name, value)| (format!("net.netfilter.nf_conntrack_{name}"), value));
    full.filter(|(name, _)| !named(name)).collect()
}

/// Tells of every connection that a firewall gives another address.
pub async fn translations(
    case: &Case,
    network: &netns::Network,
    ledger: &Ledger,
) -> Result<Vec<JoinHandle<()>>, netns::Error> {
    let translates = |node: &Node| node.firewall.as_ref().is_some_and(|firewall| firewall.nat.is_some());
    let mut watching = Vec::new();
    for (index, node) in case.nodes.iter().enumerate().filter(|(_, node)| translates(node)) {
        let (ledger, node) = (ledger.clone(), node.name.to_string());
        let pair = |(local, remote)| Pair { local, remote };
        let tell = move |translation: netns::Translation| {
            let (before, after) = (pair(translation.before), pair(translation.after));
            ledger.put_now(Fact::Translated { node: node.clone(), before, after });
        };
        watching.push(network.watch_translations(index, tell).await?);
    }
    Ok(watching)
}

/// What the evidence tells of it, beside its sysctls.
pub fn fact(node: &Node) -> Option<Fact> {
    let firewall = node.firewall.as_ref()?;
    Some(Fact::Firewall(FirewallSettings {
        node: node.name.to_string(),
        model: firewall.model.map(str::to_owned),
        unknown: match firewall.unknown {
            Unknown::Drop => FirewallUnknown::Drop,
            Unknown::Reset => FirewallUnknown::Reset,
        },
        payload_idle_ms: firewall.payload_idle.map(|idle| u64::try_from(idle.as_millis()).unwrap_or(u64::MAX)),
        masquerade: firewall.nat == Some(Nat::Masquerade),
    }))
}
