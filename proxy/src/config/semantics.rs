//! What can be judged only when all of a configuration is known, as HAProxy's `check_config_validity` (`src/cfgparse.c`)
//! does.

use super::settings::Settings;
use super::{Mode, Note, NoteKind, Section, SectionKind, Word};

/// Judges all proxies.
pub(super) fn check(sections: &[Section], proxies: &[Settings], notes: &mut Vec<Note>) {
    for (index, settings) in proxies.iter().enumerate() {
        mode(settings, notes);
        names(settings, &proxies[..index], notes);
        server_names(settings, notes);
        listening(settings, notes);
        backends(settings, proxies, notes);
        servers(settings, proxies, notes);
        timeouts(settings, notes);
        logging(settings, notes);
    }
    nothing_to_do(sections, proxies, notes);
    zero_warning(sections, notes);
}

/// A note about a proxy as a whole, at its name.
fn about(settings: &Settings, kind: NoteKind, message: String) -> Option<Note> {
    settings.places.name.as_ref().map(|name| Note::at(name, kind, message))
}

/// "frontend `x`"
fn called(settings: &Settings) -> String {
    let keyword = super::directive::In::of(&settings.proxy.kind).map_or("proxy", super::directive::In::keyword);
    format!("{keyword} `{}`", settings.proxy.name)
}

