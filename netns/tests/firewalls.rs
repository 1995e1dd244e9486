//! Nodes that route and track connections.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use netns::{Error, Firewall, Network, NetworkPlan, Unknown};

use common::{address, built, connected, pass, plan};

/// Long enough for what would come to come; on an idle machine it takes microseconds.
const QUIET: Duration = Duration::from_millis(300);

/// n0 – n1 – n2, and n1 is a firewall that takes up no flow in the middle.
fn behind(firewall: Firewall) -> NetworkPlan {
    let mut plan = plan(3, &[[0, 1], [1, 2]]);
    plan.nodes[1].forwards = true;
    plan.nodes[1].firewall = Some(firewall);
    plan.nodes[1].sysctls = vec![("net.netfilter.nf_conntrack_tcp_loose".to_owned(), "0".to_owned())];
    plan
}

/// The network; none where the kernel has no nftables.
async fn firewalled(firewall: Firewall) -> Option<Network> {
    match Network::build(behind(firewall)).await {
        Err(Error::OnNode { source, .. }) if matches!(*source, Error::KernelOption { .. }) => None,
        result => Some(result.unwrap_or_else(|error| panic!("{error}"))),
    }
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn a_connection_passes_a_firewall_that_saw_it_open() {
    let Some(network) = firewalled(Firewall::default()).await else { return };
    network.prove().await.unwrap();
    let (mut client, mut server) = connected(&network, 0, 2);
    pass("through", &mut client, &mut server);
    assert_eq!(server.peer_addr().unwrap().ip(), address(0));
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn what_a_firewall_has_forgotten_vanishes_in_it() {
    let Some(network) = firewalled(Firewall::default()).await else { return };
    let (mut client, mut server) = connected(&network, 0, 2);
    network.forget(1).await.unwrap();
    client.write_all(b"lost").unwrap();
    server.set_read_timeout(Some(QUIET)).unwrap();
    assert_eq!(server.read(&mut [0; 4]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn a_firewall_resets_the_sender_of_what_it_has_forgotten_and_nobody_else() {
    let Some(network) = firewalled(Firewall { unknown: Unknown::Reset, ..Firewall::default() }).await else { return };
    let (mut client, mut server) = connected(&network, 0, 2);
    network.forget(1).await.unwrap();
    client.write_all(b"lost").unwrap();
    assert_eq!(client.read(&mut [0; 4]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    server.set_read_timeout(Some(QUIET)).unwrap();
    assert_eq!(server.read(&mut [0; 4]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn a_masquerading_firewall_speaks_in_its_own_name() {
    let Some(network) = firewalled(Firewall { masquerade: true, ..Firewall::default() }).await else { return };
    let (mut client, mut server) = connected(&network, 0, 2);
    pass("through", &mut client, &mut server);
    assert_eq!(server.peer_addr().unwrap().ip(), address(1));
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn segments_without_payload_do_not_keep_a_flow_that_payload_would() {
    let firewall = Firewall { unknown: Unknown::Reset, payload_idle: Some(QUIET), masquerade: false };
    let Some(network) = firewalled(firewall).await else { return };
    let (mut client, mut server) = connected(&network, 0, 2);
    for text in ["one", "two"] {
        tokio::time::sleep(QUIET / 2).await;
        pass(text, &mut client, &mut server);
    }
    tokio::time::sleep(QUIET * 2).await;
    client.write_all(b"late").unwrap();
    assert_eq!(client.read(&mut [0; 4]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn only_a_firewall_can_forget() {
    let network = built(plan(2, &[[0, 1]])).await;
    let error = network.forget(0).await.unwrap_err();
    assert_eq!(error.to_string(), "node `n0` is no firewall: it tracks no connections that it could forget");
}
