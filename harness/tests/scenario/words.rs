//! A small vocabulary, as the harness has a large one.

use std::path::Path;
use std::time::Duration;

use whyclosed::scenario::{
    Bytes, Case, ClientName, Errors, Fields, FileOrText, NodeName, Port, ProcessName, ServiceWord, Value, WireName,
    Word, Words, parse,
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
        Word { name: "idle", about: "Nothing happens.", decode: |value| value.decode().map(Step::Idle) },
        Word { name: "send", about: "A client sends.", decode: send },
        Word { name: "cut", about: "A wire is cut.", decode: cut },
        Word { name: "kill", about: "A process dies.", decode: |value| value.decode().map(Step::Kill) },
        Word { name: "power-off", about: "A host dies.", decode: |value| value.decode().map(Step::PowerOff) },
        Word { name: "wait", about: "Until all is closed.", decode: wait },
    ];
    const SERVICES: &'static [ServiceWord<Service>] = &[
        ServiceWord { key: "server", value: Some("echo"), beside: &[], about: "Sends back.", decode: echo },
        ServiceWord { key: "proxy", value: Some("haproxy"), beside: &[], about: "HAProxy.", decode: proxy },
        ServiceWord { key: "proxy", value: Some("relay"), beside: &[], about: "The Rust proxy.", decode: proxy },
        ServiceWord { key: "command", value: None, beside: &[], about: "Any program.", decode: service_command },
    ];
    const PROTOCOLS: &'static [Word<Client>] = &[
        Word { name: "tcp", about: "Plain TCP.", decode: tcp },
        Word { name: "command", about: "Any program.", decode: client_command },
    ];
    const MECHANISMS: &'static [&'static str] =
        &["app-close", "tcp-keepalive", "proxy-timeout-client", "proxy-timeout-server", "peer-fin", "open"];
}

fn send(value: Value<'_>) -> Option<Step> {
    let mut fields = value.fields()?;
    let client = fields.required("client");
    let bytes = fields.required("bytes");
    fields.finish();
    Some(Step::Send { client: client?, bytes: bytes? })
}

fn cut(value: Value<'_>) -> Option<Step> {
    if value.is_scalar() {
        return Some(Step::Cut { wire: value.decode()?, from: None });
    }
    let mut fields = value.fields()?;
    let wire = fields.required("wire");
    let from = fields.optional("from");
    fields.finish();
    Some(Step::Cut { wire: wire?, from })
}

fn wait(value: Value<'_>) -> Option<Step> {
    let mut fields = value.fields()?;
    let at_most = fields.required("at most");
    fields.finish();
    Some(Step::Wait { at_most: at_most? })
}

fn echo(fields: &mut Fields<'_>) -> Option<Service> {
    let port = fields.required::<Port>("port")?.0;
    Some(Service::Echo { port })
}

fn proxy(fields: &mut Fields<'_>) -> Option<Service> {
    let config = fields.required("config")?;
    Some(Service::Proxy { config })
}

fn service_command(fields: &mut Fields<'_>) -> Option<Service> {
    let argv = fields.required("command")?;
    Some(Service::Command { argv })
}

fn tcp(value: Value<'_>) -> Option<Client> {
    let mut fields = value.fields()?;
    let linger = fields.optional("linger");
    fields.finish();
    Some(Client::Tcp { linger })
}

fn client_command(value: Value<'_>) -> Option<Client> {
    let mut fields = value.fields()?;
    let argv = fields.required("command");
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
