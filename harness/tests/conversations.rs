//! What programs say to each other is read from segments: the same however the bytes were cut, repeated or reordered.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use netns::{Flags, Segment};
use proptest::prelude::*;
use proptest::sample::Index;
use whyclosed::evidence::conversation::{Passed, read};
use whyclosed::evidence::{Fact, Heartbeat, Meaning, Point, ProtocolFrame, Reply};

const OPENER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 40000);
const ACCEPTOR: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 5672);
/// Sequence numbers that wrap around in the middle of every conversation.
const SYN: [u32; 2] = [u32::MAX - 100, u32::MAX - 50];
const HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";

/// A part of what one side says: which side, from which byte to which.
#[derive(Clone, Copy, Debug)]
struct Piece {
    side: usize,
    from: usize,
    to: usize,
}

/// The segments of a conversation as the opener's end of the wire shows them.
fn segments<'a>(said: [&'a [u8]; 2], pieces: &[Piece]) -> Vec<Passed<'a>> {
    let segment = |side: usize, flags: u8, position: u32, ack: u32, payload: &'a [u8]| {
        let ends = [OPENER, ACCEPTOR];
        let point = if side == 0 { Point::Sent } else { Point::Delivered };
        let segment = Segment {
            from: ends[side],
            to: ends[1 - side],
            flags: Flags(flags),
            seq: SYN[side].wrapping_add(position),
            ack: SYN[1 - side].wrapping_add(ack),
            window: 500,
            payload,
            frame_len: 54 + payload.len(),
        };
        Passed { at_ns: 0, wire: "cable", node: "client", point, segment }
    };
    let mut passed = vec![segment(0, 0x02, 0, 0, &[]), segment(1, 0x12, 0, 1, &[])];
    for piece in pieces {
        let position = u32::try_from(piece.from).expect("short") + 1;
        passed.push(segment(piece.side, 0x10, position, 1, &said[piece.side][piece.from..piece.to]));
    }
    passed.into_iter().zip(0..).map(|(passed, at_ns)| Passed { at_ns, ..passed }).collect()
}

/// All that one side says in one piece after the other.
fn whole(said: [&[u8]; 2]) -> Vec<Piece> {
    (0..2).map(|side| Piece { side, from: 0, to: said[side].len() }).filter(|piece| piece.to > 0).collect()
}

fn facts(said: [&[u8]; 2], pieces: &[Piece]) -> Vec<Fact> {
    read(segments(said, pieces)).into_iter().map(|(_, fact)| fact).collect()
}

fn frames(facts: &[Fact]) -> Vec<&ProtocolFrame> {
    facts.iter().filter_map(|fact| if let Fact::ProtocolFrame(frame) = fact { Some(frame) } else { None }).collect()
}

/// What does not depend on which segment completed a frame: the order of what means something on each side, and by name how many
/// frames there were and how long.
type Content = (Vec<(SocketAddrV4, String)>, BTreeMap<(SocketAddrV4, String, Option<u16>), (u32, u64)>);

fn content(facts: &[Fact]) -> Content {
    let frames = frames(facts);
    let mut order: Vec<_> =
        frames.iter().filter(|frame| frame.means.is_some()).map(|frame| (frame.from, frame.name.clone())).collect();
    order.sort_by_key(|(from, _)| *from);
    let mut counts = BTreeMap::new();
    for frame in frames {
        let (count, bytes) = counts.entry((frame.from, frame.name.clone(), frame.channel)).or_insert((0, 0));
        *count += frame.count;
        *bytes += frame.bytes;
    }
    (order, counts)
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short");
    let mut bytes = vec![kind];
    bytes.extend(channel.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend(payload);
    bytes.push(0xCE);
    bytes
}

fn method(class: u16, method: u16, arguments: &[u8]) -> Vec<u8> {
    let ids = [class.to_be_bytes(), method.to_be_bytes()].concat();
    frame(1, 0, &[&ids, arguments].concat())
}

fn tune(id: u16, heartbeat_s: u16) -> Vec<u8> {
    method(10, id, &[&2047_u16.to_be_bytes()[..], &131_072_u32.to_be_bytes(), &heartbeat_s.to_be_bytes()].concat())
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let content = proptest::collection::vec(any::<u8>(), 0..60);
    let ids = prop::sample::select(vec![(10, 11), (10, 41), (10, 50), (10, 51), (60, 40), (20, 10), (7, 7)]);
    prop_oneof![
        (ids, content.clone()).prop_map(|((class, id), arguments)| method(class, id, &arguments)),
        (2_u8..=3, 1_u16..3, content).prop_map(|(kind, channel, payload)| frame(kind, channel, &payload)),
        Just(frame(8, 0, &[])),
        (0_u16..90).prop_map(|heartbeat_s| tune(31, heartbeat_s)),
    ]
}

fn any_side() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any_frame(), 0..12).prop_map(|frames| frames.concat())
}

