//! The directives that HAProxy 2.6 knows, and what each does here.
//!
//! Each file has the directives of one matter in a list; a further directive is one entry there. [`TABLES`] has the lists.

mod backends;
mod balance;
mod checks;
mod http;
mod keepalive;
mod listening;
mod logging;
mod lua;
mod performance;
mod process;
mod proxies;
mod removed;
mod rules;
mod servers;
mod stats;
mod timeouts;
mod tls;
mod variables;

use super::arguments::{Arguments, Form, texts};
use super::directive::{Directive, In, Read, Status, form};
use super::global::Global;
use super::settings::Settings;
use super::suggest::nearest;
use super::{Line, Note, NoteKind, Word};

pub(super) use stats::SETTINGS as STATS_SETTINGS;

const TABLES: &[&[Directive]] = &[
    process::DIRECTIVES,
    logging::DIRECTIVES,
    stats::DIRECTIVES,
    proxies::DIRECTIVES,
    listening::DIRECTIVES,
    timeouts::DIRECTIVES,
    keepalive::DIRECTIVES,
    backends::DIRECTIVES,
    balance::DIRECTIVES,
    servers::DIRECTIVES,
    checks::DIRECTIVES,
    rules::DIRECTIVES,
    variables::DIRECTIVES,
    performance::DIRECTIVES,
    http::DIRECTIVES,
    tls::DIRECTIVES,
    lua::DIRECTIVES,
    removed::DIRECTIVES,
];

/// The sections that are no proxies and are not there, each with the reason.
pub(super) const SECTIONS: &[(&str, &str)] = &[
    ("peers", "proxies do not tell one another about clients"),
    ("resolvers", "names are looked up once, when the proxy starts"),
    ("userlist", "there is nothing to log in to"),
    ("mailers", "no mail is sent"),
    ("program", "no other program is run"),
    ("http-errors", "there is no HTTP here"),
    ("ring", "there are no rings"),
    ("cache", "there is no HTTP here"),
    ("fcgi-app", "there is no HTTP here"),
    ("log-forward", "logs of others are not taken"),
];

/// All entries of all tables.
pub(super) fn all() -> impl Iterator<Item = &'static Directive> {
    TABLES.iter().copied().flatten()
}

/// Whether a keyword starts a section that is no proxy.
pub(super) fn is_other_section(keyword: &str) -> bool {
    SECTIONS.iter().any(|(name, _)| *name == keyword)
}

/// Why sections of this keyword are not there.
pub(super) fn why_no_section(keyword: &str) -> &'static str {
    SECTIONS.iter().find(|(name, _)| *name == keyword).map_or("it is not known", |(_, why)| why)
}

/// Applies a line of `global`.
pub(super) fn apply_global(global: &mut Global, line: &Line, notes: &mut Vec<Note>) {
    apply_line(line, In::Global, notes, |read, arguments| {
        if let Read::Global(read) = read {
            read(global, arguments);
        }
    });
}

/// Applies a line of a proxy or of `defaults`.
pub(super) fn apply(settings: &mut Settings, line: &Line, notes: &mut Vec<Note>) {
    let Some(section) = In::of(&settings.proxy.kind) else { return };
    apply_line(line, section, notes, |read, arguments| match read {
        Read::Proxy(read) => read(settings, arguments),
        Read::Switch(read) => read(&mut settings.proxy, arguments.form == Form::Plain),
        Read::Global(_) | Read::Nothing => {}
    });
}

