//! MQTT 3.1, 3.1.1 and 5 (section numbers are those of the 5 specification, mqtt-v5.0; 3.1.1 has the same chapters).
//!
//! Our own reader and not rumqttc's: of all packets only the type and the length are needed, and a few fields of the three that
//! open and close. So messages need not be kept, memory has a bound, and what a library would refuse as a whole is still a packet
//! with a name and a length.

use super::{Frame, Protocol, Reader, Said, Side};
use crate::evidence::{Heartbeat, Meaning, Reply};

/// How much of a packet is kept, of those that are looked into: CONNACK's properties can be long, and seldom are.
const KEPT: usize = 16 << 10;
/// The most bytes that a length takes (2.1.4).
const LENGTH: usize = 4;
/// Packet types (2.1.2).
const CONNECT: u8 = 1;
const CONNACK: u8 = 2;
const DISCONNECT: u8 = 14;
/// DISCONNECT's reason code when the broker has not heard from the client for too long (3.14.2.1).
const KEEP_ALIVE_TIMEOUT: u8 = 0x8D;
/// CONNACK's property Server Keep Alive (3.2.2.3.14).
const SERVER_KEEP_ALIVE: u8 = 0x13;

/// The packets, by type (2.1.2).
const NAMES: [&str; 16] = [
    "reserved",
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "AUTH",
];

/// The protocol.
#[derive(Debug)]
pub struct Mqtt;

impl Protocol for Mqtt {
    fn name(&self) -> &'static str {
        "mqtt"
    }

    fn recognises(&self, opening: &[u8]) -> Option<bool> {
        let (first, rest) = opening.split_first()?;
        if *first != CONNECT << 4 {
            return Some(false);
        }
        let body = match Fields(rest).length() {
            Some((_, body)) => body,
            None if rest.len() >= LENGTH => return Some(false),
            None => return None,
        };
        // 3.1.2.1, 3.1.2.2; "MQIsdp" is that of 3.1.
        let names: [&[u8]; 3] = [b"\x00\x04MQTT\x04", b"\x00\x04MQTT\x05", b"\x00\x06MQIsdp\x03"];
        if names.iter().any(|name| body.0.starts_with(name)) {
            return Some(true);
        }
        if names.iter().any(|name| name.starts_with(body.0)) { None } else { Some(false) }
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Conversation::default())
    }
}

#[derive(Default)]
struct Conversation {
    directions: [Direction; 2],
    /// Of the last CONNECT.
    version: u8,
    keep_alive_s: u16,
}

impl Reader for Conversation {
    fn read(&mut self, from: Side, mut bytes: &[u8], said: &mut Vec<Said>) -> Result<(), String> {
        let side = usize::from(from == Side::Acceptor);
        while let Some(raw) = self.directions[side].next(&mut bytes)? {
            self.understand(side, &raw, said);
        }
        Ok(())
    }
}

impl Conversation {
    fn understand(&mut self, side: usize, raw: &Raw, said: &mut Vec<Said>) {
        let mut frame = Frame { name: raw.name().into(), channel: None, bytes: raw.bytes, means: None, reply: None };
        let fields = Fields(&raw.kept);
        let mut agreed = None;
        match raw.kind {
            CONNECT if side == 0 => {
                frame.means = Some(Meaning::Opens);
                (self.version, self.keep_alive_s) = fields.connect().unwrap_or_default();
            }
            CONNACK if side == 1 => match fields.skip(1).and_then(Fields::u8) {
                Some(0) => {
                    frame.means = Some(Meaning::Opened);
                    let wanted = fields.skip(2).filter(|_| self.version >= 5).and_then(Fields::server_keep_alive);
                    let in_force_s = wanted.unwrap_or(self.keep_alive_s);
                    let heartbeat = Heartbeat { offered_s: self.keep_alive_s, in_force_s };
                    agreed = Some(Said::Agreed { software: [None, None], heartbeat });
                }
                Some(code) => {
                    frame.means = Some(Meaning::Closes);
                    frame.reply = Some(reply(code));
                }
                None => {}
            },
            // Pings: 3.12, 3.13.
            12 | 13 => frame.means = Some(Meaning::Heartbeat),
            DISCONNECT => match fields.u8() {
                // It names a timer: what ends the connection is that timer.
                Some(code) if code == KEEP_ALIVE_TIMEOUT => frame.reply = Some(reply(code)),
                code => {
                    frame.means = Some(Meaning::Closes);
                    frame.reply = code.filter(|code| *code != 0).map(reply);
                }
            },
            _ => {}
        }
        said.push(Said::Frame(frame));
        said.extend(agreed);
    }
}

