//! What the program says by its exit code when it is not 0.

use whyclosed::run::{REAL, VIRTUAL};
use whyclosed_tests::program::{fixture, run, run_text};
use whyclosed_tests::{Result, ensure, under_test};

/// A client and a server on one wire.
fn pair(wire: &str, server: &str, expect: &str) -> String {
    format!(
        "title: A client and a server\n\
         nodes: {{ client: {{}}, s1: {{}} }}\n\
         wires: {{ client-s1: {{ ends: [client, s1]{wire} }} }}\n\
         services: {{ s1: {{ node: s1, {server} }} }}\n\
         clients: {{ orders: {{ node: client, connect: \"s1:5672\", protocol: tcp }} }}\n\
         timeline: [ {{ send: {{ client: orders, bytes: 10 }} }}, {{ close: orders }}, {{ idle: 100ms }} ]\n\
         expect: [ {{ connection: orders client->s1, {expect} }} ]\n"
    )
}

/// It sends nothing back: a close with an answer unread would be an abort.
const QUIET: &str = "server: echo, port: 5672, echo: off";
const CLOSES: &str = "mechanism: app-close, closed_by: client";

#[test]
fn expectations_that_hold_end_with_0() -> Result {
    run_text(under_test!(), VIRTUAL, &pair("", QUIET, CLOSES), &[])?.expect_code(0)?;
    Ok(())
}

#[test]
fn an_expectation_that_does_not_hold_ends_with_1() -> Result {
    let run = run_text(under_test!(), VIRTUAL, &pair("", QUIET, "mechanism: tcp-keepalive"), &[])?.expect_code(1)?;
    ensure!(run.printed.contains("expected mechanism tcp-keepalive, got app-close"), "{}", run.printed);
    Ok(())
}

#[test]
fn an_invalid_scenario_ends_with_2_and_nothing_is_run() -> Result {
    let run = run_text(under_test!(), VIRTUAL, &pair(", delai: 5ms", QUIET, CLOSES), &[])?.expect_code(2)?;
    ensure!(run.printed.contains("did you mean `delay`?"), "{}", run.printed);
    ensure!(run.found().is_err(), "results were written");
    Ok(())
}

#[test]
fn a_scenario_that_is_not_there_ends_with_2() -> Result {
    let run = run(under_test!(), VIRTUAL, [fixture("none.yaml")])?.expect_code(2)?;
    ensure!(run.printed.contains("cannot read scenario"), "{}", run.printed);
    Ok(())
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn a_wire_with_delay_runs_or_ends_with_3_and_names_the_kernel_option() -> Result {
    let run = run_text(under_test!(), REAL, &pair(", delay: 5ms", QUIET, CLOSES), &[])?;
    if has_netem()? {
        run.expect_code(0)?;
        return Ok(());
    }
    let run = run.expect_code(3)?;
    ensure!(run.printed.contains("CONFIG_NET_SCH_NETEM"), "{}", run.printed);
    Ok(())
}

fn has_netem() -> Result<bool> {
    let output = std::process::Command::new(under_test!()).arg("doctor").output()?;
    Ok(!String::from_utf8_lossy(&output.stdout).contains("CONFIG_NET_SCH_NETEM"))
}

#[test]
fn a_service_that_ends_at_once_ends_with_3_and_its_last_words() -> Result {
    let server = "command: [sh, -c, \"echo no licence; exit 1\"], port: 5672";
    let run = run_text(under_test!(), VIRTUAL, &pair("", server, CLOSES), &[])?.expect_code(3)?;
    for words in ["`s1`", "it has ended", "no licence"] {
        ensure!(run.printed.contains(words), "`{words}` is not in:\n{}", run.printed);
    }
    Ok(())
}

#[test]
fn a_service_that_is_not_there_ends_with_3_and_its_name() -> Result {
    let run = run_text(under_test!(), VIRTUAL, &pair("", "command: [no-such-program]", CLOSES), &[])?.expect_code(3)?;
    ensure!(run.printed.contains("starting `no-such-program`: No such file"), "{}", run.printed);
    Ok(())
}