/// A `defaults` section may say `mode http` as long as no proxy is left in it.
fn mode(settings: &Settings, notes: &mut Vec<Note>) {
    if let (Mode::Http, Some(word)) = (settings.proxy.mode, &settings.places.mode) {
        let message = "`mode http` is not implemented: bytes are passed on as they are";
        let note = Note::at(word, NoteKind::Unsupported, message);
        // Several proxies may have it from the same `defaults`.
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
}

/// A frontend and a backend may have the same name, but no two of either; a `listen` is both.
fn names(settings: &Settings, earlier: &[Settings], notes: &mut Vec<Note>) {
    let proxy = &settings.proxy;
    let twin = earlier.iter().find(|other| {
        let other = &other.proxy;
        other.name == proxy.name
            && (other.takes_clients() && proxy.takes_clients() || other.has_servers() && proxy.has_servers())
    });
    if let Some(twin) = twin {
        let message = format!("{} has the same name as that at {}", called(settings), twin.proxy.position);
        notes.extend(about(settings, NoteKind::Malformed, message));
    }
}

/// Servers with numbers of their own are told apart by these.
fn server_names(settings: &Settings, notes: &mut Vec<Note>) {
    let servers = &settings.proxy.servers;
    for (index, server) in servers.iter().enumerate() {
        let twin = servers[..index].iter().find(|other| other.name == server.name);
        if let Some(twin) = twin.filter(|twin| twin.id.is_none() && server.id.is_none()) {
            let message = format!("server `{}` has the same name as that at {}", server.name, twin.position);
            notes.push(Note {
                position: server.position.clone(),
                length: super::columns(&server.name),
                kind: NoteKind::Malformed,
                message,
                help: None,
            });
        }
    }
}

fn listening(settings: &Settings, notes: &mut Vec<Note>) {
    if settings.proxy.takes_clients() && settings.proxy.binds.is_empty() {
        let message = format!("{} has no `bind` line: no client can reach it", called(settings));
        notes.extend(about(settings, NoteKind::Warning, message));
    }
}

/// Every backend that is named must be there.
fn backends(settings: &Settings, proxies: &[Settings], notes: &mut Vec<Note>) {
    let proxy = &settings.proxy;
    if !proxy.takes_clients() {
        return;
    }
    if let (Some(name), Some(word)) = (&proxy.default_backend, &settings.places.default_backend) {
        backend(settings, name, word, proxies, notes);
        if !proxy.servers.is_empty() {
            let message =
                format!("the servers of {} are never used, as `default_backend` goes before them", called(settings));
            notes.push(Note::at(word, NoteKind::Warning, message));
        }
    }
    for rule in proxy.use_backends.iter().filter(|rule| !rule.backend.contains('%')) {
        let length = super::columns(&rule.backend);
        let word = Word { text: rule.backend.clone(), position: rule.position.clone(), length };
        backend(settings, &rule.backend, &word, proxies, notes);
    }
}

fn backend(settings: &Settings, name: &str, word: &Word, proxies: &[Settings], notes: &mut Vec<Note>) {
    let names = proxies.iter().map(|other| &other.proxy).filter(|other| other.has_servers());
    let names: Vec<&str> = names.map(|other| other.name.as_str()).collect();
    if !names.contains(&name) {
        let note = Note::at(word, NoteKind::Malformed, format!("there is no backend `{name}`"));
        let near = super::suggest::nearest(name, names.iter().copied());
        notes.push(match near {
            Some(near) => note.help(format!("did you mean `{near}`?")),
            None => note,
        });
    } else if proxies.iter().any(|other| other.proxy.name == name && other.proxy.has_servers() && other.proxy.disabled)
    {
        let message = format!("backend `{name}` is disabled, and what becomes of its sessions is not implemented");
        notes.push(Note::at(word, NoteKind::Unsupported, message));
    } else if settings.proxy.has_servers() && settings.proxy.name == name {
        notes.push(Note::at(word, NoteKind::Malformed, format!("`{name}` sends sessions to itself")));
    }
}

/// A backend without servers is allowed: its sessions end at once.
fn servers(settings: &Settings, proxies: &[Settings], notes: &mut Vec<Note>) {
    let proxy = &settings.proxy;
    let used = proxies.iter().map(|other| &other.proxy).any(|other| {
        let by_rule = other.use_backends.iter().any(|rule| rule.backend == proxy.name);
        by_rule || other.session_backend() == Some(proxy.name.as_str())
    });
    if proxy.has_servers() && proxy.servers.is_empty() && used {
        let message = format!("{} has no server: its sessions end with `SC`", called(settings));
        notes.extend(about(settings, NoteKind::Warning, message));
    }
    if proxy.kind == SectionKind::Frontend && proxy.session_backend().is_none() {
        let message = format!(
            "{} has no `default_backend`: sessions that no rule sends to a backend end with `SC`",
            called(settings)
        );
        notes.extend(about(settings, NoteKind::Warning, message));
    }
}

/// A session without them may last for ever.
fn timeouts(settings: &Settings, notes: &mut Vec<Note>) {
    let (proxy, timeouts) = (&settings.proxy, &settings.proxy.timeouts);
    let mut missing = Vec::new();
    if proxy.takes_clients() && timeouts.client.is_none() {
        missing.push("timeout client");
    }
    if proxy.has_servers() && !proxy.servers.is_empty() {
        if timeouts.connect.is_none() {
            missing.push("timeout connect");
        }
        if timeouts.server.is_none() && timeouts.tunnel.is_none() {
            missing.push("timeout server");
        }
    }
    if !missing.is_empty() {
        let listed = super::arguments::joined(&missing, "and");
        let message =
            format!("{} has no {listed}: sessions whose other side is gone may stay for ever", called(settings));
        notes.extend(about(settings, NoteKind::Warning, message));
    }
}

fn logging(settings: &Settings, notes: &mut Vec<Note>) {
    let proxy = &settings.proxy;
    if let (Some(word), true) = (&settings.places.log_format, proxy.takes_clients() && proxy.logs.is_empty()) {
        let option = if word.text == "log-format" { "" } else { "option " };
        let message = format!("`{option}{}` has no effect: {} has no `log` line", word.text, called(settings));
        notes.push(Note::at(word, NoteKind::Warning, message));
    }
}

/// HAProxy does not start either when there is nothing to listen on.
fn nothing_to_do(sections: &[Section], proxies: &[Settings], notes: &mut Vec<Note>) {
    let listens = |settings: &Settings| !settings.proxy.binds.is_empty() && !settings.proxy.disabled;
    if proxies.iter().any(listens) {
        return;
    }
    let message = "there is nothing to listen on: no proxy that is enabled has a `bind` line";
    let last = sections.last().and_then(|section| section.header.first());
    notes.extend(last.map(|word| Note::at(word, NoteKind::Malformed, message)));
}

/// It must be the last to look.
fn zero_warning(sections: &[Section], notes: &mut Vec<Note>) {
    let globals = sections.iter().filter(|section| section.kind == SectionKind::Global);
    let mut asked = globals.flat_map(|section| &section.lines).filter_map(|line| line.words.first());
    let asked = asked.find(|word| word.text == "zero-warning");
    if let (Some(word), true) = (asked, notes.iter().any(|note| note.kind == NoteKind::Warning)) {
        notes.push(Note::at(word, NoteKind::Malformed, "there are warnings, and `zero-warning` allows none"));
    }
}