/// Pieces that cover all that was said, in any order, some of them overlapping and some twice.
fn any_way(said: [&[u8]; 2], cuts: &[Index], repeated: &[(Index, Index)], order: &[Index]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (side, said) in said.iter().enumerate().filter(|(_, said)| !said.is_empty()) {
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(said.len())).chain([0, said.len()]).collect();
        at.sort_unstable();
        at.dedup();
        pieces.extend(at.windows(2).map(|ends| Piece { side, from: ends[0], to: ends[1] }));
        pieces.extend(repeated.iter().map(|(from, to)| {
            let (from, to) = (from.index(said.len()), to.index(said.len()));
            Piece { side, from: from.min(to), to: from.max(to) }
        }));
    }
    for (at, other) in order.iter().enumerate().take(pieces.len()) {
        let other = other.index(pieces.len());
        pieces.swap(at, other);
    }
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_way_of_the_bytes_over_the_wire_gives_the_same_frames(
        opener in any_side(), acceptor in any_side(),
        cuts in proptest::collection::vec(any::<Index>(), 0..20),
        repeated in proptest::collection::vec(any::<(Index, Index)>(), 0..5),
        order in proptest::collection::vec(any::<Index>(), 0..40),
    ) {
        let opener = [HEADER, &opener].concat();
        let said = [&opener[..], &acceptor];
        let straight = facts(said, &whole(said));
        let other_way = facts(said, &any_way(said, &cuts, &repeated, &order));
        prop_assert!(!frames(&straight).is_empty());
        prop_assert_eq!(content(&straight), content(&other_way));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        header in any::<bool>(),
        opener in proptest::collection::vec(any::<u8>(), 0..400), acceptor in proptest::collection::vec(any::<u8>(), 0..400),
        cuts in proptest::collection::vec(any::<Index>(), 0..10),
    ) {
        let opener = if header { [HEADER, &opener].concat() } else { opener };
        let said = [&opener[..], &acceptor];
        let _ = facts(said, &any_way(said, &cuts, &[], &[]));
    }

    #[test]
    fn no_change_of_a_good_conversation_makes_the_reader_panic(
        opener in any_side(), at in any::<Index>(), instead in any::<u8>(), length in any::<Index>(),
    ) {
        let mut opener = [HEADER, &opener].concat();
        let at = at.index(opener.len());
        opener[at] = instead;
        opener.truncate(length.index(opener.len()) + 1);
        let said = [&opener[..], &[]];
        let _ = facts(said, &whole(said));
    }
}

#[test]
fn the_heartbeat_in_force_is_what_the_client_answered() {
    let opener = [HEADER, &tune(31, 20)].concat();
    let acceptor = tune(30, 60);
    // The broker speaks between the client's two words.
    let pieces = [
        Piece { side: 0, from: 0, to: HEADER.len() },
        Piece { side: 1, from: 0, to: acceptor.len() },
        Piece { side: 0, from: HEADER.len(), to: opener.len() },
    ];
    let facts = facts([&opener, &acceptor], &pieces);
    let agreed = facts.iter().find_map(|fact| match fact {
        Fact::ProtocolSettings(settings) => Some((settings.pair.local, settings.heartbeat)),
        _ => None,
    });
    assert_eq!(agreed, Some((OPENER, Heartbeat { offered_s: 60, in_force_s: 20 })));
}

#[test]
fn a_close_tells_its_reason() {
    let text = b"CONNECTION_FORCED";
    let length = [u8::try_from(text.len()).expect("short")];
    let arguments = [&320_u16.to_be_bytes()[..], &length, text, &60_u16.to_be_bytes(), &40_u16.to_be_bytes()].concat();
    let acceptor = method(10, 50, &arguments);
    let facts = facts([HEADER, &acceptor], &whole([HEADER, &acceptor]));
    let close = frames(&facts).into_iter().find(|frame| frame.means == Some(Meaning::Closes)).expect("it closes");
    let reply = Reply { code: 320, text: "CONNECTION_FORCED".into(), class: 60, method: 40 };
    assert_eq!((close.name.as_str(), close.reply.as_ref()), ("connection.close", Some(&reply)));
}

