//! What an entry of the tables of directives is, and what a table says about a line.

use super::arguments::{Arguments, Form};
use super::global::Global;
use super::settings::Settings;
use super::{Note, NoteKind, Proxy, SectionKind};

/// Where a directive can stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum In {
    /// In `global`.
    Global,
    /// In `defaults`.
    Defaults,
    /// In `frontend`.
    Frontend,
    /// In `listen`.
    Listen,
    /// In `backend`.
    Backend,
}

pub(super) const GLOBAL: &[In] = &[In::Global];
/// In every section of a proxy.
pub(super) const ALL: &[In] = &[In::Defaults, In::Frontend, In::Listen, In::Backend];
/// What concerns clients.
pub(super) const FRONTENDS: &[In] = &[In::Defaults, In::Frontend, In::Listen];
/// What concerns servers.
pub(super) const BACKENDS: &[In] = &[In::Defaults, In::Listen, In::Backend];
/// What no proxy takes over from `defaults`.
pub(super) const OWN: &[In] = &[In::Frontend, In::Listen, In::Backend];
pub(super) const OWN_FRONTENDS: &[In] = &[In::Frontend, In::Listen];
pub(super) const OWN_BACKENDS: &[In] = &[In::Listen, In::Backend];

impl In {
    pub(super) fn of(kind: &SectionKind) -> Option<In> {
        match kind {
            SectionKind::Global => Some(In::Global),
            SectionKind::Defaults => Some(In::Defaults),
            SectionKind::Frontend => Some(In::Frontend),
            SectionKind::Listen => Some(In::Listen),
            SectionKind::Backend => Some(In::Backend),
            SectionKind::Other(_) => None,
        }
    }

    /// The section's keyword.
    #[must_use]
    pub fn keyword(self) -> &'static str {
        match self {
            In::Global => "global",
            In::Defaults => "defaults",
            In::Frontend => "frontend",
            In::Listen => "listen",
            In::Backend => "backend",
        }
    }
}

/// What this proxy makes of a keyword of HAProxy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// It does what the manual says.
    Implemented,
    /// It is taken with a warning, since there is nothing that it could change here.
    Moot,
    /// It is taken with a warning, since HAProxy has it for HTTP mode only and there is none here.
    HttpOnly,
    /// It is refused, since it would change what a session goes through.
    Unsupported,
    /// It is refused, by HAProxy 2.6 too.
    Removed,
}

impl Status {
    /// What is to be said about a keyword that is used. `about` is what the table says about it.
    pub(super) fn note(self, keyword: &str, about: &str) -> Option<(NoteKind, String)> {
        let (kind, what) = match self {
            Status::Implemented => return None,
            Status::Moot => (NoteKind::Warning, "has no effect here"),
            Status::HttpOnly => (NoteKind::Warning, "has no effect here, as it is for HTTP mode"),
            Status::Unsupported => (NoteKind::Unsupported, "is not implemented"),
            Status::Removed => (NoteKind::Malformed, "is refused by HAProxy 2.6 too"),
        };
        let about = if about.is_empty() { String::new() } else { format!(": {about}") };
        Some((kind, format!("`{keyword}` {what}{about}")))
    }
}

