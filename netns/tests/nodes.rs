//! Nodes: their settings, their sockets, their death and return.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;

use common::{LIMIT, PORT, Watch, address, built, carries, connected, interface, pair, pass, plan};
use netns::sockets::{self, TcpState};
use netns::{Direction, Error, Namespace, Network, Point, sysctl};
use nlink::netlink::{Connection, Route, RtnetlinkGroup};

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn a_new_network_is_what_was_planned() {
    let network = built(plan(4, &[[0, 1], [1, 2], [1, 3]])).await;
    network.prove().await.unwrap();
    network.down().await.unwrap();
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn a_setting_that_changed_is_found() {
    let network = built(pair()).await;
    let changed = [("net.ipv4.tcp_retries2".to_owned(), "7".to_owned())];
    sysctl::set_and_read_back(network.node(1).unwrap(), &changed).unwrap();
    let error = network.prove().await.unwrap_err().to_string();
    assert!(error.contains("`n1`") && error.contains("tcp_retries2") && error.contains("`15`"), "{error}");
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn the_settings_of_the_plan_win() {
    let mut plan = pair();
    let keepalive_time = ("net.ipv4.tcp_keepalive_time".to_owned(), "120".to_owned());
    plan.nodes[0].sysctls.push(keepalive_time.clone());
    let network = built(plan).await;
    let of_keepalive_time: Vec<_> = network.sysctls(0).iter().filter(|(name, _)| *name == keepalive_time.0).collect();
    assert_eq!(of_keepalive_time, [&keepalive_time]);
    network.prove().await.unwrap();
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn an_unknown_sysctl_is_told_by_its_name_and_node() {
    let mut plan = pair();
    plan.nodes[1].sysctls.push(("net.ipv4.tcp_keepalive_tim".to_owned(), "120".to_owned()));
    let error = Network::build(plan).await.err().unwrap();
    let Error::OnNode { node, source } = &error else { panic!("{error}") };
    assert_eq!(node, "n1");
    assert!(matches!(&**source, Error::UnknownSysctl { name } if name.ends_with("tcp_keepalive_tim")), "{error}");
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
fn a_refused_sysctl_is_told_with_what_was_wanted_and_found() {
    let namespace = Namespace::create().unwrap_or_else(|error| panic!("{error}"));
    let wanted = [("net.ipv4.tcp_keepalive_probes".to_owned(), "many".to_owned())];
    let error = sysctl::set_and_read_back(&namespace, &wanted).unwrap_err();
    assert!(matches!(&error, Error::Sysctl { wanted, found, .. } if wanted == "many" && found == "9"), "{error}");
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn sockets_are_listed_with_their_addresses_and_states() {
    let network = built(pair()).await;
    let (client, server) = connected(&network, 0, 1);
    let listed = sockets::tcp(network.node(0).unwrap()).await.unwrap();
    let [socket] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!(std::net::SocketAddr::from(socket.local), client.local_addr().unwrap());
    assert_eq!(std::net::SocketAddr::from(socket.remote), server.local_addr().unwrap());
    assert_eq!(socket.state, TcpState::Established);
    assert_ne!(socket.inode, 0);
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn a_powered_off_node_is_silent_even_when_its_sockets_are_destroyed() {
    let mut network = built(pair()).await;
    let (mut client, server) = connected(&network, 0, 1);
    network.power_off(1).await.unwrap();
    let watch = Watch::start(&network);
    drop(server);
    network.close(1).await.unwrap();
    client.write_all(b"hello?").unwrap();
    watch.wait_for("hello?", 0, Point::Sent);
    let rest = watch.stop();
    assert!(rest.iter().all(|frame| frame.node == 0 && frame.point == Point::Sent), "{rest:?}");
    let error = network.node(1).unwrap_err();
    assert!(matches!(error, Error::PoweredOff { .. }), "{error}");
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn a_rebooted_node_has_its_addresses_and_mac_again_and_none_of_its_connections() {
    let mut network = built(pair()).await;
    let (mut client, server) = connected(&network, 0, 1);
    let before = interface(network.node(1).unwrap()).await;
    let old_inode = network.node(1).unwrap().inode();
    network.power_off(1).await.unwrap();
    drop(server);
    network.close(1).await.unwrap();
    network.reboot(1).await.unwrap();
    network.prove().await.unwrap();
    assert_eq!(interface(network.node(1).unwrap()).await, before);
    assert_ne!(network.node(1).unwrap().inode(), old_inode);

    client.write_all(b"still there?").unwrap();
    assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    let (mut client, mut server) = connected(&network, 0, 1);
    pass("again", &mut client, &mut server);
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn the_capture_follows_a_rebooted_node() {
    let mut network = built(pair()).await;
    let watch = Watch::start(&network);
    network.reboot(1).await.unwrap();
    let (mut client, mut server) = connected(&network, 0, 1);
    pass("again", &mut client, &mut server);
    watch.wait_for("again", 1, Point::Delivered);
    watch.stop();
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn a_wire_that_was_cut_is_cut_after_a_reboot() {
    let mut network = built(pair()).await;
    network.cut(0, Direction::From(0)).await.unwrap();
    network.reboot(1).await.unwrap();
    let watch = Watch::start(&network);
    let to = (address(1), PORT).into();
    let short = std::time::Duration::from_millis(100);
    let result = network.node(0).unwrap().run(|| TcpStream::connect_timeout(&to, short)).unwrap();
    assert_eq!(result.unwrap_err().kind(), ErrorKind::TimedOut);
    let frames = watch.stop();
    assert!(!frames.is_empty() && frames.iter().all(|frame| frame.point == Point::Sent), "{frames:?}");
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn nothing_of_a_network_is_left_when_it_is_down() {
    let mut network = built(pair()).await;
    let (mut client, server) = connected(&network, 0, 1);
    // Data that is never acknowledged: without its owner this socket would live on for minutes.
    network.cut(0, Direction::Both).await.unwrap();
    client.write_all(b"never acknowledged").unwrap();
    drop((client, server));

    let fabric = network.fabric().clone();
    let links = Connection::<Route>::new_in(fabric.as_fd()).unwrap();
    links.subscribe(&[RtnetlinkGroup::Link]).unwrap();
    let reader = Connection::<Route>::new_in(fabric.as_fd()).unwrap();
    network.down().await.unwrap();
    // A node's namespace takes its side of each cable with it when it ends, and that the port in the fabric.
    let only_loopback = async {
        while reader.get_links().await.unwrap().len() > 1 {
            links.socket().recv_msg().await.unwrap();
        }
    };
    tokio::time::timeout(LIMIT, only_loopback).await.expect("the namespaces of the nodes end");
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn a_plan_with_two_nodes_of_one_address_is_refused() {
    let mut plan = pair();
    plan.nodes[1].address = address(0);
    let error = Network::build(plan).await.err().unwrap();
    assert!(matches!(error, Error::Plan { .. }), "{error}");
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn a_node_that_moves_is_reached_where_it_is_and_what_it_left_reaches_nobody() {
    let mut network = built(pair()).await;
    let (mut client, mut left) = connected(&network, 0, 1);
    let namespace = Namespace::create().unwrap();
    network.move_to(1, namespace.clone()).await.unwrap();
    network.prove().await.unwrap();
    assert_eq!(network.node(1).unwrap().inode(), namespace.inode());
    drop(connected(&network, 0, 1));
    let watch = Watch::start(&network);
    left.write_all(b"hello?").unwrap();
    client.write_all(b"still there?").unwrap();
    assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    let frames = watch.stop();
    assert!(!frames.iter().any(|frame| carries(frame, "hello?")), "{frames:?}");
    network.down().await.unwrap();
}
