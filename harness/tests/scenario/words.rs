//! A small vocabulary, as the harness has a large one.

use std::path::Path;
use std::time::Duration;

use whyclosed::keys;
use whyclosed::scenario::{
    Bytes, Case, ClientName, Errors, Fields, FileOrText, Key, NodeName, Port, ProcessName, ServiceWord, Shape, Shaped,
    Value, WireName, Word, Words, parse,
};

#[derive(Clone, Debug)]
pub struct TestWords;

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Idle(Duration),
    Send { client: ClientName, bytes: Bytes },
    Cut { wire: WireName, from: Option<NodeName> },
    Kill(ProcessName),
    PowerOff(NodeName),
    Wait { at_most: Duration },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Service {
    Echo { port: u16 },
    Proxy { config: FileOrText },
    Command { argv: Vec<String> },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Client {
    Tcp { linger: Option<Duration> },
    Command { argv: Vec<String> },
}

impl Words for TestWords {
    type Step = Step;
    type Service = Service;
    type Client = Client;

    const STEPS: &'static [Word<Step>] = &[
        word("idle", Duration::SHAPE, |value| value.decode().map(Step::Idle)),
        word("send", SendKeys::SHAPE, send),
        word("cut", Shape::Either(&[WireName::SHAPE, CutKeys::SHAPE]), cut),
        word("kill", ProcessName::SHAPE, |value| value.decode().map(Step::Kill)),
        word("power-off", NodeName::SHAPE, |value| value.decode().map(Step::PowerOff)),
        word("wait", WaitKeys::SHAPE, wait),
    ];
    const SERVICES: &'static [ServiceWord<Service>] = &[
        service("server", Some("echo"), &[EchoKeys::TABLE], echo),
        service("proxy", Some("haproxy"), &[ConfigKeys::TABLE], proxy),
        service("proxy", Some("relay"), &[ConfigKeys::TABLE], proxy),
        service("command", None, &[CommandKeys::TABLE], service_command),
    ];
    const PROTOCOLS: &'static [Word<Client>] =
        &[word("tcp", TcpKeys::SHAPE, tcp), word("command", CommandKeys::SHAPE, client_command)];
    const MECHANISMS: &'static [&'static str] =
        &["app-close", "tcp-keepalive", "proxy-timeout-client", "proxy-timeout-server", "peer-fin", "open"];
}

/// A verb or a protocol.
const fn word<T>(name: &'static str, takes: Shape, decode: fn(Value<'_>) -> Option<T>) -> Word<T> {
    Word { name, about: "For tests.", example: "", takes, decode }
}

/// A kind of service.
const fn service(
    key: &'static str,
    value: Option<&'static str>,
    keys: &'static [&'static [Key]],
    decode: fn(&mut Fields<'_>) -> Option<Service>,
) -> ServiceWord<Service> {
    ServiceWord { key, value, beside: &[], about: "For tests.", keys, decode }
}

keys! {
    /// What is sent.
    struct SendKeys {
        CLIENT: required ClientName = "client", "orders", "who sends";
        BYTES: required Bytes = "bytes", "100", "how much";
    }
}

keys! {
    /// What is cut.
    struct CutKeys {
        WIRE: required WireName = "wire", "cable", "the wire";
        FROM: optional NodeName = "from", "client", "both ways", "only what this node sends";
    }
}

keys! {
    /// How long is waited.
    struct WaitKeys {
        AT_MOST: required Duration = "at most", "10m", "how long";
    }
}

keys! {
    /// A server.
    struct EchoKeys {
        PORT: required Port = "port", "7", "where it listens";
    }
}

keys! {
    /// A proxy.
    struct ConfigKeys {
        CONFIG: required FileOrText = "config", "lb.cfg", "its configuration";
    }
}

keys! {
    /// A program.
    struct CommandKeys {
        COMMAND: required Vec<String> = "command", "[telnet]", "the program";
    }
}

keys! {
    /// A plain client.
    struct TcpKeys {
        LINGER: optional Duration = "linger", "0s", "off", "SO_LINGER";
    }
}

fn send(value: Value<'_>) -> Option<Step> {
    let mut fields = value.fields(SendKeys::TABLE)?;
    let client = fields.required(SendKeys::CLIENT);
    let bytes = fields.required(SendKeys::BYTES);
    fields.finish();
    Some(Step::Send { client: client?, bytes: bytes? })
}

fn cut(value: Value<'_>) -> Option<Step> {
    if value.is_scalar() {
        return Some(Step::Cut { wire: value.decode()?, from: None });
    }
    let mut fields = value.fields(CutKeys::TABLE)?;
    let wire = fields.required(CutKeys::WIRE);
    let from = fields.optional(CutKeys::FROM);
    fields.finish();
    Some(Step::Cut { wire: wire?, from })
}

fn wait(value: Value<'_>) -> Option<Step> {
    let mut fields = value.fields(WaitKeys::TABLE)?;
    let at_most = fields.required(WaitKeys::AT_MOST);
    fields.finish();
    Some(Step::Wait { at_most: at_most? })
}

fn echo(fields: &mut Fields<'_>) -> Option<Service> {
    let port = fields.required(EchoKeys::PORT)?.0;
    Some(Service::Echo { port })
}

fn proxy(fields: &mut Fields<'_>) -> Option<Service> {
    let config = fields.required(ConfigKeys::CONFIG)?;
    Some(Service::Proxy { config })
}

fn service_command(fields: &mut Fields<'_>) -> Option<Service> {
    let argv = fields.required(CommandKeys::COMMAND)?;
    Some(Service::Command { argv })
}

fn tcp(value: Value<'_>) -> Option<Client> {
    let mut fields = value.fields(TcpKeys::TABLE)?;
    let linger = fields.optional(TcpKeys::LINGER);
    fields.finish();
    Some(Client::Tcp { linger })
}

fn client_command(value: Value<'_>) -> Option<Client> {
    let mut fields = value.fields(CommandKeys::TABLE)?;
    let argv = fields.required(CommandKeys::COMMAND);
    fields.finish();
    Some(Client::Command { argv: argv? })
}

/// Reads a scenario named `test/scenario` in a folder without files.
pub fn read(source: &str) -> Result<Vec<Case<TestWords>>, Errors> {
    parse("scenario.yaml", source, "test/scenario", Path::new("no-such-folder"))
}

/// The only case of a good scenario.
pub fn only(source: &str) -> Case<TestWords> {
    let mut cases = read(source).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(cases.len(), 1);
    cases.remove(0)
}

/// Two nodes, a wire, a server and a client; `rest` follows.
pub fn small(rest: &str) -> String {
    format!(
        "title: A small scenario
nodes:
  client: {{}}
  server: {{}}
wires:
  cable: {{ ends: [client, server] }}
services:
  echo: {{ node: server, server: echo, port: 7 }}
clients:
  orders: {{ node: client, connect: echo:7, protocol: tcp }}
{rest}"
    )
}