fn apply_line(line: &Line, section: In, notes: &mut Vec<Note>, apply: impl FnOnce(&Read, &mut Arguments<'_>)) {
    let (form, words) = form(&line.words);
    let Some(directive) = find(words, section) else {
        notes.push(unknown(words, section));
        return;
    };
    let (keyword, rest) = words.split_at(directive.length());
    let mut arguments = Arguments::new(keyword, form, rest, notes);
    if form != Form::Plain && !directive.negatable {
        let message = format!("`{}` cannot be turned off by `no` or `default`", directive.keyword);
        arguments.note_keyword(NoteKind::Malformed, message);
        return;
    }
    // What is off is what this proxy does anyway.
    if let (Form::Plain, Some((kind, message))) = (form, directive.status.note(directive.keyword, directive.about)) {
        arguments.note_keyword(kind, message);
    }
    if directive.status == Status::Removed {
        return;
    }
    if let (Status::Implemented, Some((kind, message))) = (directive.status, directive.misplaced(section)) {
        arguments.note_keyword(kind, message);
        return;
    }
    apply(&directive.read, &mut arguments);
    if directive.status == Status::Implemented {
        arguments.end();
    }
}

/// The directive with the most words that a line starts with. `global` and the sections of proxies have one table each:
/// `log` and `maxconn` are in both.
fn find(words: &[Word], section: In) -> Option<&'static Directive> {
    (1..=words.len().min(3)).rev().find_map(|length| {
        let keyword = texts(&words[..length]);
        candidates(section).find(|directive| directive.keyword == keyword)
    })
}

fn candidates(section: In) -> impl Iterator<Item = &'static Directive> {
    all().filter(move |directive| directive.sections.contains(&In::Global) == (section == In::Global))
}

/// What a line's keyword might have been meant to be.
fn unknown(words: &[Word], section: In) -> Note {
    let [first, others @ ..] = words else { return nowhere() };
    let family =
        |word: &str| candidates(section).any(|one| one.keyword.split_once(' ').is_some_and(|(head, _)| head == word));
    // `timeout` alone and `timeout clinet` are about the second word.
    if family(&first.text) {
        let members =
            candidates(section).filter_map(|one| one.keyword.split_once(' ').filter(|(head, _)| *head == first.text));
        let Some(second) = others.first() else {
            let names: Vec<&str> = members.map(|(_, tail)| tail).take(8).collect();
            let message = format!(
                "`{}` lacks what it is about: expected {} or the like",
                first.text,
                super::arguments::listed(&names)
            );
            return Note::at(first, NoteKind::Malformed, message);
        };
        let message = format!("unknown `{} {}`", first.text, second.text);
        let note = Note::over(first, second, NoteKind::Unknown, message);
        let near = nearest(&second.text, members.map(|(_, tail)| tail));
        return near
            .map_or_else(|| note.clone(), |near| note.clone().help(format!("did you mean `{} {near}`?", first.text)));
    }
    let message = format!("unknown directive `{}` in `{}`", first.text, section.keyword());
    let note = Note::at(first, NoteKind::Unknown, message);
    if let Some(elsewhere) = elsewhere(&first.text, section) {
        return note.help(elsewhere);
    }
    let whole = texts(&words[..words.len().min(2)]);
    let near = nearest(&whole, candidates(section).map(|one| one.keyword).filter(|keyword| keyword.contains(' ')))
        .or_else(|| nearest(&first.text, candidates(section).map(|one| one.keyword)));
    match near {
        Some(near) => note.help(format!("did you mean `{near}`?")),
        None => note,
    }
}

/// A directive of `global` in a proxy, or the other way round.
fn elsewhere(keyword: &str, section: In) -> Option<String> {
    let other = if section == In::Global { In::Listen } else { In::Global };
    let head = |directive: &Directive| directive.keyword.split(' ').next() == Some(keyword);
    candidates(other).find(|directive| head(directive) && directive.status != Status::Removed).map(|directive| {
        let sections: Vec<&str> = directive.sections.iter().map(|section| section.keyword()).collect();
        format!("it belongs in {}", super::arguments::listed(&sections))
    })
}

/// A line has at least one word; this is for the compiler.
fn nowhere() -> Note {
    let position = super::Position { file: "".into(), line: 0, column: 0 };
    Note { position, length: 1, kind: NoteKind::Malformed, message: "an empty line".to_owned(), help: None }
}
