//! All directives in one list, for documents and for people who ask.

use std::fmt::Write as _;

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

impl Where {
    fn is_global(self) -> bool {
        matches!(self, Where::Sections(sections) if sections.contains(&In::Global))
    }
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

/// The page docs/relay-directives.md.
#[must_use]
pub fn page() -> String {
    let all: Vec<Supported> = supported().collect();
    let of = |wanted: &dyn Fn(&Supported) -> bool| all.iter().filter(|one| wanted(one)).cloned().collect::<Vec<_>>();
    let mut page = String::from(HEAD);
    for (title, place) in PARTS {
        let here = of(&|one| place(one.place));
        let _ = write!(page, "\n## {title}\n");
        page += &implemented(&here);
        page += &others(&here);
    }
    page += "\n## Sections that are refused\n\n";
    for (keyword, why) in directives::SECTIONS {
        let _ = writeln!(page, "- `{keyword}`: {why}");
    }
    page
}

const HEAD: &str = "\
# What relay takes from HAProxy's configuration

<!-- Written by the program: `UPDATE=1 cargo test -p whyclosed-proxy page`. -->

`relay` takes HAProxy's configuration in TCP mode. Every keyword that the manual of HAProxy 2.6 knows is here, and one of:

- **implemented**: it does what the manual says;
- **without effect**: it is taken with a warning, as it is about something that is not there (TLS, HTTP mode) or that
  nobody outside sees (how HAProxy works inside);
- **refused**: with an error at its place, as it would change what a session goes through.

What none of these lists has is unknown, and an error too. `relay -c -f FILE` says all of this about a file.
HAProxy 2.6 refuses two things that 1.5 had and that are taken here with a warning: `debug` in `global`, and an address
behind the name of a `listen` or `frontend`.
";

/// A part of the page: its title, and what belongs to it.
type Part = (&'static str, fn(Where) -> bool);

const PARTS: [Part; 5] = [
    ("`global`", Where::is_global),
    ("`defaults`, `frontend`, `listen`, `backend`", |place| matches!(place, Where::Sections(_)) && !place.is_global()),
    ("Behind the address of `bind`", |place| place == Where::Bind),
    ("Behind the address of `server`, and on `default-server`", |place| place == Where::Server),
    ("Behind the path of `stats socket`", |place| place == Where::StatsSocket),
];

fn implemented(here: &[Supported]) -> String {
    let mut page = String::from("\n| implemented | where | what it does |\n|---|---|---|\n");
    for one in here.iter().filter(|one| one.status == Status::Implemented) {
        let takes = if one.takes.is_empty() { String::new() } else { format!(" {}", one.takes) };
        // A bar would end the table's field, even within backquotes.
        let keyword = format!("{}{takes}", one.keyword).replace('|', "\\|");
        let _ = writeln!(page, "| `{keyword}` | {} | {} |", sections(one.place), one.about);
    }
    // Where a column would say the same in every row there is none.
    let plain = here.iter().all(|one| one.place.is_global() || !matches!(one.place, Where::Sections(_)));
    if plain {
        page.replace(" | where |", " |").replace("---|---|---|", "---|---|").replace(" |  | ", " | ")
    } else {
        page
    }
}

fn sections(place: Where) -> String {
    match place {
        Where::Sections(sections) if !place.is_global() => {
            let names: Vec<&str> = sections.iter().map(|section| section.keyword()).collect();
            names.join(", ")
        }
        _ => String::new(),
    }
}

/// What is not implemented, by the reason.
fn others(here: &[Supported]) -> String {
    let mut page = String::new();
    for (status, title) in [
        (Status::Moot, "Without effect:"),
        (Status::HttpOnly, "Without effect, as it is for HTTP mode:"),
        (Status::Unsupported, "Refused:"),
        (Status::Removed, "Refused, by HAProxy 2.6 too:"),
    ] {
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for one in here.iter().filter(|one| one.status == status) {
            match reasons.iter_mut().find(|(about, _)| *about == one.about) {
                Some((_, keywords)) => keywords.push(one.keyword),
                None => reasons.push((one.about, vec![one.keyword])),
            }
        }
        if !reasons.is_empty() {
            let _ = write!(page, "\n{title}\n\n");
        }
        for (about, keywords) in reasons {
            let keywords: Vec<String> = keywords.iter().map(|keyword| format!("`{keyword}`")).collect();
            let about = if about.is_empty() { String::new() } else { format!(": {about}") };
            let _ = writeln!(page, "- {}{about}", keywords.join(", "));
        }
    }
    page
}
