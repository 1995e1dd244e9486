//! Scenario files: where they are, and what they are called.

use std::path::{Component, Path, PathBuf};

/// The folder whose name ends a scenario's name when no root is given.
const LIBRARY: &str = "scenarios";

/// The scenario files that `paths` mean: files as given, folders with every `*.yaml` below them.
///
/// Sorted and without repetition. Files and folders below a given folder whose names start with `_` or `.` are left
/// out. A path that is not there or cannot be read is kept, so that [`load`](super::load) says what is wrong with it.
#[must_use]
pub fn find(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            walk(path, &mut found);
        } else {
            found.push(path.clone());
        }
    }
    found.sort();
    found.dedup();
    found
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = folder.read_dir() else {
        found.push(folder.to_owned());
        return;
    };
    for entry in entries.flatten() {
        let hidden = entry.file_name().to_string_lossy().starts_with(['_', '.']);
        // A link to a folder is not followed: it could lead back up.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let path = entry.path();
        if hidden {
            continue;
        } else if is_folder {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
}

/// A scenario's name: its path below `root` without extension, with `/` between its parts. Without a root, the path
/// below the last folder called `scenarios`, or else the file's name alone.
pub(super) fn name(path: &Path, root: Option<&Path>) -> String {
    let stem = path.with_extension("");
    let below = match root {
        Some(root) => stem.strip_prefix(root).ok().map(Path::to_owned),
        None => below_library(&stem),
    };
    let below = below.unwrap_or_else(|| stem.file_name().map(PathBuf::from).unwrap_or_default());
    let parts = below.components().filter_map(|component| match component {
        Component::Normal(part) => Some(part.to_string_lossy().into_owned()),
        _ => None,
    });
    parts.collect::<Vec<_>>().join("/")
}

fn below_library(stem: &Path) -> Option<PathBuf> {
    let folders: Vec<_> = stem.components().collect();
    let last = folders.iter().rposition(|folder| folder.as_os_str() == LIBRARY)?;
    let below: PathBuf = folders[last + 1..].iter().collect();
    (below != Path::new("")).then_some(below)
}
