//! What the firewalls on a connection's way did with its segments.

use std::net::SocketAddrV4;

use super::model::{Connection, Seen};
use super::scene::INSTANT;
use crate::evidence::{Moment, Point};

/// A segment at a node between the endpoints.
#[derive(Clone, Debug)]
pub struct Passed {
    /// The node.
    pub node: String,
    /// Whether it came to this node or left it.
    pub point: Point,
    /// Who sent it, or in whose name it was.
    pub from: SocketAddrV4,
    /// The segment.
    pub seen: Seen,
}

/// Segments of one endpoint that reached a node on the way and went no further.
#[derive(Debug)]
pub struct Vanished<'a> {
    /// The node.
    pub node: &'a str,
    /// The node of the endpoint that sent them.
    pub sender: &'a str,
    /// How many.
    pub count: usize,
    /// When the first did.
    pub first: Moment,
}

impl Connection {
    /// What reached a node on the way and went no further, by node and sender.
    #[must_use]
    pub fn vanished(&self) -> Vec<Vanished<'_>> {
        let mut all: Vec<Vanished<'_>> = Vec::new();
        for lost in self.unmatched(Point::Delivered) {
            let sender = self.endpoints.iter().find(|endpoint| endpoint.pair.local == lost.from);
            let sender = sender.map_or("", |endpoint| endpoint.node.as_str());
            match all.iter_mut().find(|known| known.node == lost.node && known.sender == sender) {
                Some(known) => known.count += 1,
                None => all.push(Vanished { node: &lost.node, sender, count: 1, first: lost.seen.at }),
            }
        }
        all
    }

    /// What a node on the way sent by itself, in an endpoint's name.
    #[must_use]
    pub fn made_on_the_way(&self) -> Vec<&Passed> {
        self.unmatched(Point::Sent)
    }

    /// What passed a node on the way at one of these points only.
    fn unmatched(&self, point: Point) -> Vec<&Passed> {
        let mut others: Vec<&Passed> = self.passed.iter().filter(|passed| passed.point != point).collect();
        let mut alone = |passed: &&Passed| {
            let same = |other: &&Passed| {
                let (came, left) = if point == Point::Sent { (*other, *passed) } else { (*passed, *other) };
                came.node == left.node
                    && came.from == left.from
                    && came.seen.at <= left.seen.at.after(INSTANT)
                    && alike(&came.seen, &left.seen)
            };
            others.iter().position(same).map(|index| others.remove(index)).is_none()
        };
        self.passed.iter().filter(|passed| passed.point == point).filter(|passed| alone(passed)).collect()
    }
}

/// Whether two sightings can be of one segment.
fn alike(a: &Seen, b: &Seen) -> bool {
    (a.seq, a.ack, a.payload, a.window, a.flags) == (b.seq, b.ack, b.payload, b.window, b.flags)
}
