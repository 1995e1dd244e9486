//! An image that is a folder already: nothing of Docker is needed for it.
//!
//! It is either a bundle as runc takes it (OCI runtime specification, "Filesystem Bundle"), with `config.json` beside `rootfs`, or a
//! root file system by itself, as `docker export` writes it; then the scenario says what to start.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;

use super::unpacked::Unpacked;

/// A folder, and what the scenario says of its start.
#[derive(Clone, Debug, Default)]
pub struct Folder {
    /// The bundle, or the root of the file system.
    pub path: PathBuf,
    /// What is started; the bundle's own if `None`.
    pub entrypoint: Option<Vec<String>>,
    /// Whom it runs as; the bundle's own if `None`.
    pub user: Option<String>,
    /// Its working directory; the bundle's own if `None`.
    pub directory: Option<PathBuf>,
}

/// What is read of a bundle's `config.json` (OCI runtime specification, "Configuration").
#[derive(Debug, Default, Deserialize)]
struct Config {
    #[serde(default)]
    process: Started,
}

#[derive(Debug, Default, Deserialize)]
struct Started {
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: Vec<String>,
    cwd: Option<PathBuf>,
    user: Option<User>,
}

#[derive(Debug, Deserialize)]
struct User {
    #[serde(default)]
    uid: u32,
    #[serde(default)]
    gid: u32,
}

impl Folder {
    /// The folder as an unpacked image; nothing is ever written to it.
    ///
    /// # Errors
    /// When it is not there, or the bundle's configuration cannot be read.
    pub fn unpacked(&self) -> std::io::Result<Unpacked> {
        let path = std::path::absolute(&self.path)?;
        let failed = |e: std::io::Error, path: &std::path::Path| {
            std::io::Error::new(e.kind(), format!("reading {}: {e}", path.display()))
        };
        let (config, root) = (path.join("config.json"), path.join("rootfs"));
        let (files, started) = if config.is_file() && root.is_dir() {
            let text = fs::read(&config).map_err(|e| failed(e, &config))?;
            let read: Config = serde_json::from_slice(&text).map_err(|e| failed(e.into(), &config))?;
            (root, read.process)
        } else {
            fs::read_dir(&path).map_err(|e| failed(e, &path))?;
            (path, Started::default())
        };
        let user = self.user.clone().or_else(|| started.user.map(|user| format!("{}:{}", user.uid, user.gid)));
        Ok(Unpacked {
            files,
            // Whoever is not root could not give the files to their owners.
            user: user.filter(|_| nix::unistd::geteuid().is_root()),
            entrypoint: self.entrypoint.clone().unwrap_or(started.args),
            command: Vec::new(),
            env: started.env,
            directory: self.directory.clone().or(started.cwd).unwrap_or_else(|| "/".into()),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_says_itself_what_to_start() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("rootfs")).unwrap();
        let config =
            r#"{ "ociVersion": "1.0.2", "process": { "args": ["mosquitto", "-v"], "env": ["A=b"], "cwd": "/srv" } }"#;
        fs::write(folder.path().join("config.json"), config).unwrap();
        let unpacked = Folder { path: folder.path().into(), ..Folder::default() }.unpacked().unwrap();
        assert_eq!(unpacked.entrypoint, ["mosquitto", "-v"]);
        assert_eq!((unpacked.env, unpacked.directory), (vec!["A=b".to_string()], "/srv".into()));
        assert!(unpacked.files.ends_with("rootfs"), "{}", unpacked.files.display());
    }

    #[test]
    fn what_the_scenario_says_counts_more_than_the_bundle() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("rootfs")).unwrap();
        fs::write(folder.path().join("config.json"), r#"{ "process": { "args": ["sh"] } }"#).unwrap();
        let entrypoint = Some(vec!["mosquitto".to_string()]);
        let unpacked = Folder { path: folder.path().into(), entrypoint, ..Folder::default() }.unpacked().unwrap();
        assert_eq!(unpacked.entrypoint, ["mosquitto"]);
    }

    #[test]
    fn a_configuration_that_is_none_is_told_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("rootfs")).unwrap();
        fs::write(folder.path().join("config.json"), "process:").unwrap();
        let told = Folder { path: folder.path().into(), ..Folder::default() }.unpacked().unwrap_err().to_string();
        assert!(told.contains("config.json"), "{told}");
    }
}
