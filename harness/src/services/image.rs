//! `image: name`: any container image, and what is common to all services that run from one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Kind;
use crate::evidence::Role;
use crate::lab::container::Image;
use crate::lab::enter::Place;
use crate::scenario::{Fields, FileOrText, Port, ServiceWord};

/// The word in a scenario.
pub const WORD: ServiceWord<Arc<dyn Kind>> = ServiceWord {
    key: "image",
    value: None,
    beside: &["command"],
    about: "a container from an image of this machine: `command` (arguments for its entrypoint), `files`, `port`",
    decode,
};

/// Programs in containers start more slowly than others: they bring their own files, and some a whole virtual machine.
pub const READY_WITHIN: Duration = Duration::from_secs(60);

/// What goes into a container: by its path there.
pub type Files = BTreeMap<PathBuf, FileOrText>;

#[derive(Debug)]
struct Container {
    image: String,
    command: Vec<String>,
    files: Files,
    port: Option<u16>,
}

fn decode(fields: &mut Fields<'_>) -> Option<Arc<dyn Kind>> {
    let image = name(fields)?;
    let command = fields.optional::<Vec<String>>("command").unwrap_or_default();
    let port = fields.optional::<Port>("port").map(|port| port.0);
    let files = files(fields);
    Some(Arc::new(Container { image: image?, command, files: files?, port }))
}

/// Reads the key `image`: a name as the engine takes it, if the key is there. The outer `None` is an error that has been added.
pub fn name(fields: &mut Fields<'_>) -> Option<Option<String>> {
    let Some(value) = fields.optional_value("image") else { return Some(None) };
    let name = value.scalar("the name of an image, such as `rabbitmq:3`")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    if name.is_empty() || !name.chars().all(fits) {
        value.error("no engine has an image of this name: it consists of letters, digits and `._-/:@`");
        return None;
    }
    Some(Some(name.to_owned()))
}

/// Reads the key `files`: path in the container → a file, or its content.
pub fn files(fields: &mut Fields<'_>) -> Option<Files> {
    let Some(value) = fields.optional_value("files") else { return Some(Files::new()) };
    let mut files = Files::new();
    for (path, content) in value.entries()? {
        if !Path::new(path).is_absolute() {
            content.error(format!("`{path}` is a path in the container, and has to start with `/`"));
            return None;
        }
        files.insert(path.into(), content.decode()?);
    }
    Some(files)
}

/// What the files are now.
///
/// # Errors
/// When one cannot be read.
pub fn read(files: &Files) -> std::io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let content = |content: &FileOrText| match content {
        FileOrText::Text(text) => Ok(text.clone().into_bytes()),
        FileOrText::File(path) => std::fs::read(path),
    };
    files.iter().map(|(path, file)| Ok((path.clone(), content(file)?))).collect()
}

/// The image that was named; or the usual one, and what does as well where that is missing.
#[must_use]
pub fn chosen(named: Option<&str>, usual: &str, instead: &'static str) -> (String, Option<&'static str>) {
    named.map_or_else(|| (usual.to_owned(), Some(instead)), |named| (named.to_owned(), None))
}

/// What [`Kind::place`] says of an image.
///
/// # Errors
/// Always.
pub fn no_place() -> std::io::Result<Place> {
    Err(std::io::Error::other("an image is no program of this machine"))
}

impl Kind for Container {
    fn name(&self) -> &'static str {
        "image"
    }

    fn role(&self) -> Role {
        Role::Server
    }

    fn port(&self) -> Option<u16> {
        self.port
    }

    fn ready_within(&self) -> Duration {
        READY_WITHIN
    }

    fn image(&self) -> std::io::Result<Option<Image>> {
        let files = read(&self.files)?;
        Ok(Some(Image { name: self.image.clone(), command: self.command.clone(), files, ..Image::default() }))
    }

    fn place(&self, _directory: &Path, _env: &[(String, String)]) -> std::io::Result<Place> {
        no_place()
    }
}
