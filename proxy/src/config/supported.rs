//! All directives in one list, for documents and for people who ask.

use super::directive::{In, Setting, Status};
use super::{bind, directives, server};

/// What is to be known of a directive or setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supported {
    /// Its words.
    pub keyword: &'static str,
    /// Where it can stand.
    pub place: Where,
    /// What follows it, as the manual writes it; empty if nothing does or if it is not implemented.
    pub takes: &'static str,
    /// What becomes of it here.
    pub status: Status,
    /// What it does, or why it does not do it.
    pub about: &'static str,
}

/// Where something can stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// On a line of its own in these sections.
    Sections(&'static [In]),
    /// Behind the address of a `bind` line.
    Bind,
    /// Behind the address of a `server` line, or on a `default-server` line.
    Server,
    /// Behind the path of a `stats socket` line.
    StatsSocket,
}

/// Every directive of every section, and every setting of `bind`, `server` and `stats socket` lines.
pub fn supported() -> impl Iterator<Item = Supported> {
    let lines = directives::all().map(|one| Supported {
        keyword: one.keyword,
        place: Where::Sections(one.sections),
        takes: one.takes,
        status: one.status,
        about: one.about,
    });
    lines
        .chain(settings(bind::SETTINGS, Where::Bind))
        .chain(settings(server::SETTINGS, Where::Server))
        .chain(settings(directives::STATS_SETTINGS, Where::StatsSocket))
}

fn settings<T>(table: &'static [Setting<T>], place: Where) -> impl Iterator<Item = Supported> {
    table.iter().map(move |one| Supported {
        keyword: one.keyword,
        place,
        takes: one.takes,
        status: one.status,
        about: one.about,
    })
}
