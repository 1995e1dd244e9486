//! What building a kernel needs of the machine, and installing it.
//!
//! Here and not in `scripts/install-needs`, so that the program can do it wherever it was installed: which package has
//! the source differs between distributions and is asked of apt.

use std::path::Path;

use tokio::process::Command;

use super::source::{self, Source};
use super::{command, version};

/// The programs, and the packages of Debian and Ubuntu that have them.
const PROGRAMS: [(&str, &[&str]); 9] = [
    ("cc", &["gcc", "libc6-dev"]),
    ("make", &["make"]),
    ("flex", &["flex"]),
    ("bison", &["bison"]),
    ("bc", &["bc"]),
    ("xz", &["xz-utils"]),
    ("tar", &["tar"]),
    ("strip", &["binutils"]),
    ("bash", &["bash"]),
];

/// The machine lacks something, and it could not be installed.
#[derive(Debug, thiserror::Error)]
#[error(
    "building the kernel needs {}, which is missing here ({why}).\n\
     On Debian and Ubuntu: apt-get install {}\n\
     Elsewhere install the programs, and name a Linux source of {}.{} or later: whyclosed kernel --source linux-6.12.tar.xz",
    missing.join(", "), packages.join(" "), source::MINIMUM[0], source::MINIMUM[1]
)]
pub struct Needs {
    /// What is missing.
    pub missing: Vec<String>,
    /// The packages that have it.
    pub packages: Vec<String>,
    /// Why it was not installed.
    pub why: String,
}

/// The source to build, after all that is needed has been installed if it must be.
///
/// # Errors
/// [`Needs`] when something is missing and cannot be installed here; [`command::Error`] when installing is interrupted.
pub async fn ensure(named: Option<Source>, mut say: impl FnMut(&str)) -> Result<Source, super::build::Error> {
    let find = || named.clone().or_else(|| source::newest(Path::new(source::FOLDER)));
    let programs = missing_programs();
    if let (true, Some(source)) = (programs.is_empty(), find()) {
        return Ok(source);
    }
    let mut packages: Vec<String> =
        programs.iter().flat_map(|(_, packages)| *packages).map(ToString::to_string).collect();
    let why = match apt().await {
        Err(why) => {
            if find().is_none() {
                packages.push("linux-source".into());
            }
            why.to_string()
        }
        Ok(apt) => {
            say("apt-get update");
            // An old list may do, and what is missing shows when it is installed.
            let updated = apt_get(apt, &["update", "-q"], &mut say).await;
            if let Err(command::Error::Interrupted) = updated {
                return Err(command::Error::Interrupted.into());
            }
            let mut why = String::from("and it still is after its packages were installed");
            if find().is_none() {
                match source_package().await {
                    Some(package) => packages.push(package),
                    None => {
                        packages.push("linux-source".into());
                        why = "the distribution's packages have no source that is new enough".into();
                    }
                }
            }
            say(&format!("apt-get install {}", packages.join(" ")));
            let mut install = vec!["install", "-q", "-y", "--no-install-recommends"];
            install.extend(packages.iter().map(String::as_str));
            match updated.and(apt_get(apt, &install, &mut say).await) {
                Err(command::Error::Interrupted) => return Err(command::Error::Interrupted.into()),
                Err(error) => error.to_string(),
                Ok(()) => why,
            }
        }
    };
    let programs = missing_programs();
    match find() {
        Some(source) if programs.is_empty() => Ok(source),
        source => {
            let mut missing: Vec<_> = programs.iter().map(|(program, _)| (*program).to_string()).collect();
            if source.is_none() {
                let [major, minor] = source::MINIMUM;
                missing.push(format!(
                    "a Linux source of {major}.{minor} or later ({}/linux-source-*.tar.*)",
                    source::FOLDER
                ));
            }
            Err(Needs { missing, packages, why }.into())
        }
    }
}

fn missing_programs() -> Vec<(&'static str, &'static [&'static str])> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    PROGRAMS
        .into_iter()
        .filter(|(program, _)| !std::env::split_paths(&path).any(|f| f.join(program).is_file()))
        .collect()
}

/// How apt-get is run here: what stands before it.
async fn apt() -> Result<&'static [&'static str], &'static str> {
    if !Path::new("/usr/bin/apt-get").exists() {
        return Err("there is no apt-get to install it with");
    }
    if nix::unistd::geteuid().is_root() {
        return Ok(&[]);
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", "true"]);
    match command::run("asking for sudo", sudo, |_| ()).await {
        Ok(()) => Ok(&["sudo", "-n"]),
        Err(_) => Err("installing it needs root, and sudo is not there or asks for a password"),
    }
}

async fn apt_get(prefix: &[&str], arguments: &[&str], say: &mut impl FnMut(&str)) -> Result<(), command::Error> {
    // `env`, as sudo keeps only the variables it is told to keep.
    let mut words = prefix.iter().copied().chain(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    let mut command = Command::new(words.next().unwrap_or("env"));
    command.args(words).args(arguments);
    command::run(&format!("apt-get {}", arguments.join(" ")), command, say).await
}

/// The package with the newest source that is new enough.
async fn source_package() -> Option<String> {
    let mut search = Command::new("apt-cache");
    search.args(["search", "--names-only", "^linux-source-[0-9.]+$"]);
    let mut names = Vec::new();
    command::run("apt-cache search", search, |line| names.push(line.to_string())).await.ok()?;
    newest_package(&names)
}

fn newest_package(lines: &[String]) -> Option<String> {
    let packages = lines.iter().filter_map(|line| {
        let name = line.split_whitespace().next()?;
        let version = version(name.strip_prefix("linux-source-")?)?;
        (version.as_slice() >= source::MINIMUM.as_slice()).then_some((version, name))
    });
    packages.max().map(|(_, name)| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_package_that_is_new_enough_is_taken() {
        let lines = [
            "linux-source-6.1 - Linux",
            "linux-source-6.12 - Linux",
            "linux-source-6.9.0 - Linux",
            "linux-source - Linux",
        ];
        assert_eq!(newest_package(&lines.map(String::from)), Some("linux-source-6.12".into()));
        assert_eq!(newest_package(&lines.map(String::from)[..1]), None);
    }

    #[test]
    fn what_is_missing_is_named_with_its_packages_and_a_way_without_them() {
        let needs = Needs { missing: vec!["flex".into()], packages: vec!["flex".into()], why: "no apt-get".into() };
        let text = needs.to_string();
        for part in ["needs flex", "no apt-get", "apt-get install flex", "--source", "6.8 or later"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
