//! What can be wrong with a service that runs from an image: each has its own words, and exit code 3.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use whyclosed::run::{REAL, VIRTUAL};
use whyclosed_tests::program::{Run, run_with};
use whyclosed_tests::{Result, ensure, under_test};

/// A user that no machine has.
const NOBODY: u32 = 4_242_424;
/// An engine that does not run.
const NOWHERE: [(&str, &str); 1] = [("DOCKER_HOST", "unix:///nowhere/docker.sock")];

fn scenario(service: &str) -> String {
    format!(
        "title: A service from an image\n\
         nodes: {{ client: {{}}, s1: {{}} }}\n\
         wires: {{ client-s1: {{ ends: [client, s1] }} }}\n\
         services: {{ s1: {{ node: s1, {service} }} }}\n\
         clients: {{ meter: {{ node: client, connect: \"s1:1883\", protocol: tcp }} }}\n\
         timeline: [ {{ close: meter }} ]\n"
    )
}

fn run(clock: &str, service: &str, env: &[(&str, &str)]) -> Result<Run> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("scenario.yaml");
    std::fs::write(&file, scenario(service))?;
    run_with(under_test!(), clock, [&file], env)
}

/// The service is not started, and the program says so in these words.
fn is_refused(service: &str, env: &[(&str, &str)], words: &[&str]) -> Result {
    let run = run(REAL, service, env)?.expect_code(3)?;
    for words in words {
        ensure!(run.printed.contains(words), "`{words}` is not in:\n{}", run.printed);
    }
    Ok(())
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn any_image_can_be_a_service() -> Result {
    let file = "/etc/own.conf: \"listener 1883 0.0.0.0\\nallow_anonymous true\\n\"";
    let service = format!("image: whyclosed/mosquitto, command: [-c, /etc/own.conf], files: {{ {file} }}, port: 1883");
    run(REAL, &service, &[])?.expect_code(0)?;
    Ok(())
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn an_engine_that_is_not_there_is_told_with_what_to_do() -> Result {
    is_refused(
        "broker: mosquitto, image: whyclosed/mosquitto",
        &NOWHERE,
        &["`s1`", "Docker cannot be reached", "scripts/start-docker"],
    )
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn an_image_that_is_not_there_is_told_by_its_name_and_not_fetched() -> Result {
    is_refused("image: whyclosed/none, port: 1883", &[], &["the image `whyclosed/none`", "docker pull whyclosed/none"])
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn a_container_that_ends_at_once_is_told_with_its_last_words() -> Result {
    let service = "image: whyclosed/mosquitto, command: [-c, /none.conf], port: 1883";
    is_refused(service, &[], &["`s1` is not ready: it has ended", "/none.conf"])
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn a_container_that_never_listens_is_told_with_its_port_and_its_last_words() -> Result {
    let service = "broker: mosquitto, image: whyclosed/mosquitto, ready: { port: 1884 }, ready within: 2s";
    is_refused(service, &[], &["nothing listens on its port 1884, after 2 s", "mosquitto version"])
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn a_container_shares_its_node_with_no_other_program() -> Result {
    let services = "server: echo, port: 7 }, s2: { node: s1, broker: mosquitto, image: whyclosed/mosquitto";
    is_refused(services, &[], &["`s1` already runs on node `s1`"])
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "root becomes a user who may not ask Docker: make test-real")]
fn a_user_who_may_not_ask_docker_is_told_who_may() -> Result {
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777))?;
    // Where the program was built need not be open to others.
    let program = folder.path().join("whyclosed");
    fs::copy(under_test!(), &program)?;
    let file = folder.path().join("scenario.yaml");
    fs::write(&file, scenario("broker: mosquitto, image: whyclosed/mosquitto"))?;
    let mut command = Command::new(&program);
    command.args(["run", "--clock", VIRTUAL]).arg(&file).arg("--out").arg(folder.path().join("out"));
    let output = command.current_dir(folder.path()).uid(NOBODY).gid(NOBODY).output()?;
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.code() == Some(3), "it ended with {}:\n{printed}", output.status);
    for words in ["Docker cannot be reached", "Permission denied", "the group `docker`"] {
        ensure!(printed.contains(words), "`{words}` is not in:\n{printed}");
    }
    Ok(())
}

/// A folder as `docker export` writes it, unpacked.
fn exported(image: &str, into: &Path) -> Result {
    let run = |program: &str, arguments: &[&str]| -> Result<Vec<u8>> {
        let output = Command::new(program).args(arguments).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{program} {arguments:?}: {said}");
        Ok(output.stdout)
    };
    let made = String::from_utf8_lossy(&run("docker", &["create", image, "-"])?).trim().to_owned();
    let archive = into.with_extension("tar").display().to_string();
    let exported = run("docker", &["export", "--output", &archive, &made]);
    run("docker", &["rm", &made])?;
    exported?;
    fs::create_dir(into)?;
    run("tar", &["--extract", "--file", &archive, "--directory", &into.display().to_string()])?;
    Ok(())
}

/// A folder is an image without Docker, on this clock.
fn a_folder_is_enough(clock: &str) -> Result {
    let folder = tempfile::tempdir()?;
    let files = folder.path().join("rootfs");
    exported("whyclosed/mosquitto", &files)?;
    let image = format!("image: {{ folder: {}, entrypoint: [mosquitto] }}", files.display());
    let config = "/etc/own.conf: \"listener 1883 0.0.0.0\\nallow_anonymous true\\n\"";
    let service = format!("{image}, command: [-c, /etc/own.conf], files: {{ {config} }}, port: 1883");
    run(clock, &service, &NOWHERE)?.expect_code(0)?;
    ensure!(!files.join("etc/own.conf").exists(), "the folder was written to");
    Ok(())
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "`docker export` needs root: make test-real")]
fn a_folder_is_an_image_without_docker_on_the_virtual_clock() -> Result {
    a_folder_is_enough(VIRTUAL)
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn a_folder_is_an_image_without_docker_on_the_real_clock() -> Result {
    a_folder_is_enough(REAL)
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn a_folder_that_does_not_say_what_to_start_is_told_so() -> Result {
    let folder = tempfile::tempdir()?;
    let service = format!("image: {{ folder: {} }}, port: 1883", folder.path().display());
    is_refused(&service, &NOWHERE, &["nothing says what to start", "`entrypoint`"])
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "its image is unpacked as root: make test-real")]
fn any_image_can_be_a_service_on_the_virtual_clock() -> Result {
    let file = "/etc/own.conf: \"listener 1883 0.0.0.0\\nallow_anonymous true\\n\"";
    let service = format!("image: whyclosed/mosquitto, command: [-c, /etc/own.conf], files: {{ {file} }}, port: 1883");
    run(VIRTUAL, &service, &[])?.expect_code(0)?;
    Ok(())
}
