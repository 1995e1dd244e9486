//! `whyclosed new NAME`

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{BROKEN, PASSED};

/// A small scenario that runs, with comments for who reads one for the first time.
const SCENARIO: &str = include_str!("new.yaml");
/// What scenarios' files end with; [`crate::scenario::find`] looks for these.
const EXTENSION: &str = "yaml";
/// The schema of scenarios, as this program's own library has it: beside the files that name it, or above.
const SCHEMA: &str = "scenario.schema.json";

/// What is to be written.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The scenario's name, or its path: `hang`, `scenarios/mine/hang.yaml`
    name: PathBuf,
}

/// Writes a scenario to begin with.
pub fn main(arguments: &Arguments) -> u8 {
    match write(&arguments.name) {
        Ok(path) => {
            let path = path.display();
            anstream::println!("wrote {path}\n\n  whyclosed check {path}\n  whyclosed run {path}");
            PASSED
        }
        Err(reason) => {
            anstream::eprintln!("{reason}");
            BROKEN
        }
    }
}

/// Writes the scenario; says where.
///
/// # Errors
/// In words for people: the name is not fit for a file that is found again, or there is such a file.
fn write(name: &Path) -> Result<PathBuf, String> {
    let path = if name.extension().is_some_and(|extension| extension == EXTENSION) {
        name.to_owned()
    } else {
        PathBuf::from(format!("{}.{EXTENSION}", name.display()))
    };
    let shown = path.display();
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    if name.ends_with("..") || name.to_string_lossy().ends_with('/') || stem.is_empty() {
        return Err(format!("`{}` names a folder: give the scenario a name too", name.display()));
    }
    if stem.starts_with(['_', '.']) {
        return Err(format!(
            "writing {shown}: files whose names start with `_` or `.` are left out when a folder is run"
        ));
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| format!("making the folder {}: {error}", folder.display()))?;
    }
    let text = format!("{}{SCENARIO}", schema_line(&path));
    let written = File::create_new(&path).and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Ok(()) => Ok(path),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(format!("writing {shown}: there is such a file already, and it stays as it is; choose another name"))
        }
        Err(error) => Err(format!("writing {shown}: {error}")),
    }
}

/// The line by which editors find the schema, if there is one beside the file or above it.
fn schema_line(path: &Path) -> String {
    let folder = std::path::absolute(path).ok().and_then(|path| path.parent().map(Path::to_owned)).unwrap_or_default();
    let above = folder.ancestors().position(|folder| folder.join(SCHEMA).is_file());
    above.map_or_else(String::new, |levels| {
        format!("# yaml-language-server: $schema={}{SCHEMA}\n", "../".repeat(levels))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Vocabulary;
    use crate::scenario::parse;

    #[test]
    fn the_scenario_to_begin_with_is_valid() {
        let cases = parse::<Vocabulary>("new.yaml", SCENARIO, "new", Path::new("."));
        assert_eq!(cases.map(|cases| cases.len()).map_err(|errors| errors.to_string()), Ok(1));
    }

    #[test]
    fn a_name_gets_its_extension_and_its_folders() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(&folder.path().join("mine/hang")).unwrap();
        assert_eq!(path, folder.path().join("mine/hang.yaml"));
        assert_eq!(std::fs::read_to_string(path).unwrap(), SCENARIO);
    }

    #[test]
    fn a_file_below_a_schema_names_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(SCHEMA), "{}").unwrap();
        let path = write(&folder.path().join("mine/hang")).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.starts_with("# yaml-language-server: $schema=../scenario.schema.json\ntitle: "), "{text}");
    }

    #[test]
    fn a_file_that_is_there_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hang.yaml");
        std::fs::write(&path, "mine").unwrap();
        assert!(write(&path).unwrap_err().contains("stays as it is"));
        assert_eq!(std::fs::read_to_string(path).unwrap(), "mine");
    }

    #[test]
    fn a_name_that_would_not_be_found_again_is_refused() {
        for name in ["_parts", ".hidden.yaml", "folder/", "..", ""] {
            assert!(write(Path::new(name)).is_err(), "{name}");
        }
    }
}
