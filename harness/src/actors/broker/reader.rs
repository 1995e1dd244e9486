//! The connection's own protocol, from the first octet to the last: rabbit_reader.erl as a machine without socket.
//!
//! Octets go in, octets and an end come out. It knows time only to say when what it waits for is over.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use amq_protocol::frame::{AMQPFrame, ProtocolVersion};
use amq_protocol::protocol::{AMQPClass, AMQPErrorKind, AMQPHardError, connection, constants};
use amq_protocol::types::parsing::parse_field_table;
use amq_protocol::types::{AMQPValue, FieldTable};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;

use super::exception::Exception;
use super::frames::{Decoder, Greeting, encode, encode_content};
use super::log::{Level, Log};
use super::store::{Outgoing, Place, Store};

/// What RabbitMQ proposes (its defaults `channel_max` and `frame_max`).
const CHANNEL_MAX: u16 = 2047;
const FRAME_MAX: u32 = 131_072;
/// A closed connection waits so long for its client to close too (`CLOSING_TIMEOUT`),
const CLOSING: Duration = Duration::from_secs(30);
/// and one that is not trusted is kept waiting so long (`SILENT_CLOSE_DELAY`).
const SILENT: Duration = Duration::from_secs(3);

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub struct End {
    /// In a word, as [`crate::evidence::Report::Closed`] has it.
    pub why: &'static str,
    /// In RabbitMQ's words.
    pub line: Option<(Level, String)>,
}

/// How far a connection has come.
#[derive(Debug)]
enum Phase {
    /// The protocol header is awaited.
    Greeting,
    /// connection.start-ok.
    Starting,
    /// connection.tune-ok.
    Tuning,
    /// connection.open.
    Opening,
    /// Everything goes.
    Running,
    /// Both sides know that it is over, or will by then at the latest.
    Closed(Instant),
    /// Nothing is read any more, and then it ends.
    Silent(Instant, Option<End>),
}

impl Phase {
    /// As RabbitMQ's log names what was being waited for (`callback`).
    fn callback(&self) -> &'static str {
        if matches!(self, Self::Greeting) { "handshake" } else { "frame_header" }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Greeting => "pre_init",
            Self::Starting => "starting",
            Self::Tuning => "tuning",
            Self::Opening => "opening",
            Self::Running => "running",
            Self::Closed(_) | Self::Silent(..) => "closed",
        }
    }
}

/// One connection.
#[derive(Debug)]
pub struct Reader {
    number: u64,
    store: Arc<Mutex<Store>>,
    /// What it says to its log.
    pub log: Log,
    phase: Phase,
    decoder: Decoder,
    /// Octets to be written.
    pub out: Vec<u8>,
    /// What its channels are to say.
    pub outbox: UnboundedReceiver<Outgoing>,
    /// What is proposed, seconds.
    proposed_s: u16,
    /// What was agreed on, seconds.
    heartbeat_s: Option<u16>,
    frame_max: u32,
    channel_max: u16,
    user: String,
    cancel_notify: bool,
}

impl Reader {
    /// A connection that was just accepted.
    pub fn new(number: u64, store: Arc<Mutex<Store>>, log: Log, heartbeat_s: u16) -> Self {
        Self {
            number,
            store,
            log,
            phase: Phase::Greeting,
            decoder: Decoder::default(),
            out: Vec::new(),
            outbox: unbounded_channel().1,
            proposed_s: heartbeat_s,
            heartbeat_s: None,
            frame_max: constants::FRAME_MIN_SIZE,
            channel_max: 0,
            user: String::new(),
            cancel_notify: false,
        }
    }

    /// The heartbeat, seconds, as soon as it is agreed on.
    pub fn heartbeat_s(&self) -> Option<u16> {
        self.heartbeat_s
    }