#[test]
fn each_side_is_known_by_the_product_that_it_names() {
    let table = |product: &[u8]| {
        let mut fields = b"\x0ccapabilitiesF\x00\x00\x00\x06\x03ackt\x01\x07productS".to_vec();
        fields.extend(u32::try_from(product.len()).expect("short").to_be_bytes());
        fields.extend(product);
        [&u32::try_from(fields.len()).expect("short").to_be_bytes()[..], &fields].concat()
    };
    let opener = [HEADER, &method(10, 11, &table(b"lapin")), &tune(31, 4)].concat();
    let acceptor = method(10, 10, &[&[0, 9][..], &table(b"RabbitMQ")].concat());
    let facts = facts([&opener, &acceptor], &whole([&opener, &acceptor]));
    let software = facts.iter().find_map(|fact| match fact {
        Fact::ProtocolSettings(settings) => settings.software.clone(),
        _ => None,
    });
    assert_eq!(software.as_deref(), Some("lapin"));
}

#[test]
fn many_small_frames_of_one_segment_are_one_fact() {
    let publishes: Vec<u8> = std::iter::repeat_n(method(60, 40, b"ab"), 50).flatten().collect();
    let opener = [HEADER, &publishes].concat();
    let facts = facts([&opener, &[]], &whole([&opener, &[]]));
    let counts: Vec<_> = frames(&facts).into_iter().map(|frame| (frame.name.as_str(), frame.count)).collect();
    assert_eq!(counts, [("protocol-header", 1), ("basic.publish", 50)]);
}

#[test]
fn what_is_not_amqp_gives_no_fact() {
    for opening in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"AMQP\x03\x01\x00\x00", b"AM"] {
        assert_eq!(facts([opening, b"hello"], &whole([opening, b"hello"])), []);
    }
}

#[test]
fn bytes_that_are_no_frame_end_the_reading_of_their_direction_and_say_so() {
    let (mut without_end, mut of_no_type) = (frame(8, 0, &[]), frame(8, 0, &[]));
    without_end[7] = 0;
    of_no_type[0] = 9;
    for nonsense in [without_end, of_no_type] {
        let opener = [HEADER, &frame(8, 0, &[]), &nonsense, &frame(8, 0, &[])].concat();
        let acceptor = frame(8, 0, &[]);
        let facts = facts([&opener, &acceptor], &whole([&opener, &acceptor]));
        let names: Vec<_> = frames(&facts).into_iter().map(|frame| (frame.from, frame.name.as_str())).collect();
        assert_eq!(names, [(OPENER, "protocol-header"), (OPENER, "heartbeat"), (ACCEPTOR, "heartbeat")]);
        let unread = facts.iter().filter(|fact| matches!(fact, Fact::ProtocolUnread(unread) if unread.from == OPENER));
        assert_eq!(unread.count(), 1);
    }
}

#[test]
fn a_segment_that_was_received_and_not_seen_makes_its_direction_unread() {
    let opener = [HEADER, &frame(8, 0, &[]), &frame(8, 0, &[])].concat();
    let pieces = [Piece { side: 0, from: 0, to: HEADER.len() }, Piece { side: 0, from: 16, to: 24 }];
    let mut passed = segments([&opener, &[]], &pieces);
    let heard = segments([&[], b""], &[Piece { side: 1, from: 0, to: 0 }]).pop().map(|mut answer| {
        answer.segment.ack = SYN[0].wrapping_add(25);
        answer
    });
    passed.extend(heard);
    let facts: Vec<Fact> = read(passed).into_iter().map(|(_, fact)| fact).collect();
    assert!(
        facts.iter().any(|fact| matches!(fact, Fact::ProtocolUnread(unread) if unread.from == OPENER)),
        "{facts:?}"
    );
}

#[test]
fn a_segment_that_was_lost_on_the_wire_leaves_what_came_before_it_read() {
    let opener = [HEADER, &frame(8, 0, &[]), &frame(8, 0, &[])].concat();
    let pieces = [Piece { side: 0, from: 0, to: HEADER.len() }, Piece { side: 0, from: 16, to: 24 }];
    let facts = facts([&opener, &[]], &pieces);
    assert_eq!(facts.len(), 1, "{facts:?}");
}

#[test]
fn more_than_a_receiver_would_take_ahead_of_a_missing_segment_is_not_kept() {
    let megabytes = vec![0; 9 << 20];
    let opener = [HEADER, &frame(3, 1, &megabytes)].concat();
    let segments_of = |from: usize, to: usize| (from..to).step_by(1448).map(move |from| (from, (from + 1448).min(to)));
    let pieces: Vec<_> = std::iter::once((0, 8))
        .chain(segments_of(1456, opener.len()))
        .chain(std::iter::once((8, 1456)))
        .map(|(from, to)| Piece { side: 0, from, to })
        .collect();
    let facts = facts([&opener, &[]], &pieces);
    assert!(facts.iter().any(|fact| matches!(fact, Fact::ProtocolUnread(_))), "{facts:?}");
    assert!(!frames(&facts).iter().any(|frame| frame.name == "content-body"));
}
