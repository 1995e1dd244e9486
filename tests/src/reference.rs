//! The parts of docs/ that are made from the decoder's tables: what stands between `<!-- made: NAME -->` and `<!-- end -->`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use whyclosed::Vocabulary;
use whyclosed::lints::LINTS;
use whyclosed::scenario::{Key, Of, Place, Words, places};

const BEGINS: &str = "<!-- made: ";
const ENDS: &str = "<!-- end -->";

/// Every part by its name.
#[must_use]
pub fn parts() -> BTreeMap<String, String> {
    let places = places::<Vocabulary>();
    let mut parts: BTreeMap<String, String> = places
        .iter()
        .filter(|place| place.of != Of::Step)
        .map(|place| (format!("keys of {}", place.name), keys(&place.own)))
        .collect();
    parts.insert("steps".into(), steps());
    parts.insert("keys of steps".into(), keys_of_steps(&places));
    parts.insert("kinds of service".into(), kinds());
    parts.insert("protocols".into(), protocols());
    parts.insert("warnings".into(), warnings());
    parts
}

/// Puts every part where a page has its name; returns the page and the names that are in it.
///
/// # Errors
/// The name of a part that there is not, or that does not end.
pub fn fill(page: &str, parts: &BTreeMap<String, String>) -> Result<(String, Vec<String>), String> {
    let mut filled = String::new();
    let mut names = Vec::new();
    let mut rest = page;
    while let Some((before, behind)) = rest.split_once(BEGINS) {
        let (name, behind) = behind.split_once(" -->\n").ok_or_else(|| "a part whose name does not end".to_owned())?;
        let part = parts.get(name).ok_or_else(|| format!("there is no part `{name}`"))?;
        let (_, behind) = behind.split_once(ENDS).ok_or_else(|| format!("the part `{name}` does not end"))?;
        let _ = write!(filled, "{before}{BEGINS}{name} -->\n{part}{ENDS}");
        names.push(name.to_owned());
        rest = behind;
    }
    filled.push_str(rest);
    Ok((filled, names))
}

/// One row of a table; a `|` in a cell would end it.
fn row(cells: &[&str]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// A table with these heads and rows.
fn table<const N: usize>(heads: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut table = row(&heads);
    table.push_str(&"|---".repeat(N));
    table.push_str("|\n");
    rows.for_each(|cells| table.push_str(&row(&cells.each_ref().map(String::as_str))));
    table
}

fn code(key: &str, value: &str) -> String {
    format!("`{key}: {value}`")
}

fn without(key: &Key) -> String {
    key.default.unwrap_or("required").to_owned()
}

fn keys(keys: &[Key]) -> String {
    let rows = keys.iter().map(|key| [code(key.name, key.example), key.about.into(), without(key)]);
    table(["key", "meaning", "without it"], rows)
}

fn steps() -> String {
    let rows = Vocabulary::STEPS.iter().map(|word| [code(word.name, word.example), word.about.into()]);
    table(["step", "what it does; what the wire sees"], rows)
}

fn keys_of_steps(places: &[Place]) -> String {
    let rows = places.iter().filter(|place| place.of == Of::Step).flat_map(|place| {
        let verb = format!("`{}`", place.name.trim_start_matches("step "));
        place.own.iter().map(move |key| [verb.clone(), code(key.name, key.example), key.about.into(), without(key)])
    });
    table(["step", "key", "meaning", "without it"], rows)
}

fn kinds() -> String {
    let rows = Vocabulary::SERVICES.iter().map(|word| {
        let key = word.keys.iter().copied().flatten().find(|key| key.name == word.key);
        [code(word.key, word.value.or(key.map(|key| key.example)).unwrap_or_default()), word.about.into()]
    });
    table(["key", "what the service is"], rows)
}

fn protocols() -> String {
    let rows = Vocabulary::PROTOCOLS.iter().map(|word| [code("protocol", word.name), word.about.into()]);
    table(["key", "what the client speaks"], rows)
}

fn warnings() -> String {
    let rows = LINTS.iter().map(|lint| [format!("`{}`", lint.name), lint.about.into(), lint.source.into()]);
    table(["warning", "what is found", "where that is written"], rows)
}