/// A return code (3.1.1, 3.2.2.3) or a reason code (2.4), as far as it has to do with a connection's end.
fn reply(code: u8) -> Reply {
    let text = match code {
        0x01 => "unacceptable protocol version",
        0x02 => "identifier rejected",
        0x03 => "server unavailable",
        0x04 => "disconnect with will message, or bad user name or password",
        0x05 => "not authorized",
        0x81 => "malformed packet",
        0x82 => "protocol error",
        0x84 => "unsupported protocol version",
        0x85 => "client identifier not valid",
        0x87 => "not authorized",
        0x88 => "server unavailable",
        0x89 => "server busy",
        0x8B => "server shutting down",
        KEEP_ALIVE_TIMEOUT => "keep alive timeout",
        0x8E => "session taken over",
        0x95 => "packet too large",
        0x98 => "administrative action",
        _ => "another reason",
    };
    Reply { code: code.into(), text: text.into(), class: 0, method: 0 }
}

/// A whole packet: of its body no more than is looked into.
#[derive(Debug)]
struct Raw {
    kind: u8,
    bytes: u64,
    kept: Vec<u8>,
}

impl Raw {
    fn name(&self) -> &'static str {
        NAMES.get(usize::from(self.kind)).copied().unwrap_or_default()
    }

    fn is_looked_into(&self) -> bool {
        matches!(self.kind, CONNECT | CONNACK | DISCONNECT)
    }
}

/// One direction: where in a packet it stands.
#[derive(Default)]
struct Direction {
    /// Of the fixed header (2.1.1), what has come so far.
    head: Vec<u8>,
    /// The packet whose body is being read, and how much of that is missing.
    body: Option<(Raw, u64)>,
}

impl Direction {
    /// The next packet that `bytes` complete; what was used is taken off them.
    fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Raw>, String> {
        if self.body.is_none() && !self.begin(bytes)? {
            return Ok(None);
        }
        let Some((raw, missing)) = &mut self.body else { return Ok(None) };
        let here = usize::try_from(*missing).unwrap_or(usize::MAX).min(bytes.len());
        let (mine, rest) = bytes.split_at(here);
        *bytes = rest;
        *missing -= u64::try_from(here).unwrap_or(0);
        if raw.is_looked_into() {
            let room = KEPT.saturating_sub(raw.kept.len());
            raw.kept.extend(mine.iter().take(room));
        }
        if *missing > 0 {
            return Ok(None);
        }
        Ok(self.body.take().map(|(raw, _)| raw))
    }

    /// Reads the fixed header; says whether it is complete.
    fn begin(&mut self, bytes: &mut &[u8]) -> Result<bool, String> {
        while let Some((first, rest)) = bytes.split_first() {
            *bytes = rest;
            self.head.push(*first);
            let kind = self.head[0] >> 4;
            if kind == 0 {
                return Err("0 is no type of MQTT's packets".into());
            }
            if let Some((length, _)) = Fields(&self.head[1..]).length() {
                let bytes = u64::from(length) + self.head.len() as u64;
                self.head.clear();
                self.body = Some((Raw { kind, bytes, kept: Vec::new() }, length.into()));
                return Ok(true);
            }
            if self.head.len() > LENGTH {
                return Err("a packet's length has more than four bytes".into());
            }
        }
        Ok(false)
    }
}

