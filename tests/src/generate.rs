//! From a folder of scenarios to the source of their tests: a module for each folder, a function for each file, a case for each
//! case.
//!
//! The build script compiles this file too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use whyclosed::run::{REAL, VIRTUAL};
use whyclosed::scenario::{find, load};
use whyclosed::{Case, Vocabulary};

/// The folder of scenarios whose expectations must not hold.
pub const NEGATIVE: &str = "negative";
/// In the names of cases with the durations that people really set.
const FULL: &str = "length=full";

/// The cases of real length that are also run on the real clock, to prove that both clocks agree.
const AGREE: [&str; 3] = [
    "seed/idle[proxy=haproxy,length=full]",
    "seed/cut-client[proxy=haproxy,clitcpka=with,length=full]",
    "seed/cut-server[proxy=haproxy,srvtcpka=with,length=full]",
];

/// The folders whose short cases are also run on the real clock. `proxies/` is not among them: on a full machine five of its cases
/// differed, by lateness or in how firm they are, and not all causes are known (docs/notes/two-clocks.md). Nor is `mqtt/`: whether after
/// DISCONNECT, or after a CONNACK that refuses, mosquitto's FIN or the client's is first, and at which of its looks mosquitto finds a client
/// silent, is chance there.
const ON_BOTH: [&str; 7] = ["amqp/", "applications/", "kernel/", "middleboxes/", "negative/", "nginx/", "seed/"];

/// Cases that the real clock does not tell alike each time: RabbitMQ's last heartbeat and its RST leave in the same instant, and
/// whether HAProxy finds them together, and takes the RST for a FIN, is chance.
const BY_CHANCE: [&str; 1] = ["amqp/frozen-behind-proxy[proxy=haproxy,victim=client,"];

/// Cases of a minute or more that have no short form; and attempts that never come to a wire, as on the machine's own kernel such an
/// attempt could be that of a stranger.
const VIRTUAL_ONLY: [&str; 7] = [
    "kernel/dynamic-neighbours-in-flight[",
    "kernel/dynamic-neighbours[",
    "kernel/stop-reading[",
    "kernel/synack-lost",
    "kernel/unreachable[",
    "kernel/user-timeout-outlasts[",
    "middleboxes/half-closed[",
];

/// Cases of services that are images that are also run on the virtual clock,
const IMAGES_ON_BOTH: [&str; 6] = [
    "containers/haproxy",
    "containers/nginx",
    "rabbitmq/frozen",
    "rabbitmq/never-acknowledges",
    "rabbitmq/pika-frozen-broker",
    "rabbitmq/two-behind-proxy",
];
/// and those that are run there only, as they take minutes.
const IMAGES_VIRTUAL_ONLY: &str = "rabbitmq/heartbeats[";

/// A clock, and why its tests need root, if they do.
struct Clock {
    name: &'static str,
    needs: Option<&'static str>,
}

const ANYBODY: Clock = Clock { name: VIRTUAL, needs: None };
const AS_ROOT: Clock = Clock { name: REAL, needs: Some("the real clock needs root: make test-real") };

/// The source of the tests of all scenarios below `root` on a clock.
///
/// On the real clock these are the cases that are over in seconds, and [`AGREE`]; and they need root.
///
/// A file that is no scenario becomes a test that fails and says why, so that the others run.
#[must_use]
pub fn tests(root: &Path, clock: &str) -> String {
    let on_clock = |below: &str, case: &Case| !has_images(case) && (clock == VIRTUAL || on_real(below, case));
    written(root, if clock == VIRTUAL { &ANYBODY } else { &AS_ROOT }, &on_clock)
}

