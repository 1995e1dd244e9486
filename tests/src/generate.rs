//! From a folder of scenarios to the source of their tests: a module for each folder, a function for each file, a case for each
//! case.
//!
//! The build script compiles this file too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use whyclosed::scenario::{find, load};
use whyclosed::{Case, Vocabulary};

/// The folder of scenarios whose expectations must not hold.
pub const NEGATIVE: &str = "negative";

/// The source of the tests of all scenarios below `root`.
///
/// A file that is no scenario becomes a test that fails and says why, so that the others run.
#[must_use]
pub fn tests(root: &Path) -> String {
    let mut top = Folder::default();
    for file in find(&[root.to_owned()]) {
        let Ok(below) = file.strip_prefix(root) else { continue };
        let mut folders: Vec<String> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let Some(name) = folders.pop() else { continue };
        let folder = folders.iter().fold(&mut top, |folder, name| folder.folders.entry(name.clone()).or_default());
        let negative = folders.first().is_some_and(|first| first == NEGATIVE);
        folder.files.push(File { stem: stem(&name), path: below.display().to_string(), negative, cases: cases(&file) });
    }
    let mut source = String::new();
    top.write(&mut source);
    source
}

#[derive(Default)]
struct Folder {
    folders: BTreeMap<String, Folder>,
    files: Vec<File>,
}

struct File {
    stem: String,
    path: String,
    negative: bool,
    /// What is wrong with the file, if it is no scenario.
    cases: Result<Vec<Case>, String>,
}

fn cases(file: &Path) -> Result<Vec<Case>, String> {
    load::<Vocabulary>(file, None).map_err(|errors| errors.render(false))
}

fn stem(name: &str) -> String {
    name.strip_suffix(".yaml").unwrap_or(name).to_owned()
}

impl Folder {
    fn write(&self, source: &mut String) {
        let mut names = Names::default();
        for file in &self.files {
            file.write(&names.claim(&file.stem), source);
        }
        for (name, folder) in &self.folders {
            let _ = writeln!(source, "mod {} {{", names.claim(name));
            folder.write(source);
            source.push_str("}\n");
        }
    }
}

impl File {
    fn write(&self, function: &str, source: &mut String) {
        let body = if self.negative { "is_refused" } else { "holds" };
        let cases = match &self.cases {
            Ok(cases) => cases.as_slice(),
            Err(errors) => {
                let failure = format!("Err(whyclosed_tests::Failure::new({errors:?}))");
                let _ = writeln!(source, "#[test]\nfn {function}() -> whyclosed_tests::Result {{\n    {failure}\n}}");
                return;
            }
        };
        let mut names = Names::default();
        source.push_str("#[rstest::rstest]\n");
        for case in cases {
            let _ = writeln!(source, "#[case::{}({:?})]", names.claim(&label(case)), case.name());
        }
        let call = format!("whyclosed_tests::case::{body}(whyclosed_tests::under_test!(), {:?}, case)", self.path);
        let _ = writeln!(source, "fn {function}(#[case] case: &str) -> whyclosed_tests::Result {{\n    {call}\n}}");
    }
}

/// `length_short_peers_close`, or `only` without a matrix.
fn label(case: &Case) -> String {
    let values: Vec<_> = case.values.iter().map(|(dimension, value)| format!("{dimension}_{value}")).collect();
    if values.is_empty() { "only".into() } else { values.join("_") }
}

/// The identifiers of one scope.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl Names {
    /// An identifier that reads like `text` and is not in this scope yet.
    fn claim(&mut self, text: &str) -> String {
        let mut name: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        // No keyword ends in `_`, and no identifier starts with a digit.
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            name.insert(0, '_');
        }
        if KEYWORDS.contains(&name.as_str()) || name.chars().all(|c| c == '_') {
            name.push_str("_0");
        }
        while !self.0.insert(name.clone()) {
            name.push('_');
        }
        name
    }
}

/// Words that are no identifiers (the Rust reference, 2.1).
const KEYWORDS: [&str; 51] = [
    "as", "break", "const", "continue", "crate", "else", "enum", "extern", "false", "fn", "for", "if", "impl", "in",
    "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "self", "Self", "static", "struct", "super",
    "trait", "true", "type", "unsafe", "use", "where", "while", "async", "await", "dyn", "abstract", "become", "box",
    "do", "final", "macro", "override", "priv", "typeof", "unsized", "virtual", "yield", "try",
];