    /// Whether connection.open-ok has been said.
    pub fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running)
    }

    /// Whether the handshake can still be too slow.
    pub fn is_shaking_hands(&self) -> bool {
        matches!(self.phase, Phase::Greeting | Phase::Starting | Phase::Tuning | Phase::Opening)
    }

    /// Whether input is wanted.
    pub fn reads(&self) -> bool {
        !matches!(self.phase, Phase::Silent(..))
    }

    /// When [`Reader::expired`] is to be called.
    pub fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Closed(at) | Phase::Silent(at, _) => Some(at),
            _ => None,
        }
    }

    /// The deadline has passed.
    pub fn expired(&mut self) -> End {
        match &mut self.phase {
            Phase::Silent(_, end) => end.take().unwrap_or_else(|| self.clean()),
            _ => self.clean(),
        }
    }

    /// The handshake took too long (`handshake_timeout`).
    pub fn too_slow(&self) -> End {
        let line = self.log.closing(&format!("{{handshake_timeout,{}}}", self.phase.callback()));
        End { why: "handshake-timeout", line: Some((Level::Error, line)) }
    }

    /// Nothing came for too long; a connection that is closed already does not care (`heartbeat_timeout`).
    pub fn missed(&self) -> Option<End> {
        if matches!(self.phase, Phase::Closed(_) | Phase::Silent(..)) {
            return None;
        }
        let seconds = self.heartbeat_s.unwrap_or_default();
        let line = self.log.closing(&format!("missed heartbeats from client, timeout: {seconds}s"));
        Some(End { why: "heartbeat", line: Some((Level::Error, line)) })
    }

    /// The client has sent FIN.
    pub fn eof(&self) -> End {
        match self.phase {
            Phase::Closed(_) => self.clean(),
            // "Probably a load-balancer healthcheck": a level that is not shown.
            Phase::Greeting if self.decoder.is_empty() => End { why: "eof", line: None },
            _ => {
                let line = self.log.closing("client unexpectedly closed TCP connection");
                End { why: "eof", line: Some((Level::Warning, line)) }
            }
        }
    }

    /// The socket failed.
    pub fn failed(&self, errno: &str) -> End {
        let line = self.log.closing(&format!("{{inet_error,{}}}", errno.to_lowercase()));
        End { why: "error", line: Some((Level::Error, line)) }
    }

    fn clean(&self) -> End {
        End { why: "protocol", line: Some((Level::Info, self.log.closed(&self.user))) }
    }

    /// Takes what was read.
    ///
    /// # Errors
    /// The connection is over.
    pub fn input(&mut self, octets: &[u8]) -> Result<(), End> {
        if matches!(self.phase, Phase::Greeting) && self.decoder.is_empty() {
            self.log.say(Level::Info, &self.log.accepting());
        }
        self.decoder.feed(octets);
        while self.reads() {
            if matches!(self.phase, Phase::Greeting) {
                let Some(greeting) = self.decoder.greeting() else { break };
                self.greet(greeting)?;
                continue;
            }
            match self.decoder.frame(self.frame_max) {
                Ok(None) => break,
                Ok(Some(frame)) => self.frame(frame)?,
                Err(exception) => self.misread(&exception),
            }
        }
        Ok(())
    }

    fn greet(&mut self, greeting: Greeting) -> Result<(), End> {
        let (why, reason) = match greeting {
            // 0-9 is near enough to 0-9-1 (`version_negotiation/2`).
            Greeting::Version([0, 0, 9, 1] | [1, 1, 0, 9]) => {
                self.send(connection::AMQPMethod::Start(start()));
                self.phase = Phase::Starting;
                return Ok(());
            }
            Greeting::Version([a, b, c, d]) => ("protocol", format!("{{bad_version,{{{a},{b},{c},{d}}}}}")),
            Greeting::Other(octets) => {
                ("protocol", format!("{{bad_header,<<{:?}>>}}", String::from_utf8_lossy(&octets)))
            }
        };
        // What the client should have said (AMQP 0-9-1, 2.2.4); then the connection is over.
        encode(&AMQPFrame::ProtocolHeader(ProtocolVersion::amqp_0_9_1()), &mut self.out);
        Err(End { why, line: Some((Level::Error, self.log.closing(&reason))) })
    }

    fn frame(&mut self, frame: AMQPFrame) -> Result<(), End> {
        if matches!(self.phase, Phase::Closed(_)) {
            return match frame {
                AMQPFrame::Method(0, AMQPClass::Connection(method)) => self.last_words(&method),
                _ => Ok(()),
            };
        }
        match frame {
            AMQPFrame::Heartbeat => {}
            AMQPFrame::Method(0, AMQPClass::Connection(method)) => {
                let ids = ids(&AMQPClass::Connection(method.clone()));
                if let Err(exception) = self.method(method) {
                    self.fail(&exception, ids);
                }
            }
            frame
                if frame.channel_id() != 0 && self.is_running() && !matches!(frame, AMQPFrame::InvalidHeartbeat(_)) =>
            {
                self.channel_frame(frame);
            }
            frame => {
                let explanation = format!("unexpected frame on channel {}", frame.channel_id());
                self.fail(&Exception::hard(AMQPHardError::UNEXPECTEDFRAME, explanation), (0, 0));
            }
        }
        Ok(())
    }

    fn channel_frame(&mut self, frame: AMQPFrame) {
        let at = Place { connection: self.number, channel: frame.channel_id() };
        let ids = if let AMQPFrame::Method(_, method) = &frame { ids(method) } else { (0, 0) };
        let done = self.store().frame(at, frame);
        match done {
            Ok(()) => {}
            Err(exception) if exception.is_soft() => {
                let line = self.log.channel_error(&self.user, at.channel, &exception);
                self.log.say(Level::Error, &line);
                self.store().fail(at, &exception, ids);
            }
            Err(exception) => self.fail(&exception, ids),
        }
    }

    /// Before the connection is open, and when it is to be closed.
    fn method(&mut self, method: connection::AMQPMethod) -> Result<(), Exception> {
        use connection::AMQPMethod::{Close, CloseOk, Open, OpenOk, StartOk, Tune, TuneOk};
        match (&self.phase, method) {
            (Phase::Starting, StartOk(start_ok)) => {
                self.user = user(&start_ok)?;
                self.cancel_notify = capability(&start_ok.client_properties, "consumer_cancel_notify");
                self.phase = Phase::Tuning;
                let (channel_max, frame_max, heartbeat) = (CHANNEL_MAX, FRAME_MAX, self.proposed_s);
                self.send(Tune(connection::Tune { channel_max, frame_max, heartbeat }));
            }
            (Phase::Tuning, TuneOk(tune_ok)) => {
                negotiated("frame_max", constants::FRAME_MIN_SIZE, FRAME_MAX, tune_ok.frame_max)?;
                negotiated("channel_max", 1, CHANNEL_MAX.into(), tune_ok.channel_max.into())?;
                // Whatever the client says, the heartbeat is what it says, for both directions.
                self.heartbeat_s = Some(tune_ok.heartbeat);
                (self.frame_max, self.channel_max) = (tune_ok.frame_max, tune_ok.channel_max);
                self.phase = Phase::Opening;
            }
            (Phase::Opening, Open(open)) => {
                let (sender, receiver) = unbounded_channel();
                self.outbox = receiver;
                self.store().join(self.number, sender, self.channel_max, self.cancel_notify);
                self.send(OpenOk(connection::OpenOk {}));
                self.phase = Phase::Running;
                self.log.say(Level::Info, &self.log.granted(&self.user, open.virtual_host.as_str()));
            }
            (Phase::Running, Close(_)) => {
                self.finish();
                self.send(CloseOk(connection::CloseOk {}));
            }
            (phase, _) => {
                let explanation = format!("unexpected method in connection state {}", phase.name());
                return Err(Exception::hard(AMQPHardError::CHANNELERROR, explanation));
            }
        }
        Ok(())
    }

    fn last_words(&mut self, method: &connection::AMQPMethod) -> Result<(), End> {
        match method {
            connection::AMQPMethod::Close(_) => self.send(connection::AMQPMethod::CloseOk(connection::CloseOk {})),
            connection::AMQPMethod::CloseOk(_) => return Err(self.clean()),
            _ => {}
        }
        Ok(())
    }

    /// A connection exception, by how far the connection has come (`handle_exception/3`).
    fn fail(&mut self, exception: &Exception, ids: (u16, u16)) {
        let refused = exception.kind == AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED);
        match &self.phase {
            Phase::Running | Phase::Opening => {}
            Phase::Tuning if refused => {}
            phase => {
                let reason = format!("{{handshake_error,{},{}}}", phase.name(), exception.text());
                let line = Some((Level::Error, self.log.closing(&reason)));
                self.phase = Phase::Silent(Instant::now() + SILENT, Some(End { why: "protocol", line }));
                return;
            }
        }
        self.log.say(Level::Error, &self.log.error(&self.user, self.phase.name(), exception));
        self.finish();
        self.send(connection::AMQPMethod::Close(connection::Close {
            reply_code: exception.kind.get_id(),
            reply_text: exception.text(),
            class_id: ids.0,
            method_id: ids.1,
        }));
    }

    /// Where frames begin is not known any more: the client is told, and has a while to hear it (`fatal_frame_error/5`).
    fn misread(&mut self, exception: &Exception) {
        let fatal = exception.kind == AMQPErrorKind::Hard(AMQPHardError::FRAMEERROR);
        if !matches!(self.phase, Phase::Closed(_)) {
            self.fail(exception, (0, 0));
        }
        if fatal && self.reads() {
            let line = Some((Level::Error, self.log.closing("fatal_frame_error")));
            self.phase = Phase::Silent(Instant::now() + SILENT, Some(End { why: "protocol", line }));
        }
    }

    /// From now on only the other side's last word is awaited (`close_connection/1`).
    fn finish(&mut self) {
        self.store().leave(self.number);
        while let Ok(outgoing) = self.outbox.try_recv() {
            self.write(outgoing);
        }
        let heartbeat = Duration::from_secs(self.heartbeat_s.unwrap_or_default().into());
        let wait = if heartbeat.is_zero() { CLOSING } else { heartbeat.min(CLOSING) };
        self.phase = Phase::Closed(Instant::now() + wait);
    }

    /// What a channel says, as octets.
    pub fn write(&mut self, outgoing: Outgoing) {
        match outgoing {
            Outgoing::Method(channel, method) => encode(&AMQPFrame::Method(channel, method), &mut self.out),
            Outgoing::Content(channel, method, message) => {
                encode_content(channel, method, &message.properties, &message.body, self.frame_max, &mut self.out);
            }
        }
    }

    /// A heartbeat is due.
    pub fn beat(&mut self) {
        encode(&AMQPFrame::Heartbeat, &mut self.out);
    }

    /// Nothing of it is left in the store.
    pub fn leave(&self) {
        self.store().leave(self.number);
    }

    fn send(&mut self, method: connection::AMQPMethod) {
        encode(&AMQPFrame::Method(0, AMQPClass::Connection(method)), &mut self.out);
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ids(method: &AMQPClass) -> (u16, u16) {
    (method.get_amqp_class_id(), method.get_amqp_method_id())
}

/// connection.start, with the capabilities that this broker has of RabbitMQ's (`server_capabilities/1`).
fn start() -> connection::Start {
    let mut capabilities = FieldTable::default();
    for name in
        ["publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify", "per_consumer_qos"]
    {
        capabilities.insert(name.into(), AMQPValue::Boolean(true));
    }
    let mut properties = FieldTable::default();
    properties.insert("capabilities".into(), AMQPValue::FieldTable(capabilities));
    properties.insert("product".into(), AMQPValue::LongString("whyclosed".into()));
    properties.insert("version".into(), AMQPValue::LongString(env!("CARGO_PKG_VERSION").into()));
    connection::Start {
        version_major: 0,
        version_minor: 9,
        server_properties: properties,
        mechanisms: "PLAIN AMQPLAIN".into(),
        locales: "en_US".into(),
    }
}

/// Who says to be there; in a lab, that is enough.
fn user(start_ok: &connection::StartOk) -> Result<String, Exception> {
    let response = start_ok.response.as_bytes();
    let name = match start_ok.mechanism.as_str() {
        // Authorization id, authentication id, password (RFC 4616, 2).
        "PLAIN" => response.split(|octet| *octet == 0).nth(1).map(<[u8]>::to_vec),
        "AMQPLAIN" => login(response),
        other => {
            let explanation = format!("unknown authentication mechanism '{other}'");
            return Err(Exception::hard(AMQPHardError::COMMANDINVALID, explanation));
        }
    };
    let name = name.ok_or_else(|| Exception::hard(AMQPHardError::SYNTAXERROR, "response is invalid"))?;
    Ok(String::from_utf8_lossy(&name).into_owned())
}

/// AMQPLAIN's response is a table without its length, with LOGIN and PASSWORD (rabbit_auth_mechanism_amqplain.erl).
fn login(response: &[u8]) -> Option<Vec<u8>> {
    let mut table = u32::try_from(response.len()).ok()?.to_be_bytes().to_vec();
    table.extend_from_slice(response);
    let (_, table) = parse_field_table(table.as_slice()).ok()?;
    match table.inner().get("LOGIN")? {
        AMQPValue::LongString(name) => Some(name.as_bytes().to_vec()),
        _ => None,
    }
}

fn capability(properties: &FieldTable, name: &str) -> bool {
    match properties.inner().get("capabilities") {
        Some(AMQPValue::FieldTable(table)) => table.inner().get(name) == Some(&AMQPValue::Boolean(true)),
        _ => false,
    }
}

/// What a client may agree to (`validate_negotiated_integer_value/3`).
fn negotiated(field: &str, least: u32, most: u32, value: u32) -> Result<(), Exception> {
    let (than, limit) = if value != 0 && value < least {
        ("lower than the minimum", least)
    } else if value == 0 || value > most {
        ("higher than the maximum", most)
    } else {
        return Ok(());
    };
    let explanation = format!("negotiated {field} = {value} is {than} allowed value ({limit})");
    Err(Exception::hard(AMQPHardError::NOTALLOWED, explanation))
}
