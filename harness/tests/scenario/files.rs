//! Where scenario files are found, and how they are loaded.

use std::fs;
use std::path::{Path, PathBuf};

use whyclosed::scenario::{find, load};

use crate::words::{TestWords, small};

/// A folder that is removed when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str, files: &[(&str, &str)]) -> Self {
        let folder = std::env::temp_dir().join(format!("whyclosed-{}-{test}", std::process::id()));
        for (file, text) in files {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap_or(&folder)).expect("the folder can be made");
            fs::write(path, text).expect("the file can be written");
        }
        Self(folder)
    }

    fn below(&self, paths: &[PathBuf]) -> Vec<String> {
        let below = paths.iter().map(|path| path.strip_prefix(&self.0).unwrap_or(path).display().to_string());
        below.collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_folder_means_its_yaml_files_sorted_and_without_the_hidden_ones() {
    let files = ["b/two.yaml", "b/one.yaml", "a.yaml", "_parts/x.yaml", "b/_y.yaml", "notes.txt", ".z.yaml"];
    let folder = Folder::new("find", &files.map(|file| (file, "")));
    let found = find(std::slice::from_ref(&folder.0));
    assert_eq!(folder.below(&found), ["a.yaml", "b/one.yaml", "b/two.yaml"]);
}

#[test]
fn a_file_is_taken_as_given_and_once() {
    let folder = Folder::new("given", &[("_x.yml", "")]);
    let path = folder.0.join("_x.yml");
    assert_eq!(find(&[path.clone(), path.clone()]), [path]);
}

#[test]
fn a_scenario_is_named_by_its_path_below_the_root() {
    let folder = Folder::new("root", &[("seed/idle.yaml", &small("timeline: [ idle: 1s ]\n"))]);
    let cases = load::<TestWords>(&folder.0.join("seed/idle.yaml"), Some(&folder.0)).expect("it is good");
    assert_eq!(cases[0].name(), "seed/idle");
}

#[test]
fn a_scenario_is_named_by_its_path_below_scenarios_without_a_root() {
    let folder = Folder::new("library", &[("scenarios/seed/idle.yaml", &small("timeline: [ idle: 1s ]\n"))]);
    let cases = load::<TestWords>(&folder.0.join("scenarios/seed/idle.yaml"), None).expect("it is good");
    assert_eq!(cases[0].name(), "seed/idle");
}

#[test]
fn a_file_that_a_scenario_names_is_looked_for_beside_it() {
    let service = "  lb: { node: server, proxy: haproxy, config: lb.cfg }\nclients:";
    let source = small("timeline: [ idle: 1s ]\n").replace("clients:", service);
    let folder = Folder::new("beside", &[("idle.yaml", &source), ("lb.cfg", "global\n")]);
    assert!(load::<TestWords>(&folder.0.join("idle.yaml"), None).is_ok());
    fs::remove_file(folder.0.join("lb.cfg")).expect("the file can be removed");
    let errors = load::<TestWords>(&folder.0.join("idle.yaml"), None).expect_err("the file is gone");
    assert_eq!(errors.iter().next().map(|(_, _, error)| error.message.as_str()), Some("no file `lb.cfg`"));
}

#[test]
fn a_file_that_is_not_there_is_an_error_that_says_so() {
    let errors = load::<TestWords>(Path::new("no-such-folder/x.yaml"), None).expect_err("there is no such file");
    insta::assert_snapshot!(errors, @r"
    error: cannot read scenario `no-such-folder/x.yaml`: No such file or directory (os error 2)
     |
     = help: give the path of a scenario file, or of a folder of them
    ");
}

#[test]
fn a_file_that_is_not_utf8_is_an_error_that_says_so() {
    let folder = Folder::new("latin", &[]);
    fs::create_dir_all(&folder.0).expect("the folder can be made");
    let path = folder.0.join("latin.yaml");
    fs::write(&path, b"title: caf\xe9\n").expect("the file can be written");
    let errors = load::<TestWords>(&path, None).expect_err("it is Latin-1");
    assert!(errors.to_string().contains("invalid utf-8"), "{errors}");
}
