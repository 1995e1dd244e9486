//! What the lines of a section do to a proxy's settings (manual, section 4).

use std::time::Duration;

use super::proxy::{Bind, Global, Keepalive, Proxy, UseBackend};
use super::server::{self, ServerDefaults};
use super::{BindAddress, Directive, Note, NoteKind, Section, SectionKind, Word, note, parse_duration};

const MILLISECONDS: Duration = Duration::from_millis(1);
const SECONDS: Duration = Duration::from_secs(1);

/// The settings that a section starts from or ends with.
#[derive(Clone)]
struct Settings {
    proxy: Proxy,
    default_server: ServerDefaults,
}

/// Follows all sections in order.
pub(super) fn resolve(sections: &[Section], notes: &mut Vec<Note>) -> (Global, Vec<Proxy>) {
    let mut global = Global::default();
    let mut defaults: Vec<Settings> = Vec::new();
    let mut proxies = Vec::new();
    for section in sections {
        match &section.kind {
            SectionKind::Global => section.directives.iter().for_each(|line| read_global(&mut global, line, notes)),
            SectionKind::Other(keyword) => notes.push(Note {
                position: section.position.clone(),
                kind: NoteKind::Unknown,
                message: format!("sections `{keyword}` are not read"),
            }),
            SectionKind::Defaults => defaults.push(settings(section, &defaults, notes)),
            SectionKind::Listen | SectionKind::Frontend | SectionKind::Backend => {
                proxies.push(settings(section, &defaults, notes).proxy);
            }
        }
    }
    (global, proxies)
}

/// The settings of a section: what it starts from, and then its lines.
fn settings(section: &Section, defaults: &[Settings], notes: &mut Vec<Note>) -> Settings {
    let mut settings = start(section, defaults, notes);
    for line in &section.directives {
        if let Err(found) = apply(&mut settings, line) {
            notes.push(found);
        }
    }
    settings
}

/// A proxy starts from the `defaults` it names, or else from the latest; `defaults` start from what they name only.
fn start(section: &Section, defaults: &[Settings], notes: &mut Vec<Note>) -> Settings {
    let name = section.name.clone().unwrap_or_default();
    let named = section.from.as_ref().map(|from| {
        let found = defaults.iter().rev().find(|settings| !from.is_empty() && settings.proxy.name == *from);
        if found.is_none() {
            notes.push(Note {
                position: section.position.clone(),
                kind: NoteKind::Malformed,
                message: format!("no `defaults {from}` stands before this section"),
            });
        }
        found
    });
    let base = match (named, &section.kind) {
        (Some(base), _) => base,
        (None, SectionKind::Defaults) => None,
        (None, _) => defaults.last(),
    };
    match base {
        Some(base) => {
            let kind = section.kind.clone();
            let proxy = Proxy { kind, name, position: section.position.clone(), ..base.proxy.clone() };
            Settings { proxy, default_server: base.default_server.clone() }
        }
        None => Settings {
            proxy: Proxy::documented(section.kind.clone(), name, section.position.clone()),
            default_server: ServerDefaults::default(),
        },
    }
}

fn read_global(global: &mut Global, line: &Directive, notes: &mut Vec<Note>) {
    let result = match line.texts()[..] {
        // They change no end of a session.
        [
            "log" | "user" | "group" | "uid" | "gid" | "daemon" | "stats" | "pidfile" | "chroot" | "nbthread"
            | "description",
            ..,
        ] => Ok(()),
        ["maxconn", ..] => count(line, 1).map(|most| global.maxconn = Some(most)),
        ["hard-stop-after", ..] => duration(line, 1, MILLISECONDS).map(|time| global.hard_stop_after = time),
        _ => Err(unknown(line)),
    };
    notes.extend(result.err());
}

