//! Verdict rules on evidence saved from real runs.
//!
//! `harness/tests/evidence/refresh` runs the short seed scenarios and saves their evidence anew; no line of it is ever typed by
//! hand. Changing only an expectation cannot change a verdict: a scenario is not among `judge`'s arguments.

use std::fs;
use std::path::Path;

use whyclosed::evidence::{Event, Source, without};
use whyclosed::verdict::{AMBIGUOUS, UNKNOWN, Verdict, Verdicts, judge};

fn read(file: &Path) -> Vec<Event> {
    let text = fs::read_to_string(file).expect("saved evidence can be read");
    text.lines().map(|line| serde_json::from_str(line).expect("every line is a fact")).collect()
}

/// Each saved run: its name and its evidence.
fn saved() -> Vec<(String, Vec<Event>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/evidence");
    let files = fs::read_dir(folder).expect("there is saved evidence").flatten().map(|entry| entry.path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|kind| kind == "ndjson")).collect();
    files.sort();
    let name = |file: &Path| file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    files.iter().map(|file| (name(file), read(file))).collect()
}

#[test]
fn every_saved_run_has_the_verdicts_of_its_snapshot() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("evidence");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (name, events) in saved() {
            let mut verdicts = judge(&events);
            // They are in the evidence, and say nothing of how a connection ended.
            verdicts.connections.iter_mut().for_each(|verdict| verdict.addresses = None);
            insta::assert_yaml_snapshot!(name, verdicts);
        }
    });
}

#[test]
fn verdicts_are_a_function_of_evidence_alone() {
    for (name, events) in saved() {
        assert_eq!(judge(&events), judge(&events), "{name}");
    }
}

#[test]
fn without_one_kind_of_source_a_verdict_is_the_same_or_open_to_doubt() {
    let mut changed = Vec::new();
    for (name, events) in saved() {
        let whole = judge(&events);
        for source in Source::ABLATABLE {
            let less = judge(&without(&events, source));
            let others = others(&whole, &less).into_iter();
            changed.extend(others.map(|change| format!("{name} without {}: {change}", source.name())));
        }
    }
    assert!(changed.is_empty(), "{} verdicts name another mechanism:\n{}", changed.len(), changed.join("\n"));
}

/// The verdicts of `less` that name another mechanism than `whole` does, for a connection or for an endpoint.
fn others(whole: &Verdicts, less: &Verdicts) -> Vec<String> {
    let mut others = Vec::new();
    let mut left: Vec<&Verdict> = whole.connections.iter().collect();
    for verdict in &less.connections {
        let Some(before) = counterpart(&mut left, verdict) else {
            // Without the proxy's own word a health check is a connection like any other.
            let name = format!("{}->{}", verdict.from, verdict.to);
            if !whole.checks.iter().any(|check| check.name == name) {
                others.push(format!("{} was not there before", verdict.name));
            }
            continue;
        };
        let connection = (verdict.name.clone(), &before.mechanism, &verdict.mechanism);
        let ends = before.endpoints.iter().zip(&verdict.endpoints);
        let later = ends.clone().filter_map(|(a, b)| {
            let (before, now) = (a.afterwards.as_ref(), b.afterwards.as_ref()?);
            let before = before.map_or(&a.mechanism, |afterwards| &afterwards.mechanism);
            Some((format!("{} at {}, afterwards", verdict.name, a.node), before, &now.mechanism))
        });
        let ends = ends.map(|(a, b)| (format!("{} at {}", verdict.name, a.node), &a.mechanism, &b.mechanism));
        let named = std::iter::once(connection).chain(ends).chain(later);
        let other = named.filter(|(_, before, now)| before != now && *now != AMBIGUOUS && *now != UNKNOWN);
        others.extend(other.map(|(what, before, now)| format!("{what}: {before} became {now}")));
    }
    others
}

/// Takes the same connection out of those that are left: one between the same nodes that ended at the nearest moment. Names of
/// clients and sessions may not be known.
fn counterpart<'a>(left: &mut Vec<&'a Verdict>, verdict: &Verdict) -> Option<&'a Verdict> {
    let distance = |other: &Verdict| match (other.at_s, verdict.at_s) {
        (Some(a), Some(b)) => (a - b).abs(),
        (None, None) => 0.0,
        _ => f64::MAX,
    };
    let same = |other: &&(usize, &Verdict)| (&other.1.from, &other.1.to) == (&verdict.from, &verdict.to);
    let all: Vec<(usize, &Verdict)> = left.iter().copied().enumerate().collect();
    let nearest = all.iter().filter(same).min_by(|a, b| distance(a.1).total_cmp(&distance(b.1)))?;
    Some(left.remove(nearest.0))
}
