//! What the tests share: small networks, connections in them, and what was captured of those.

#![allow(dead_code, reason = "each test file uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use netns::{Capture, Frame, Namespace, Network, NetworkPlan, NodePlan, Point, Segment, Shaping, WirePlan};
use nlink::netlink::{Connection, Route};

/// Longer than anything here takes: a test that waits this long has failed.
pub const LIMIT: Duration = Duration::from_secs(20);
/// The port of every server.
pub const PORT: u16 = 5672;

/// The address of the node with this index.
pub fn address(node: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, u8::try_from(node).unwrap() + 1)
}

/// Nodes `n0`, `n1` … and wires between them.
pub fn plan(nodes: usize, wires: &[[usize; 2]]) -> NetworkPlan {
    let node = |index| NodePlan {
        name: format!("n{index}"),
        address: address(index),
        sysctls: Vec::new(),
        forwards: false,
        firewall: None,
    };
    let wire = |(index, &ends): (usize, &[usize; 2])| WirePlan {
        name: format!("wire{index}"),
        ends,
        mtu: 1500,
        arp: false,
        shaping: Shaping::default(),
    };
    NetworkPlan { nodes: (0..nodes).map(node).collect(), wires: wires.iter().enumerate().map(wire).collect() }
}

/// A client (0) and a server (1) on one wire.
pub fn pair() -> NetworkPlan {
    plan(2, &[[0, 1]])
}

/// The network, or the test fails with the one line that says why it cannot be built.
pub async fn built(plan: NetworkPlan) -> Network {
    Network::build(plan).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Both ends of a new TCP connection: the client's on node `from`, the server's on node `to`.
pub fn connected(network: &Network, from: usize, to: usize) -> (TcpStream, TcpStream) {
    let at = SocketAddrV4::new(address(to), PORT);
    let listener = network.node(to).unwrap().run(|| TcpListener::bind(at)).unwrap().unwrap();
    let client = network.node(from).unwrap().run(|| TcpStream::connect_timeout(&at.into(), LIMIT)).unwrap().unwrap();
    let (server, _) = listener.accept().unwrap();
    for stream in [&client, &server] {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_nodelay(true).unwrap();
    }
    (client, server)
}

/// Sends text and waits until it has arrived.
pub fn pass(text: &str, from: &mut TcpStream, to: &mut TcpStream) {
    from.write_all(text.as_bytes()).unwrap();
    let mut arrived = vec![0; text.len()];
    to.read_exact(&mut arrived).unwrap();
    assert_eq!(arrived, text.as_bytes());
}

/// A capture and the frames it hands on.
pub struct Watch {
    capture: Capture,
    frames: Receiver<Frame>,
}

impl Watch {
    pub fn start(network: &Network) -> Self {
        let (sender, frames) = mpsc::channel();
        let sink = move |frame| drop(sender.send(frame));
        Self { capture: Capture::open(network, sink).unwrap_or_else(|error| panic!("{error}")), frames }
    }

    /// Waits for a frame that carries `text`, seen at `node` and `point`.
    pub fn wait_for(&self, text: &str, node: usize, point: Point) -> Frame {
        loop {
            let frame = self.frames.recv_timeout(LIMIT).expect("the awaited frame passes");
            if frame.node == node && frame.point == point && carries(&frame, text) {
                return frame;
            }
        }
    }

    /// All frames since the last that was waited for. None may have been missed.
    pub fn stop(self) -> Vec<Frame> {
        let end = self.capture.stop().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(end.dropped, 0, "frames that the capture missed");
        self.frames.try_iter().collect()
    }
}

/// Whether a frame's payload is `text`.
pub fn carries(frame: &Frame, text: &str) -> bool {
    Segment::parse(&frame.bytes).is_some_and(|segment| segment.payload == text.as_bytes())
}

/// The MAC address and the IPv4 addresses of `eth0`.
pub async fn interface(namespace: &Namespace) -> (Vec<u8>, Vec<IpAddr>) {
    let connection = Connection::<Route>::new_in(namespace.as_fd()).unwrap();
    let link = connection.get_link_by_name("eth0").await.unwrap().unwrap();
    let addresses = connection.get_addresses_by_name("eth0").await.unwrap();
    let addresses = addresses.iter().filter_map(|address| address.address().copied()).collect();
    (link.address().unwrap().to_vec(), addresses)
}
