//! Writes one test for each case of the scenarios.

use std::path::{Path, PathBuf};

#[path = "src/generate.rs"]
mod generate;

fn main() {
    let tests = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let scenarios = tests.parent().unwrap_or(&tests).join("scenarios");
    // cargo looks at a whole folder: a file that is added writes the tests again.
    println!("cargo::rerun-if-changed={}", scenarios.display());
    let written = Path::new(&variable("OUT_DIR")).join("scenarios.rs");
    if let Err(error) = std::fs::write(&written, generate::tests(&scenarios)) {
        println!("cargo::error=writing {}: {error}", written.display());
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}
