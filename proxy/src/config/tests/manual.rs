//! The tables against the manual's lists of keywords.

use std::collections::HashSet;

use super::super::supported::Where;
use super::*;

const KEYWORDS: &str = include_str!("../../../tests/fixtures/manual-keywords.txt");

/// In the manual's words: where a directive stands, and its keyword.
fn place(one: &Supported) -> Option<(&'static str, &'static str)> {
    let place = match one.place {
        Where::Sections(sections) if sections.contains(&In::Global) => "global",
        Where::Sections(_) => "proxy",
        Where::Bind => "bind",
        Where::Server => "server",
        Where::StatsSocket => return None,
    };
    Some((place, one.keyword))
}

#[test]
fn every_keyword_of_the_manual_has_an_entry() {
    let known: HashSet<(&str, &str)> = supported().filter_map(|one| place(&one)).collect();
    let keywords = KEYWORDS.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '));
    // The manual has `stats` in `global` as one keyword, and the words behind it in its text.
    let missing: Vec<(&str, &str)> =
        keywords.filter(|keyword| !known.contains(keyword) && *keyword != ("global", "stats")).collect();
    assert_eq!(missing, []);
}

#[test]
fn no_keyword_has_two_entries_for_one_section() {
    let mut seen = HashSet::new();
    let twice: Vec<_> = supported().filter_map(|one| place(&one)).filter(|one| !seen.insert(*one)).collect();
    assert_eq!(twice, []);
}

/// The page in docs is what the tables say. `UPDATE=1` writes it.
#[test]
fn the_page_of_directives_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/relay-directives.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, page()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == page(), "docs/relay-directives.md is old: run `UPDATE=1 cargo test -p whyclosed-proxy page`");
}

#[test]
fn whatever_is_not_implemented_says_why() {
    let silent = supported().filter(|one| one.about.is_empty() && one.status != Status::HttpOnly);
    assert_eq!(silent.map(|one| one.keyword).collect::<Vec<_>>(), [""; 0]);
}
