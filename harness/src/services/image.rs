//! `image: name` or `image: { folder: … }`: any container image, and what is common to all services that run from one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Kind;
use crate::evidence::Role;
use crate::lab::bundle::Folder;
use crate::lab::container::Image;
use crate::lab::enter::Place;
use crate::scenario::{Fields, FileOrText, Mapped, Port, ServiceWord, Shape, Value};
use crate::{keys, shape};

/// The word in a scenario.
pub const WORD: ServiceWord<Arc<dyn Kind>> = ServiceWord {
    key: "image",
    value: None,
    beside: &["command"],
    about: "any image of this machine, or an unpacked one: [containers](containers.md)",
    keys: &[ImageKeys::TABLE, ContainerKeys::TABLE, FilesKeys::TABLE],
    decode,
};

/// Programs in containers start more slowly than others: they bring their own files, and some a whole virtual machine.
pub const READY_WITHIN: Duration = Duration::from_secs(60);

/// What goes into a container: by its path there.
pub type Files = BTreeMap<PathBuf, FileOrText>;

keys! {
    /// The image that a service runs from.
    pub(super) struct ImageKeys {
        IMAGE: optional ImageSource = "image", "rabbitmq:3", "the usual one, or the program of this machine",
            "an image of this machine, by its name, or an unpacked one: `{ folder: … }`";
    }
}

keys! {
    /// What goes into an image.
    pub(super) struct FilesKeys {
        FILES: optional Mapped<FileOrText> = "files", "{ /etc/motd: motd.txt }", "none",
            "path in the container → a file or text that is put there before it starts";
    }
}

keys! {
    /// The keys of any image.
    struct ContainerKeys {
        COMMAND: optional Vec<String> = "command", "[redis-server]", "its own",
            "arguments for its entrypoint, in place of its own";
        PORT: optional Port = "port", "6379", "none", "where it listens";
    }
}

keys! {
    /// An image that is a folder.
    struct FolderKeys {
        FOLDER: required String = "folder", "bundle",
            "the folder: a bundle as runc takes it, or a root file system";
        ENTRYPOINT: optional Vec<String> = "entrypoint", "[/bin/server]", "the bundle's", "what is started";
        USER: optional String = "user", "\"1000:1000\"", "the bundle's, or root", "whom it runs as, by name or number";
        DIRECTORY: optional String = "directory", "/srv", "the bundle's, or `/`", "its working directory, in the image";
    }
}

shape! {
    /// The name of an image, or a folder.
    pub(super) ImageSource = Shape::Either(&[Shape::Text, FolderKeys::SHAPE])
}

#[derive(Debug)]
struct Container {
    image: Source,
    command: Vec<String>,
    files: Files,
    port: Option<u16>,
}

fn decode(fields: &mut Fields<'_>) -> Option<Arc<dyn Kind>> {
    let image = source(fields)?;
    let command = fields.optional(ContainerKeys::COMMAND).unwrap_or_default();
    let port = fields.optional(ContainerKeys::PORT).map(|port| port.0);
    let files = files(fields);
    Some(Arc::new(Container { image: image?, command, files: files?, port }))
}

/// Where an image is.
#[derive(Clone, Debug)]
pub enum Source {
    /// The engine has it, by this name.
    Name(String),
    /// It is a folder.
    Folder(Folder),
}

/// The image of a kind of service that has one.
#[derive(Debug)]
pub struct Usual {
    /// Its name.
    pub name: &'static str,
    /// What `make images` builds, for where there is no such image.
    pub instead: &'static str,
    /// The environment variable that names another one.
    pub variable: &'static str,
}

/// Reads the key `image`, if it is there: a name as the engine takes it, or a folder. The outer `None` is an error that has been
/// added.
pub fn source(fields: &mut Fields<'_>) -> Option<Option<Source>> {
    let Some(value) = fields.optional_value(ImageKeys::IMAGE) else { return Some(None) };
    if value.is_mapping() {
        return folder(&value).map(Source::Folder).map(Some);
    }
    let name = value.scalar("the name of an image, such as `rabbitmq:3`, or `{ folder: … }`")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    if name.is_empty() || !name.chars().all(fits) {
        value.error("no engine has an image of this name: it consists of letters, digits and `._-/:@`");
        return None;
    }
    Some(Some(Source::Name(name.to_owned())))
}

fn folder(value: &Value<'_>) -> Option<Folder> {
    let mut fields = value.fields(FolderKeys::TABLE)?;
    let place = fields.required_value(FolderKeys::FOLDER);
    let entrypoint = fields.optional(FolderKeys::ENTRYPOINT);
    let user = fields.optional(FolderKeys::USER);
    let directory = fields.optional(FolderKeys::DIRECTORY).map(PathBuf::from);
    fields.finish();
    let place = place?;
    let path = place.directory().join(place.scalar("the path of a folder")?);
    if !path.is_dir() {
        place.error(format!("there is no folder {}", path.display()));
        return None;
    }
    if directory.as_ref().is_some_and(|directory| !directory.is_absolute()) {
        fields.error_at(FolderKeys::DIRECTORY.name, "this is a path in the image, and has to start with `/`");
        return None;
    }
    Some(Folder { path, entrypoint, user, directory })
}

/// Reads the key `files`: path in the container → a file, or its content.
pub fn files(fields: &mut Fields<'_>) -> Option<Files> {
    let Some(value) = fields.optional_value(FilesKeys::FILES) else { return Some(Files::new()) };
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

/// The image that was named. The usual one is another where the environment says so, or what does as well where it is missing.
#[must_use]
pub fn chosen(named: Option<&Source>, usual: &Usual) -> Image {
    match named {
        Some(Source::Name(name)) if name == usual.name => {}
        Some(source) => return named_by(source),
        None => {}
    }
    match std::env::var(usual.variable) {
        Ok(name) => Image { name, ..Image::default() },
        Err(_) => Image { name: usual.name.into(), instead: Some(usual.instead), ..Image::default() },
    }
}

fn named_by(source: &Source) -> Image {
    match source {
        Source::Name(name) => Image { name: name.clone(), ..Image::default() },
        Source::Folder(folder) => {
            Image { name: folder.path.display().to_string(), folder: Some(folder.clone()), ..Image::default() }
        }
    }
}

/// The words that start a program of an image when its wires are there. A container's program starts a moment before, and may bind to its
/// node's address for so long ([`crate::lab::container`]): a proxy would find all its servers down.
///
/// What `read` returns tells nothing: a shell that reads byte by byte gets no line's end from a sysctl.
#[must_use]
pub fn when_wired(argv: impl Iterator<Item = String>) -> Vec<String> {
    const WAIT: &str =
        r#"while read -r early </proc/sys/net/ipv4/ip_nonlocal_bind; [ "$early" = 1 ]; do sleep 0.01; done; exec "$@""#;
    ["sh", "-c", WAIT, "sh"].map(String::from).into_iter().chain(argv).collect()
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
        Ok(Some(Image { command: self.command.clone(), files, ..named_by(&self.image) }))
    }

    fn place(&self, _directory: &Path, _env: &[(String, String)]) -> std::io::Result<Place> {
        no_place()
    }
}