/// The source of the tests of all scenarios below `root` with services that are images. Their cases are short and run on the real
/// clock but for [`IMAGES_VIRTUAL_ONLY`], and [`IMAGES_ON_BOTH`] on both; they are a program of their own, as their start would make other cases late.
#[must_use]
pub fn tests_of_images(root: &Path) -> String {
    let takes_minutes = |case: &Case| case.name().starts_with(IMAGES_VIRTUAL_ONLY);
    let really = written(root, &AS_ROOT, &|_, case| has_images(case) && !takes_minutes(case));
    let on_both = |case: &Case| IMAGES_ON_BOTH.contains(&case.name().as_str()) || takes_minutes(case);
    let clock = Clock { name: VIRTUAL, needs: Some("its image is unpacked as root: make test-real") };
    let virtually = written(root, &clock, &|_, case| has_images(case) && on_both(case));
    format!("{really}mod virtual_clock {{\n{virtually}}}\n")
}

/// The source of the tests of those cases that are `wanted`, by their file's path below `root`.
fn written(root: &Path, clock: &Clock, wanted: &dyn Fn(&str, &Case) -> bool) -> String {
    let mut top = Folder::default();
    for file in find(&[root.to_owned()]) {
        let Ok(below) = file.strip_prefix(root) else { continue };
        let mut folders: Vec<String> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let Some(name) = folders.pop() else { continue };
        let folder = folders.iter().fold(&mut top, |folder, name| folder.folders.entry(name.clone()).or_default());
        let negative = folders.first().is_some_and(|first| first == NEGATIVE);
        folder.files.push(File {
            stem: stem(&name),
            path: below.display().to_string(),
            negative,
            cases: cases(&file, &below.display().to_string(), wanted),
        });
    }
    let mut source = String::new();
    top.write(clock, &mut source);
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

fn cases(file: &Path, below: &str, wanted: &dyn Fn(&str, &Case) -> bool) -> Result<Vec<Case>, String> {
    let mut cases = load::<Vocabulary>(file, None).map_err(|errors| errors.render(false))?;
    cases.retain(|case| wanted(below, case));
    Ok(cases)
}

fn has_images(case: &Case) -> bool {
    case.services.iter().any(|service| !matches!(service.kind.image(), Ok(None)))
}

/// Whether a case of the file at this path is also run on the real clock: it is short, and needs nothing of the kernel that this
/// machine may lack.
fn on_real(below: &str, case: &Case) -> bool {
    if !ON_BOTH.iter().any(|folder| below.starts_with(folder)) {
        return false;
    }
    let name = case.name();
    if BY_CHANCE.iter().chain(&VIRTUAL_ONLY).any(|case| name.starts_with(case)) {
        return false;
    }
    let untouched =
        case.wires.iter().all(|wire| wire.quality.is_none()) && case.timeline.iter().all(|step| step.verb != "shape");
    untouched && (!name.contains(FULL) || AGREE.contains(&name.as_str()))
}

fn stem(name: &str) -> String {
    name.strip_suffix(".yaml").unwrap_or(name).to_owned()
}

impl Folder {
    fn write(&self, clock: &Clock, source: &mut String) {
        let mut names = Names::default();
        for file in &self.files {
            file.write(&names.claim(&file.stem), clock, source);
        }
        for (name, folder) in &self.folders {
            let _ = writeln!(source, "mod {} {{", names.claim(name));
            folder.write(clock, source);
            source.push_str("}\n");
        }
    }
}

impl File {
    fn write(&self, function: &str, clock: &Clock, source: &mut String) {
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
        if cases.is_empty() {
            return;
        }
        source.push_str("#[rstest::rstest]\n");
        for case in cases {
            let _ = writeln!(source, "#[case::{}({:?})]", names.claim(&label(case)), case.name());
        }
        if let Some(why) = clock.needs {
            let _ = writeln!(source, "#[cfg_attr(not(whyclosed_root), ignore = {why:?})]");
        }
        let program = "whyclosed_tests::under_test!()";
        let call = format!("whyclosed_tests::case::{body}({program}, {:?}, {:?}, case)", clock.name, self.path);
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
