//! Writes one test for each case of the scenarios.

use std::path::{Path, PathBuf};

use whyclosed::run::{REAL, VIRTUAL};

#[path = "src/generate.rs"]
mod generate;
#[path = "../netns/build.rs"]
mod root;

fn main() {
    let tests = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let scenarios = tests.parent().unwrap_or(&tests).join("scenarios");
    // cargo looks at a whole folder: a file that is added writes the tests again.
    println!("cargo::rerun-if-changed={}", scenarios.display());
    for (file, source) in [
        ("scenarios.rs", generate::tests(&scenarios, VIRTUAL)),
        ("real_clock.rs", generate::tests(&scenarios, REAL)),
        ("images.rs", generate::tests_of_images(&scenarios)),
    ] {
        let written = Path::new(&variable("OUT_DIR")).join(file);
        if let Err(error) = std::fs::write(&written, source) {
            println!("cargo::error=writing {}: {error}", written.display());
        }
    }
    root::main();
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}
