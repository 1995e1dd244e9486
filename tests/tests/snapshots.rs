//! The snapshots of cases.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use whyclosed::Vocabulary;
use whyclosed::report::results::folder;
use whyclosed::scenario::{find, load};
use whyclosed_tests::case::{scenarios, snapshots};
use whyclosed_tests::{Failure, Result, ensure};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "snap") {
            found.push(path);
        }
    }
}

#[test]
fn every_snapshot_belongs_to_a_case() -> Result {
    let mut cases = BTreeSet::new();
    for file in find(&[scenarios()]) {
        for case in load::<Vocabulary>(&file, None).map_err(|errors| Failure::new(errors.render(false)))? {
            cases.insert(snapshots().join(format!("{}.snap", folder(&case))));
        }
    }
    let mut found = Vec::new();
    files(&snapshots(), &mut found);
    let stray: Vec<_> =
        found.iter().filter(|file| !cases.contains(*file)).map(|file| file.display().to_string()).collect();
    ensure!(stray.is_empty(), "no case has these snapshots; remove them:\n  {}", stray.join("\n  "));
    Ok(())
}
