//! An image on the virtual clock: its files, unpacked once on the host, and its program started on them in the guest.
//!
//! The files are in the cache beside the kernel, by the image's own identity: another image of the same name is another folder.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::container::Image;
use super::enter::{Place, environment};
use super::{Error, doing, engine};
use crate::claim::claim;
use crate::kernel;

/// In an image's folder: its files;
const FILES: &str = "files";
/// what it says of itself. It is written last.
const ABOUT: &str = "image.json";
/// How long an image may be waited for that somebody else unpacks, and how often it is looked for.
const UNPACK_LIMIT: Duration = Duration::from_secs(600);
const UNPACK_POLL: Duration = Duration::from_millis(100);

/// An unpacked image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpacked {
    /// Where its files are.
    pub files: PathBuf,
    /// Its entrypoint.
    pub entrypoint: Vec<String>,
    /// The arguments for that, unless others are given.
    pub command: Vec<String>,
    /// Its environment, `NAME=value`.
    pub env: Vec<String>,
    /// Its user; none where the files could not be given to their owners: then only root can use them all.
    pub user: Option<String>,
    /// Its working directory.
    pub directory: PathBuf,
}

impl Unpacked {
    /// The image's program, and its place.
    ///
    /// # Errors
    /// When a file that goes into it is no text.
    pub fn place(&self, image: &Image, env: &[(String, String)]) -> std::io::Result<Place> {
        let own = self.env.iter().filter_map(|line| line.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned()));
        let env: BTreeMap<_, _> = own.chain(image.env.clone()).chain(env.iter().cloned()).collect();
        let arguments = if image.command.is_empty() { &self.command } else { &image.command };
        let text = |(path, content): &(PathBuf, Vec<u8>)| {
            let text = String::from_utf8(content.clone())
                .map_err(|_| std::io::Error::other(format!("what goes to {} is no text in UTF-8", path.display())))?;
            Ok((path.clone(), text))
        };
        let argv: Vec<_> = self.entrypoint.iter().chain(arguments).cloned().collect();
        if argv.is_empty() {
            let missing = "nothing says what to start: give `entrypoint` beside `folder`, or a `command`";
            return Err(std::io::Error::other(missing));
        }
        Ok(Place {
            argv,
            env: environment(&env.into_iter().collect::<Vec<_>>()),
            directory: self.directory.clone(),
            files: image.files.iter().map(text).collect::<std::io::Result<_>>()?,
            root: Some(self.files.clone()),
            user: self.user.clone(),
            ..Place::default()
        })
    }
}

/// Finds an image, unpacked or to be unpacked now.
///
/// # Errors
/// When the engine or the image is missing, or the files cannot be written.
pub async fn unpack(image: &Image) -> Result<Unpacked, Error> {
    let what = format!("unpacking the image `{}`", image.name);
    let failed = |e: std::io::Error| doing(&what, e);
    if let Some(folder) = &image.folder {
        return folder.unpacked().map_err(failed);
    }
    let engine = engine::reach().await.map_err(failed)?;
    let found = engine::find_image(&engine, &image.name, image.instead).await.map_err(failed)?;
    let (id, about) = engine::about(&engine, found).await.map_err(failed)?;
    let folder = kernel::cache().join("images").join(id.replace(':', "-"));
    // One at a time: others find it done.
    let _turn = claim("unpack", &[0], UNPACK_POLL, UNPACK_LIMIT).await.map_err(failed)?;
    if let Ok(text) = fs::read(folder.join(ABOUT)) {
        return serde_json::from_slice(&text).map_err(|e| failed(e.into()));
    }
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(failed)?;
    let archive = folder.join("files.tar");
    let file = File::create(&archive).map_err(failed)?;
    engine::export(&engine, found, file).await.map_err(failed)?;
    let root = nix::unistd::geteuid().is_root();
    let files = folder.join(FILES);
    let unpacked = Unpacked {
        files: files.clone(),
        user: about.user.filter(|user| root && !user.is_empty()),
        entrypoint: about.entrypoint.unwrap_or_default(),
        command: about.cmd.unwrap_or_default(),
        env: about.env.unwrap_or_default(),
        directory: about.working_dir.filter(|directory| !directory.is_empty()).unwrap_or_else(|| "/".into()).into(),
    };
    let from = archive.clone();
    let written = tokio::task::spawn_blocking(move || write(&from, &files, root)).await;
    written.map_err(|e| failed(std::io::Error::other(e)))?.map_err(failed)?;
    fs::remove_file(&archive).map_err(failed)?;
    let text = serde_json::to_vec_pretty(&unpacked).map_err(|e| failed(e.into()))?;
    let mut about = File::create(folder.join(ABOUT)).map_err(failed)?;
    about.write_all(&text).map_err(failed)?;
    Ok(unpacked)
}

fn write(archive: &Path, files: &Path, root: bool) -> std::io::Result<()> {
    fs::create_dir(files)?;
    let mut archive = tar::Archive::new(BufReader::new(File::open(archive)?));
    archive.set_preserve_permissions(true);
    archive.set_preserve_ownerships(root);
    for entry in archive.entries()? {
        let mut entry = entry?;
        // A guest has devices of its own.
        let kind = entry.header().entry_type();
        if kind.is_character_special() || kind.is_block_special() || kind.is_fifo() {
            continue;
        }
        entry.unpack_in(files)?;
    }
    Ok(())
}