/// How a line changes settings.
pub(super) enum Read {
    /// It does not.
    Nothing,
    Global(fn(&mut Global, &mut Arguments<'_>)),
    Proxy(fn(&mut Settings, &mut Arguments<'_>)),
    /// It is an option, on or off.
    Switch(fn(&mut Proxy, bool)),
}

/// A directive that HAProxy 2.6 or an earlier version knows.
pub(super) struct Directive {
    /// Its one to three words.
    pub keyword: &'static str,
    /// Where it can stand.
    pub sections: &'static [In],
    /// What follows it, as the manual writes it.
    pub takes: &'static str,
    /// What this proxy makes of it.
    pub status: Status,
    /// What it does, or why it does not do it.
    pub about: &'static str,
    /// Whether `no` and `default` can stand before it.
    pub negatable: bool,
    /// Whether it is an error and no warning where it can have no effect.
    pub strict: bool,
    pub read: Read,
}

impl Directive {
    /// A directive that is implemented. `about` says what it does.
    pub const fn new(
        keyword: &'static str,
        sections: &'static [In],
        takes: &'static str,
        about: &'static str,
    ) -> Directive {
        let (status, read) = (Status::Implemented, Read::Nothing);
        Directive { keyword, sections, takes, status, about, negatable: false, strict: false, read }
    }

    pub const fn moot(keyword: &'static str, sections: &'static [In], why: &'static str) -> Directive {
        Directive { status: Status::Moot, ..Directive::new(keyword, sections, "", why) }
    }

    pub const fn http(keyword: &'static str, sections: &'static [In]) -> Directive {
        Directive { status: Status::HttpOnly, ..Directive::new(keyword, sections, "", "") }
    }

    pub const fn unsupported(keyword: &'static str, sections: &'static [In], why: &'static str) -> Directive {
        Directive { status: Status::Unsupported, ..Directive::new(keyword, sections, "", why) }
    }

    pub const fn removed(keyword: &'static str, sections: &'static [In], instead: &'static str) -> Directive {
        Directive { status: Status::Removed, ..Directive::new(keyword, sections, "", instead) }
    }

    pub const fn global(self, read: fn(&mut Global, &mut Arguments<'_>)) -> Directive {
        Directive { read: Read::Global(read), ..self }
    }

    pub const fn proxy(self, read: fn(&mut Settings, &mut Arguments<'_>)) -> Directive {
        Directive { read: Read::Proxy(read), ..self }
    }

    pub const fn switch(self, read: fn(&mut Proxy, bool)) -> Directive {
        Directive { read: Read::Switch(read), ..self.negatable() }
    }

    pub const fn negatable(self) -> Directive {
        Directive { negatable: true, ..self }
    }

    pub const fn strict(self) -> Directive {
        Directive { strict: true, ..self }
    }

    /// How many words the keyword has.
    pub(super) fn length(&self) -> usize {
        self.keyword.split(' ').count()
    }

    /// Why it must not stand in a section, if it must not.
    pub(super) fn misplaced(&self, section: In) -> Option<(NoteKind, String)> {
        if self.sections.contains(&section) {
            return None;
        }
        let name = section.keyword();
        if section == In::Defaults || self.strict {
            return Some((NoteKind::Malformed, format!("`{}` cannot stand in `{name}`", self.keyword)));
        }
        let lacks = if section == In::Backend { "takes no clients" } else { "has no servers" };
        Some((NoteKind::Warning, format!("`{}` has no effect here: a `{name}` {lacks}", self.keyword)))
    }
}

/// A setting within a line: behind `bind`'s address, `server`'s address, `stats socket`'s path.
pub(super) struct Setting<T: 'static> {
    /// Its word.
    pub keyword: &'static str,
    /// What follows it, as the manual writes it.
    pub takes: &'static str,
    /// How many words follow it.
    pub values: usize,
    pub status: Status,
    /// What it does, or why it does not do it.
    pub about: &'static str,
    pub read: Option<fn(&mut T, &mut Arguments<'_>)>,
}

impl<T> Setting<T> {
    /// A setting that is implemented. `about` says what it does.
    pub const fn new(
        keyword: &'static str,
        takes: &'static str,
        about: &'static str,
        read: fn(&mut T, &mut Arguments<'_>),
    ) -> Setting<T> {
        let status = Status::Implemented;
        Setting { keyword, takes, values: 0, status, about, read: Some(read) }
    }

    /// A setting that is not, with the number of words that follow it.
    pub const fn other(keyword: &'static str, values: usize, status: Status, about: &'static str) -> Setting<T> {
        Setting { keyword, takes: "", values, status, about, read: None }
    }
}

/// Takes settings from a line until its end.
pub(super) fn read_settings<T>(what: &str, table: &[Setting<T>], target: &mut T, arguments: &mut Arguments<'_>) {
    while let Some(word) = arguments.next() {
        let Some(setting) = table.iter().find(|setting| setting.keyword == word.text) else {
            let note = Note::at(word, NoteKind::Unknown, format!("unknown setting `{}` of a {what}", word.text));
            let near = super::suggest::nearest(&word.text, table.iter().map(|setting| setting.keyword));
            arguments.note(match near {
                Some(near) => note.help(format!("did you mean `{near}`?")),
                None => note,
            });
            // Nobody knows how many of the following words belong to it.
            arguments.rest();
            return;
        };
        if let Some((kind, message)) = setting.status.note(setting.keyword, setting.about) {
            arguments.note(Note::at(word, kind, message));
        }
        arguments.within(std::slice::from_ref(word), |inner| match setting.read {
            Some(read) => read(target, inner),
            None => (0..setting.values).for_each(|_| {
                inner.next();
            }),
        });
    }
}

/// Applies a line to what it changes: its words are the directive's, perhaps behind `no` or `default`.
pub(super) fn form(words: &[super::Word]) -> (Form, &[super::Word]) {
    match words.split_first() {
        Some((first, rest)) if first.text == "no" && !rest.is_empty() => (Form::No, rest),
        Some((first, rest)) if first.text == "default" && !rest.is_empty() => (Form::Default, rest),
        _ => (Form::Plain, words),
    }
}
