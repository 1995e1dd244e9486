//! From sections to proxies: what each starts from, and what its lines do to that (manual, section 4).

use std::sync::Arc;

use super::arguments::texts;
use super::directives;
use super::global::Global;
use super::server::ServerSettings;
use super::{Bind, LogFormat, LogTarget, Note, NoteKind, Proxy, Section, SectionKind, Word, wrong_character};

/// The settings that a section starts from or ends with.
#[derive(Clone)]
pub(super) struct Settings {
    pub proxy: Proxy,
    pub default_server: ServerSettings,
    /// The targets that `log global` copies: what `global` had up to this section.
    pub global_logs: Arc<[LogTarget]>,
    pub places: Places,
}

/// Where settings come from that can be judged only when all of a configuration is known.
#[derive(Clone, Default)]
pub(super) struct Places {
    pub name: Option<Word>,
    pub mode: Option<Word>,
    pub default_backend: Option<Word>,
    /// What says last how sessions are logged.
    pub log_format: Option<Word>,
    /// The timeouts that this section has set itself.
    pub timeouts: Vec<String>,
}

/// Follows all sections in order.
pub(super) fn resolve(sections: &[Section], notes: &mut Vec<Note>) -> (Global, Vec<Settings>) {
    let mut global = Global::default();
    let mut defaults: Vec<Settings> = Vec::new();
    let mut proxies = Vec::new();
    for section in sections {
        match &section.kind {
            SectionKind::Global => {
                header(section, 0, notes);
                for line in &section.lines {
                    directives::apply_global(&mut global, line, notes);
                }
            }
            SectionKind::Other(keyword) => {
                let message =
                    format!("sections `{keyword}` are not implemented: {}", directives::why_no_section(keyword));
                notes.extend(section.header.first().map(|word| Note::at(word, NoteKind::Unsupported, message)));
            }
            SectionKind::Defaults => {
                let settings = settings(section, &defaults, &global, notes);
                defaults.push(settings);
            }
            SectionKind::Listen | SectionKind::Frontend | SectionKind::Backend => {
                proxies.push(settings(section, &defaults, &global, notes));
            }
        }
    }
    if global.log_send_hostname.is_some() {
        let logs = proxies.iter_mut().flat_map(|settings: &mut Settings| &mut settings.proxy.logs);
        global.logs.iter_mut().chain(logs).for_each(|log| name_host(log, sections));
    }
    (global, proxies)
}

/// With `log-send-hostname`, wherever it stands, a target without a format of its own gets one with the host's name (manual,
/// section 3.1 `log`).
fn name_host(log: &mut LogTarget, sections: &[Section]) {
    let lines = sections.iter().flat_map(|section| &section.lines);
    let mut own = lines.filter(|line| line.words.iter().any(|word| word.position == log.position));
    if own.all(|line| line.words.iter().all(|word| word.text != "format")) {
        log.format = LogFormat::Rfc3164;
    }
}

/// The settings of a section: what it starts from, and then its lines.
fn settings(section: &Section, defaults: &[Settings], global: &Global, notes: &mut Vec<Note>) -> Settings {
    let mut settings = start(section, defaults, global, notes);
    match section.kind {
        SectionKind::Defaults => header(section, 1, notes),
        _ => proxy_header(section, &mut settings, notes),
    }
    for line in &section.lines {
        directives::apply(&mut settings, line, notes);
    }
    settings
}

/// A proxy starts from the `defaults` it names, or else from the latest; `defaults` start from what they name only.
fn start(section: &Section, defaults: &[Settings], global: &Global, notes: &mut Vec<Note>) -> Settings {
    let name = section.name.clone().unwrap_or_default();
    let named = section.from.as_ref().map(|from| {
        let found = defaults.iter().rev().find(|settings| !from.is_empty() && settings.proxy.name == *from);
        if found.is_none() {
            let word = section.header.last();
            let message = format!("no `defaults {from}` stands before this section");
            notes.extend(word.map(|word| Note::at(word, NoteKind::Malformed, message)));
        }
        found
    });
    let base = match (named, &section.kind) {
        (Some(base), _) => base,
        (None, SectionKind::Defaults) => None,
        (None, _) => defaults.last(),
    };
    let global_logs = global.logs.clone().into();
    let places = Places { name: section.header.get(1).cloned(), ..Places::default() };
    match base {
        Some(base) => Settings {
            proxy: Proxy { kind: section.kind.clone(), name, position: section.position.clone(), ..base.proxy.clone() },
            default_server: base.default_server.clone(),
            global_logs,
            places: Places { name: places.name, timeouts: Vec::new(), ..base.places.clone() },
        },
        None => Settings {
            proxy: Proxy::documented(section.kind.clone(), name, section.position.clone()),
            default_server: ServerSettings::documented(),
            global_logs,
            places,
        },
    }
}

/// `listen NAME`, `frontend NAME`, `backend NAME`, each perhaps with `from DEFAULTS`; in 1.5's form an address.
fn proxy_header(section: &Section, settings: &mut Settings, notes: &mut Vec<Note>) {
    let Some(keyword) = section.header.first() else { return };
    let Some(name) = section.header.get(1) else {
        notes.push(Note::at(keyword, NoteKind::Malformed, format!("a `{}` needs a name", keyword.text)));
        return;
    };
    if let Some(character) = wrong_character(&name.text) {
        let message = format!("`{character}` cannot be in the name of a `{}`: `{}`", keyword.text, name.text);
        notes.push(Note::at(name, NoteKind::Malformed, message));
    }
    let address = section.header.get(2).filter(|word| word.text != "from" && section.kind != SectionKind::Backend);
    match address {
        Some(address) if address.text.contains([':', '/']) => {
            let binds = Bind::addresses(address, notes);
            let message = "an address here is the form of HAProxy 1.5, which 2.6 refuses; it is taken as a `bind` line";
            let help = format!("write `bind {}` on a line of its own", address.text);
            notes.push(Note::at(address, NoteKind::Warning, message).help(help));
            settings.proxy.binds.extend(binds);
            header(section, 2, notes);
        }
        _ => header(section, 1, notes),
    }
}

/// What stands behind a section's keyword beyond as many words and `from DEFAULTS`.
fn header(section: &Section, words: usize, notes: &mut Vec<Note>) {
    let (Some(keyword), mut rest) = (section.header.first(), section.header.get(words + 1..).unwrap_or_default())
    else {
        return;
    };
    // `defaults from X` has no name of its own.
    if section.kind == SectionKind::Defaults && section.name.is_none() && section.from.is_some() {
        rest = section.header.get(1..).unwrap_or_default();
    }
    if section.from.is_some() {
        rest = rest.get(2..).unwrap_or_default();
    }
    if let [first, .., last] | [first @ last] = rest {
        let message = format!("`{}` does not belong behind `{}`", texts(rest), keyword.text);
        notes.push(Note::over(first, last, NoteKind::Malformed, message));
    }
}