/// Applies one line of a proxy or of `defaults`.
fn apply(settings: &mut Settings, line: &Directive) -> Result<(), Note> {
    let proxy = &mut settings.proxy;
    match line.texts()[..] {
        ["timeout", ..] => timeout(proxy, line)?,
        ["option", name, ..] => option(proxy, name, true).ok_or_else(|| unknown(line))?,
        ["no", "option", name, ..] => option(proxy, name, false).ok_or_else(|| unknown(line))?,
        ["default", "option", name, ..] => option(proxy, name, false).ok_or_else(|| unknown(line))?,
        ["clitcpka-idle", ..] => proxy.client_keepalive.idle = duration(line, 1, SECONDS)?,
        ["clitcpka-intvl", ..] => proxy.client_keepalive.interval = duration(line, 1, SECONDS)?,
        ["clitcpka-cnt", ..] => proxy.client_keepalive.probes = Some(count(line, 1)?),
        ["srvtcpka-idle", ..] => proxy.server_keepalive.idle = duration(line, 1, SECONDS)?,
        ["srvtcpka-intvl", ..] => proxy.server_keepalive.interval = duration(line, 1, SECONDS)?,
        ["srvtcpka-cnt", ..] => proxy.server_keepalive.probes = Some(count(line, 1)?),
        ["mode", mode, ..] => mode.clone_into(&mut proxy.mode),
        ["balance", algorithm, ..] => algorithm.clone_into(&mut proxy.balance),
        ["retries", ..] => proxy.retries = count(line, 1)?,
        ["maxconn", ..] => proxy.maxconn = Some(count(line, 1)?),
        ["log", "global"] => proxy.log_global = true,
        ["no", "log"] => proxy.log_global = false,
        ["default_backend", name] => proxy.default_backend = Some(name.to_owned()),
        ["use_backend", name, ref condition @ ..] => proxy.use_backends.push(UseBackend {
            backend: name.to_owned(),
            condition: (!condition.is_empty()).then(|| condition.join(" ")),
        }),
        ["bind", _, ..] => proxy.binds.extend(bind(line)?),
        ["server", ..] => {
            let [_, name, address, rest @ ..] = &line.words[..] else { return Err(missing(line)) };
            let (server, found) = server::read(name, address, rest, &settings.default_server)?;
            proxy.servers.push(server);
            found.map_or(Ok(()), Err)?;
        }
        ["default-server", ..] => settings.default_server.read(line.words.get(1..).unwrap_or_default())?,
        _ => return Err(unknown(line)),
    }
    Ok(())
}

fn timeout(proxy: &mut Proxy, line: &Directive) -> Result<(), Note> {
    let timeouts = &mut proxy.timeouts;
    let slot = match argument(line, 1)?.text.as_str() {
        "check" => &mut timeouts.check,
        "client" => &mut timeouts.client,
        "client-fin" => &mut timeouts.client_fin,
        "connect" => &mut timeouts.connect,
        "queue" => &mut timeouts.queue,
        "server" => &mut timeouts.server,
        "server-fin" => &mut timeouts.server_fin,
        "tunnel" => &mut timeouts.tunnel,
        _ => return Err(unknown(line)),
    };
    *slot = duration(line, 2, MILLISECONDS)?;
    Ok(())
}

/// Switches an option; `None` if it is not known.
fn option(proxy: &mut Proxy, name: &str, on: bool) -> Option<()> {
    let switch = |keepalive: &mut Keepalive| keepalive.on = on;
    match name {
        "clitcpka" => switch(&mut proxy.client_keepalive),
        "srvtcpka" => switch(&mut proxy.server_keepalive),
        "tcpka" => {
            switch(&mut proxy.client_keepalive);
            switch(&mut proxy.server_keepalive);
        }
        "redispatch" => proxy.redispatch = on,
        "tcplog" => proxy.tcplog = on,
        _ => return None,
    }
    Some(())
}

/// `bind` may name several addresses, between commas.
fn bind(line: &Directive) -> Result<Vec<Bind>, Note> {
    let word = argument(line, 1)?;
    let settings: Vec<String> = line.texts()[2..].iter().map(|text| (*text).to_owned()).collect();
    word.text
        .split(',')
        .map(|text| {
            let address = BindAddress::parse(text).ok_or_else(|| {
                note(
                    word,
                    NoteKind::Malformed,
                    &format!("`{text}` is no address to listen on: expected [address]:port[-port]"),
                )
            })?;
            Ok(Bind { address, settings: settings.clone(), position: word.position.clone() })
        })
        .collect()
}

/// The argument at a place, counted with the keyword as 0.
fn argument(line: &Directive, at: usize) -> Result<&Word, Note> {
    line.words.get(at).ok_or_else(|| missing(line))
}

/// A time that an argument gives; 0 means that there is none, so that the timer never fires.
fn duration(line: &Directive, at: usize, unit: Duration) -> Result<Option<Duration>, Note> {
    let word = argument(line, at)?;
    let time = parse_duration(&word.text, unit)
        .map_err(|error| note(word, NoteKind::Malformed, &format!("`{}`: {error}", word.text)))?;
    Ok((!time.is_zero()).then_some(time))
}

fn count(line: &Directive, at: usize) -> Result<u32, Note> {
    let word = argument(line, at)?;
    word.text.parse().map_err(|_| note(word, NoteKind::Malformed, &format!("`{}` is not a whole number", word.text)))
}

fn missing(line: &Directive) -> Note {
    about(line, NoteKind::Malformed, |text| format!("`{text}` lacks its value"))
}

fn unknown(line: &Directive) -> Note {
    about(line, NoteKind::Unknown, |text| format!("`{text}` is not read"))
}

fn about(line: &Directive, kind: NoteKind, message: impl Fn(&str) -> String) -> Note {
    // A directive has a first word; should it have none, nothing is lost but a place.
    let position = line.words.first().map(|word| word.position.clone());
    let position = position.unwrap_or_else(|| super::Position { file: "".into(), line: 0, column: 0 });
    Note { position, kind, message: message(&line.texts().join(" ")) }
}