/// Fields in the order in which they stand (1.5); nothing is read beyond their end.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn skip(self, bytes: usize) -> Option<Fields<'a>> {
        self.0.get(bytes..).map(Fields)
    }

    fn u8(self) -> Option<u8> {
        self.0.first().copied()
    }

    fn u16(self) -> Option<u16> {
        self.0.first_chunk().copied().map(u16::from_be_bytes)
    }

    /// A variable byte integer (1.5.5), and what follows.
    fn length(self) -> Option<(u32, Fields<'a>)> {
        let bytes = self.0.iter().take(LENGTH).position(|byte| byte & 0x80 == 0)? + 1;
        let value = self.0[..bytes].iter().rev().fold(0, |value, byte| (value << 7) | u32::from(byte & 0x7F));
        Some((value, self.skip(bytes)?))
    }

    /// Of CONNECT (3.1.2): the version and the keep-alive.
    fn connect(self) -> Option<(u8, u16)> {
        let rest = self.skip(2 + usize::from(self.u16()?))?;
        Some((rest.u8()?, rest.skip(2)?.u16()?))
    }

    /// Server Keep Alive among properties (2.2.2), which begin with their length.
    fn server_keep_alive(self) -> Option<u16> {
        let (length, rest) = self.length()?;
        let mut properties = Fields(rest.0.get(..usize::try_from(length).ok()?).unwrap_or(rest.0));
        loop {
            let (kind, value) = (properties.u8()?, properties.skip(1)?);
            let text = |value: Fields<'_>| Some(2 + usize::from(value.u16()?));
            let length = match kind {
                SERVER_KEEP_ALIVE => return value.u16(),
                0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28..=0x2A => 1,
                0x21..=0x23 => 2,
                0x02 | 0x11 | 0x18 | 0x27 => 4,
                0x0B => value.0.len() - value.length()?.1.0.len(),
                0x03 | 0x08 | 0x09 | 0x12 | 0x15 | 0x16 | 0x1A | 0x1C | 0x1F => text(value)?,
                0x26 => {
                    let name = text(value)?;
                    name + text(value.skip(name)?)?
                }
                _ => return None,
            };
            properties = value.skip(length)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;
    use proptest::sample::Index;
    use rumqttc::v5::mqttbytes::v5 as five;
    use rumqttc::{ConnAck, Connect, ConnectReturnCode, Packet, Publish, QoS};

    use super::*;

    /// What one side says: rumqttc writes it.
    fn written(packets: &[Packet]) -> Vec<u8> {
        let mut bytes = BytesMut::new();
        for packet in packets {
            packet.write(&mut bytes, usize::MAX).unwrap();
        }
        bytes.to_vec()
    }

    fn opening(keep_alive: u16) -> Packet {
        let mut connect = Connect::new("orders-1");
        connect.keep_alive = keep_alive;
        Packet::Connect(connect)
    }

    fn written_in_five(packet: &five::Packet) -> Vec<u8> {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, None).unwrap();
        bytes.to_vec()
    }

    /// Both sides' bytes, in pieces of these lengths.
    fn read(opener: &[u8], acceptor: &[u8], pieces: &[usize]) -> Result<Vec<Said>, String> {
        let mut reader = Mqtt.reader();
        let mut said = Vec::new();
        for (side, mut bytes) in [(Side::Opener, opener), (Side::Acceptor, acceptor)] {
            let mut lengths = pieces.iter().cycle();
            while !bytes.is_empty() {
                let length = lengths.next().copied().unwrap_or(bytes.len()).clamp(1, bytes.len());
                let (piece, rest) = bytes.split_at(length);
                reader.read(side, piece, &mut said)?;
                bytes = rest;
            }
        }
        Ok(said)
    }

    fn names(said: &[Said]) -> Vec<String> {
        said.iter()
            .filter_map(|said| if let Said::Frame(frame) = said { Some(frame.name.to_string()) } else { None })
            .collect()
    }

    fn agreed(said: &[Said]) -> Option<Heartbeat> {
        said.iter().find_map(|said| if let Said::Agreed { heartbeat, .. } = said { Some(*heartbeat) } else { None })
    }

    #[test]
    fn a_servers_own_keep_alive_is_the_one_in_force() {
        let connect =
            five::Connect { keep_alive: 600, client_id: "orders-1".into(), clean_start: true, properties: None };
        let opener = written_in_five(&five::Packet::Connect(connect, None, None));
        let properties = five::ConnAckProperties {
            session_expiry_interval: Some(600),
            receive_max: Some(20),
            max_qos: Some(1),
            retain_available: Some(1),
            max_packet_size: None,
            assigned_client_identifier: Some("orders-1".into()),
            topic_alias_max: Some(10),
            reason_string: Some("as you like".into()),
            user_properties: vec![("a".into(), "b".into())],
            wildcard_subscription_available: None,
            subscription_identifiers_available: None,
            shared_subscription_available: None,
            server_keep_alive: Some(60),
            response_information: None,
            server_reference: None,
            authentication_method: None,
            authentication_data: None,
        };
        let code = five::ConnectReturnCode::Success;
        let answer = five::ConnAck { session_present: false, code, properties: Some(properties) };
        let acceptor = written_in_five(&five::Packet::ConnAck(answer));
        let said = read(&opener, &acceptor, &[]).unwrap();
        assert_eq!(agreed(&said), Some(Heartbeat { offered_s: 600, in_force_s: 60 }));
    }

    #[test]
    fn a_broker_that_refuses_closes_what_never_stood() {
        let refused = ConnAck { session_present: false, code: ConnectReturnCode::NotAuthorized };
        let said = read(&written(&[opening(60)]), &written(&[Packet::ConnAck(refused)]), &[]).unwrap();
        assert_eq!(agreed(&said), None);
        let Some(Said::Frame(last)) = said.last() else { panic!("{said:?}") };
        assert_eq!((last.means, last.reply.as_ref().map(|reply| reply.code)), (Some(Meaning::Closes), Some(5)));
    }

    #[test]
    fn a_disconnect_that_names_the_keep_alive_closes_nothing_by_itself() {
        for (code, means) in [(0x8D, None), (0x8B, Some(Meaning::Closes)), (0, Some(Meaning::Closes))] {
            let said = read(&[], &[DISCONNECT << 4, 1, code], &[]).unwrap();
            let [Said::Frame(frame)] = &said[..] else { panic!("{said:?}") };
            assert_eq!(frame.means, means, "{code:#x}");
        }
    }

    fn any_packet() -> impl Strategy<Value = Packet> {
        let publish = (0..2000_usize).prop_map(|length| {
            let mut publish = Publish::new("orders", QoS::AtLeastOnce, vec![b'.'; length]);
            publish.pkid = 1;
            Packet::Publish(publish)
        });
        prop_oneof![Just(Packet::PingReq), Just(Packet::PingResp), Just(Packet::Disconnect), publish]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn packets_of_the_library_are_read_however_they_are_cut(
            keep_alive in any::<u16>(), then in proptest::collection::vec(any_packet(), 0..8),
            pieces in proptest::collection::vec(1..400_usize, 0..10),
        ) {
            let opener = written(&[&[opening(keep_alive)], &then[..]].concat());
            let answer = ConnAck { session_present: false, code: ConnectReturnCode::Success };
            let acceptor = written(&[Packet::ConnAck(answer)]);
            let said = read(&opener, &acceptor, &pieces).unwrap();
            let name = |packet: &Packet| match packet {
                Packet::PingReq => "PINGREQ",
                Packet::PingResp => "PINGRESP",
                Packet::Disconnect => "DISCONNECT",
                _ => "PUBLISH",
            };
            let expected: Vec<_> = ["CONNECT"].into_iter().chain(then.iter().map(name)).chain(["CONNACK"]).collect();
            prop_assert_eq!(names(&said), expected);
            prop_assert_eq!(agreed(&said), Some(Heartbeat { offered_s: keep_alive, in_force_s: keep_alive }));
            let bytes: u64 = said.iter().map(|said| if let Said::Frame(frame) = said { frame.bytes } else { 0 }).sum();
            prop_assert_eq!(bytes, (opener.len() + acceptor.len()) as u64);
        }

        #[test]
        fn a_connect_is_recognised_as_soon_as_it_can_be(keep_alive in any::<u16>(), length in any::<Index>()) {
            let opener = written(&[opening(keep_alive)]);
            let some = &opener[..length.index(opener.len())];
            prop_assert_eq!(Mqtt.recognises(some), if some.len() < 9 { None } else { Some(true) });
            prop_assert_eq!(Mqtt.recognises(&opener), Some(true));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(
            opener in proptest::collection::vec(any::<u8>(), 0..400), acceptor in proptest::collection::vec(any::<u8>(), 0..400),
            at in any::<Index>(), pieces in proptest::collection::vec(1..40_usize, 0..10),
        ) {
            let _ = read(&opener, &acceptor, &pieces);
            let _ = Mqtt.recognises(&opener);
            let mut changed = written(&[opening(60), Packet::PingReq]);
            let at = at.index(changed.len());
            changed[at] = opener.first().copied().unwrap_or(0xFF);
            let _ = read(&changed, &acceptor, &pieces);
            let _ = Mqtt.recognises(&changed);
        }
    }
}
