//! Configuration files of services: the user's own, or a text in the scenario.

use std::path::{Path, PathBuf};

use crate::scenario::FileOrText;

/// What it says now.
///
/// # Errors
/// When the file cannot be read.
pub fn text(config: &FileOrText) -> std::io::Result<String> {
    match config {
        FileOrText::Text(text) => Ok(text.clone()),
        FileOrText::File(path) => std::fs::read_to_string(path),
    }
}

/// Where the program finds it: the user's own file where that is, or a text at `inside`, which is then added to its files.
///
/// # Errors
/// When there is no working directory.
pub fn place(config: &FileOrText, inside: &str, files: &mut Vec<(PathBuf, String)>) -> std::io::Result<String> {
    let path = match config {
        FileOrText::File(path) => std::path::absolute(path)?,
        FileOrText::Text(text) => {
            files.push((PathBuf::from(inside), text.clone()));
            Path::new(inside).to_path_buf()
        }
    };
    Ok(path.display().to_string())
}
