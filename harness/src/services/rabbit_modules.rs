//! All modules of an unpacked RabbitMQ in one folder, for the virtual clock.
//!
//! RabbitMQ loads a thousand modules when it starts, from fifty folders, and Erlang asks each folder of its code path for each module
//! until one has it. Every question goes to another thread and comes back (erl_prim_loader(3), dirty schedulers), and system calls are
//! dear in a guest: that was more than half of a RabbitMQ's start. With a folder that has them all in front, each module is found by the
//! first question. Nothing else is different: applications, their folders and their plugins are where they were.

use std::fs;
use std::path::{Path, PathBuf};

use crate::lab::unpacked::Unpacked;

/// The folder, as a library of Erlang's: RabbitMQ puts the `ebin` of each application in a folder of plugins on its code path.
const LIBRARY: &str = "/usr/lib/whyclosed-modules";
const MODULES: &str = "all-1/ebin";
/// Where images have Erlang and RabbitMQ: Debian's packages, the public image, others.
const WHERE: [&str; 3] = ["usr/lib", "usr/local/lib", "opt"];
/// How deep an application's `ebin` lies below those.
const DEPTH: usize = 8;
/// By its place RabbitMQ finds its plugins (rabbit_env.erl, `this_module_dir/0`).
const STAYS: &str = "rabbit_env.beam";
/// The application beside which all plugins are.
const PLUGIN: &str = "rabbit_common-";
/// The folders of plugins, if an image sets them itself.
const PLUGINS: &str = "RABBITMQ_PLUGINS_DIR";

/// Gathers the modules of an image that this program has unpacked, once, and tells RabbitMQ by its environment where they are.
///
/// # Errors
/// When the folder cannot be written.
pub fn gather(image: &mut Unpacked) -> std::io::Result<()> {
    let mut folders = Vec::new();
    for folder in WHERE {
        ebins(&image.files.join(folder), DEPTH, &mut folders);
    }
    let sets = |name: &str| image.env.iter().any(|line| line.split('=').next() == Some(name));
    let Some(plugins) = folders.iter().find_map(|folder| plugins(&image.files, folder)).filter(|_| !sets(PLUGINS))
    else {
        return Ok(());
    };
    let plugins = format!("/{}", plugins.display());
    // Besides its own, RabbitMQ looks into this one when it lies there (rabbit_env.erl, `get_default_plugins_path_from_env/1`).
    let more = if plugins.starts_with("/usr/lib/rabbitmq/") { "/usr/lib/rabbitmq/plugins:" } else { "" };
    link(&image.files, &folders)?;
    image.env.push(format!("{PLUGINS}={LIBRARY}:{more}{plugins}"));
    image.env.push(format!("RABBITMQ_SERVER_CODE_PATH={LIBRARY}/{MODULES}"));
    Ok(())
}

/// The folder of plugins, without the root before it, if this `ebin` is that of the application that lies among them.
fn plugins<'a>(files: &Path, ebin: &'a Path) -> Option<&'a Path> {
    let application = ebin.parent()?;
    let found = application.file_name()?.to_str()?.starts_with(PLUGIN);
    application.parent().filter(|_| found)?.strip_prefix(files).ok()
}

/// All folders `ebin` below a folder, in the order of their paths.
fn ebins(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut below: Vec<_> =
        entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect();
    below.sort();
    for path in below {
        if path.ends_with("ebin") {
            found.push(path);
        } else if depth > 0 && !path.ends_with(LIBRARY.trim_start_matches('/')) {
            ebins(&path, depth - 1, found);
        }
    }
}

/// Links every module into the one folder; whole or not at all, as others may be looking for it.
fn link(files: &Path, folders: &[PathBuf]) -> std::io::Result<()> {
    let library = files.join(LIBRARY.trim_start_matches('/'));
    if library.is_dir() {
        return Ok(());
    }
    let begun = files.join(format!(".whyclosed-modules-{}", std::process::id()));
    let _ = fs::remove_dir_all(&begun);
    let modules = begun.join(MODULES);
    fs::create_dir_all(&modules)?;
    for folder in folders {
        for entry in fs::read_dir(folder)?.flatten() {
            let name = entry.file_name();
            let target = modules.join(&name);
            if Path::new(&name).extension().is_some_and(|extension| extension == "beam")
                && name != STAYS
                && !target.exists()
            {
                fs::hard_link(entry.path(), target)?;
            }
        }
    }
    if let Some(parent) = library.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::rename(&begun, &library) {
        // Somebody else was faster.
        Err(_) if library.is_dir() => fs::remove_dir_all(&begun),
        done => done,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    fn image(modules: &[&str]) -> (tempfile::TempDir, Unpacked) {
        let folder = tempfile::tempdir().unwrap();
        for module in modules {
            let path = folder.path().join(module);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, module).unwrap();
        }
        let unpacked = Unpacked { files: folder.path().into(), ..Unpacked::default() };
        (folder, unpacked)
    }

    fn gathered(folder: &tempfile::TempDir) -> Vec<String> {
        let entries = fs::read_dir(folder.path().join("usr/lib/whyclosed-modules/all-1/ebin")).into_iter().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    const RABBIT: [&str; 3] = [
        "opt/erlang/lib/erlang/lib/stdlib-4.2/ebin/lists.beam",
        "opt/rabbitmq/plugins/rabbit_common-3.10.8/ebin/rabbit_env.beam",
        "opt/rabbitmq/plugins/rabbit-3.10.8/ebin/rabbit.beam",
    ];

    #[test]
    fn all_modules_are_in_one_folder_but_the_one_by_which_plugins_are_found() {
        let (folder, mut image) = image(&RABBIT);
        gather(&mut image).unwrap();
        assert_eq!(gathered(&folder), ["lists.beam", "rabbit.beam"]);
        let env = "RABBITMQ_PLUGINS_DIR=/usr/lib/whyclosed-modules:/opt/rabbitmq/plugins".to_string();
        assert!(image.env.contains(&env), "{:?}", image.env);
    }

    #[test]
    fn an_image_that_says_itself_where_its_plugins_are_is_left_alone() {
        let (folder, mut image) = image(&RABBIT);
        image.env.push("RABBITMQ_PLUGINS_DIR=/plugins".into());
        gather(&mut image).unwrap();
        assert!(gathered(&folder).is_empty() && image.env.len() == 1, "{:?}", image.env);
    }

    #[test]
    fn an_image_without_rabbitmq_is_left_alone() {
        let (folder, mut image) = image(&RABBIT[..1]);
        gather(&mut image).unwrap();
        assert!(gathered(&folder).is_empty() && image.env.is_empty(), "{:?}", image.env);
    }
}
