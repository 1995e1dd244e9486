//! What wires carry, and what they do not carry any more.

mod common;

use std::io::{ErrorKind, Read, Write};

use common::{LIMIT, PORT, Watch, address, built, carries, connected, pair, pass, plan};
use netns::sockets::{self, TcpState};
use netns::{Direction, Error, Point, Segment, Shaping, probe_netem};
use nlink::netlink::{Connection, Route};
use std::os::fd::AsFd;

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn a_wire_carries_tcp_both_ways() {
    let network = built(pair()).await;
    let (mut client, mut server) = connected(&network, 0, 1);
    pass("question", &mut client, &mut server);
    pass("answer", &mut server, &mut client);
    network.down().await.unwrap();
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn every_segment_is_captured_as_sent_and_as_delivered() {
    let network = built(pair()).await;
    let watch = Watch::start(&network);
    let (mut client, mut server) = connected(&network, 0, 1);
    pass("question", &mut client, &mut server);
    let sent = watch.wait_for("question", 0, Point::Sent);
    let delivered = watch.wait_for("question", 1, Point::Delivered);
    watch.stop();
    assert_eq!((sent.wire, delivered.wire), (0, 0));
    assert_eq!(sent.bytes, delivered.bytes);
    assert!(sent.at_monotonic_ns <= delivered.at_monotonic_ns);
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn a_cut_is_silent_and_what_is_sent_into_it_is_still_captured() {
    let mut network = built(pair()).await;
    let (mut client, mut server) = connected(&network, 0, 1);
    network.cut(0, Direction::Both).await.unwrap();
    let watch = Watch::start(&network);
    client.write_all(b"lost").unwrap();
    watch.wait_for("lost", 0, Point::Sent);
    // The retransmission says that neither an acknowledgement nor an error came back for the first.
    watch.wait_for("lost", 0, Point::Sent);
    let rest = watch.stop();
    assert!(rest.iter().all(|frame| frame.point == Point::Sent && frame.node == 0), "{rest:?}");
    server.set_nonblocking(true).unwrap();
    assert_eq!(server.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    for node in [0, 1] {
        let sockets = sockets::tcp(network.node(node).unwrap()).await.unwrap();
        assert!(sockets.iter().any(|socket| socket.state == TcpState::Established), "{sockets:?}");
    }
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn a_mended_cut_delivers_what_was_held_back() {
    let mut network = built(pair()).await;
    let (mut client, mut server) = connected(&network, 0, 1);
    network.cut(0, Direction::Both).await.unwrap();
    client.write_all(b"late").unwrap();
    network.restore(0, Direction::Both).await.unwrap();
    let mut arrived = [0; 4];
    server.read_exact(&mut arrived).unwrap();
    assert_eq!(&arrived, b"late");
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn a_cut_of_one_way_lets_the_other_way_through() {
    let mut network = built(pair()).await;
    let (mut client, mut server) = connected(&network, 0, 1);
    network.cut(0, Direction::From(1)).await.unwrap();
    let watch = Watch::start(&network);
    pass("heard", &mut client, &mut server);
    watch.wait_for("heard", 1, Point::Delivered);
    server.write_all(b"unheard").unwrap();
    watch.wait_for("unheard", 1, Point::Sent);
    let rest = watch.stop();
    assert!(!rest.iter().any(|frame| frame.node == 0 && frame.point == Point::Delivered), "{rest:?}");
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn an_unplugged_node_has_no_carrier_and_keeps_its_routes() {
    let mut network = built(pair()).await;
    let (mut client, mut server) = connected(&network, 0, 1);
    let node = Connection::<Route>::new_in(network.node(0).unwrap().as_fd()).unwrap();
    let routes = node.get_routes().await.unwrap().len();
    network.unplug(0, 0).await.unwrap();
    let link = node.get_link_by_name("eth0").await.unwrap().unwrap();
    assert!(link.is_up() && !link.has_carrier());
    assert_eq!(node.get_routes().await.unwrap().len(), routes);
    network.prove().await.unwrap();

    let watch = Watch::start(&network);
    client.write_all(b"late").unwrap();
    network.plug(0, 0).await.unwrap();
    let mut arrived = [0; 4];
    server.read_exact(&mut arrived).unwrap();
    watch.stop();
    network.prove().await.unwrap();
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn the_capture_survives_an_unplugged_wire() {
    let mut network = built(pair()).await;
    let (mut client, mut server) = connected(&network, 0, 1);
    let watch = Watch::start(&network);
    network.unplug(0, 1).await.unwrap();
    network.plug(0, 1).await.unwrap();
    pass("after", &mut client, &mut server);
    watch.wait_for("after", 1, Point::Delivered);
    watch.stop();
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn no_frame_is_larger_than_the_mtu() {
    const SENT: usize = 400_000;
    let network = built(pair()).await;
    let watch = Watch::start(&network);
    let (mut client, mut server) = connected(&network, 0, 1);
    let writer = std::thread::spawn(move || client.write_all(&vec![7; SENT]).map(|()| client));
    server.read_exact(&mut vec![0; SENT]).unwrap();
    writer.join().unwrap().unwrap();
    let frames = watch.stop();
    let largest = frames.iter().map(|frame| frame.bytes.len()).max().unwrap();
    assert_eq!(largest, 1500 + 14);
    let delivered: usize = frames
        .iter()
        .filter(|frame| frame.point == Point::Delivered && frame.node == 1)
        .filter_map(|frame| Segment::parse(&frame.bytes).map(|segment| segment.payload.len()))
        .sum();
    assert!(delivered >= SENT, "{delivered}");
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn a_forwarding_node_joins_two_wires() {
    let mut plan = plan(3, &[[0, 1], [1, 2]]);
    plan.nodes[1].forwards = true;
    let network = built(plan).await;
    let (mut client, mut server) = connected(&network, 0, 2);
    pass("through", &mut client, &mut server);
    assert_eq!(server.peer_addr().unwrap().ip(), address(0));
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn a_node_that_does_not_forward_is_no_way() {
    let network = built(plan(3, &[[0, 1], [1, 2]])).await;
    let to = (address(2), PORT).into();
    let result = network.node(0).unwrap().run(|| std::net::TcpStream::connect_timeout(&to, LIMIT)).unwrap();
    assert_eq!(result.unwrap_err().kind(), ErrorKind::NetworkUnreachable);
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn two_networks_with_the_same_addresses_do_not_see_each_other() {
    let (one, other) = (built(pair()).await, built(pair()).await);
    let watch = Watch::start(&other);
    let (mut client, mut server) = connected(&one, 0, 1);
    let (mut other_client, mut other_server) = connected(&other, 0, 1);
    pass("one", &mut client, &mut server);
    pass("other", &mut other_client, &mut other_server);
    let frames = watch.stop();
    assert!(frames.iter().any(|frame| carries(frame, "other")));
    assert!(!frames.iter().any(|frame| carries(frame, "one")));
}

#[tokio::test]
#[cfg_attr(not(whyclosed_root), ignore = "network namespaces need root: make test-real")]
async fn shaping_delays_packets_or_says_that_the_kernel_has_no_netem() {
    let mut network = built(pair()).await;
    let delay = std::time::Duration::from_millis(30);
    let shaped = network.shape(0, Shaping { delay: Some(delay), ..Shaping::default() }).await;
    if !probe_netem().await.unwrap() {
        let error = shaped.unwrap_err();
        assert!(matches!(&error, Error::NoNetem { wire } if wire == "wire0"), "{error}");
        assert!(network.plan().wires[0].shaping.is_none());
        return;
    }
    shaped.unwrap();
    let watch = Watch::start(&network);
    let (mut client, mut server) = connected(&network, 0, 1);
    pass("slow", &mut client, &mut server);
    let sent = watch.wait_for("slow", 0, Point::Sent).at_monotonic_ns;
    let delivered = watch.wait_for("slow", 1, Point::Delivered).at_monotonic_ns;
    watch.stop();
    assert!(u128::try_from(delivered - sent).unwrap() >= delay.as_nanos());
    network.shape(0, Shaping::default()).await.unwrap();
}
