//! What can be wrong with a service that runs from an image: each has its own words, and exit code 3.

use whyclosed::run::{REAL, VIRTUAL};
use whyclosed_tests::program::{Run, run_with};
use whyclosed_tests::{Result, ensure, under_test};

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
    let nowhere = [("DOCKER_HOST", "unix:///nowhere/docker.sock")];
    is_refused(
        "broker: mosquitto, image: whyclosed/mosquitto",
        &nowhere,
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
#[cfg_attr(not(whyclosed_root), ignore = "its image is unpacked as root: make test-real")]
fn any_image_can_be_a_service_on_the_virtual_clock() -> Result {
    let file = "/etc/own.conf: \"listener 1883 0.0.0.0\\nallow_anonymous true\\n\"";
    let service = format!("image: whyclosed/mosquitto, command: [-c, /etc/own.conf], files: {{ {file} }}, port: 1883");
    run(VIRTUAL, &service, &[])?.expect_code(0)?;
    Ok(())
}
