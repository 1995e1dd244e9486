//! What a run tells: reports that their readers can read, lines on a terminal and in a pipe, labs that are kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use whyclosed::report::results::schema;
use whyclosed::run::VIRTUAL;
use whyclosed_tests::program::run;
use whyclosed_tests::{Result, ensure, under_test};

/// One scenario whose expectation holds in one case and not in the other; its title and an expectation have in them what is markup
/// elsewhere.
const SCENARIO: &str = r#"
title: "<b>A</b> | client & a `server`"
matrix: { claim: [right, wrong] }
nodes: { client: {}, s1: {} }
wires: { client-s1: { ends: [client, s1] } }
services: { s1: { node: s1, server: echo, port: 5672, echo: off } }
clients: { orders: { node: client, connect: "s1:5672", protocol: tcp } }
timeline: [ { send: { client: orders, bytes: 10 } }, { close: orders }, { idle: 100ms } ]
expect:
  - { connection: orders client->s1, mechanism: app-close, when: { claim: right } }
  - { connection: orders client->s1, mechanism: tcp-keepalive, when: { claim: wrong } }
"#;

/// What one run wrote, for all tests.
struct Written {
    html: String,
    junit: String,
    markdown: String,
    results: String,
}

fn written() -> Result<&'static Written> {
    static WRITTEN: OnceLock<Written> = OnceLock::new();
    if let Some(written) = WRITTEN.get() {
        return Ok(written);
    }
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let scenario = path("marked.yaml");
    fs::write(&scenario, SCENARIO)?;
    let [html, junit, markdown] = ["run.html", "run.xml", "run.md"].map(path);
    let arguments = [&scenario, "--html", &html, "--junit", &junit, "--markdown", &markdown];
    let run = run(under_test!(), VIRTUAL, arguments)?.expect_code(1)?;
    let written = Written {
        html: fs::read_to_string(html)?,
        junit: fs::read_to_string(junit)?,
        markdown: fs::read_to_string(markdown)?,
        results: fs::read_to_string(run.folder().join("results.json"))?,
    };
    Ok(WRITTEN.get_or_init(|| written))
}

fn published() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/results.schema.json")
}

#[test]
fn results_are_of_the_published_schema() -> Result {
    let schema = serde_json::from_str(&fs::read_to_string(published())?)?;
    let results = serde_json::from_str(&written()?.results)?;
    let validator = jsonschema::validator_for(&schema).map_err(|e| std::io::Error::other(e.to_string()))?;
    let errors: Vec<_> = validator.iter_errors(&results).map(|e| format!("{} at {}", e, e.instance_path())).collect();
    ensure!(errors.is_empty(), "{}", errors.join("\n"));
    Ok(())
}

#[test]
fn the_published_schema_is_that_of_the_types() -> Result {
    let schema = schema()?;
    if std::env::var_os("UPDATE").is_some() {
        fs::write(published(), &schema)?;
    }
    ensure!(
        fs::read_to_string(published()).unwrap_or_default() == schema,
        "docs/results.schema.json is old: run `UPDATE=1 cargo test -p whyclosed-tests --test reports published`"
    );
    Ok(())
}

#[test]
fn junit_has_a_test_case_for_each_case_and_a_failure_for_what_does_not_hold() -> Result {
    let report = quick_junit::Report::deserialize_from_str(&written()?.junit)
        .map_err(|e| std::io::Error::other(e.to_string()))?;
    ensure!((report.tests, report.failures, report.errors) == (2, 1, 0), "{}", written()?.junit);
    let failure = &report.test_suites[0].test_cases[1];
    let text = format!("{:?}", failure.status);
    ensure!(text.contains("expected mechanism tcp-keepalive, got app-close"), "{text}");
    ensure!(text.contains("wire: "), "no proof: {text}");
    Ok(())
}

#[test]
fn markdown_tells_what_does_not_hold_and_how_to_run_it_again() -> Result {
    let text = &written()?.markdown;
    for words in
        ["1 passed, 1 failed", "expected mechanism tcp-keepalive, got app-close", "--filter 'marked[claim=wrong]'"]
    {
        ensure!(text.contains(words), "`{words}` is not in:\n{text}");
    }
    Ok(())
}

#[test]
fn the_page_needs_nothing_that_is_not_in_it() -> Result {
    let page = &written()?.html;
    for reference in ["src=", "http://", "https://", "url(", "@import", "fetch("] {
        // The icon is in the page, and the name of its format is an address that nobody asks for.
        let text = page.replace("xmlns='http://www.w3.org/2000/svg'", "");
        ensure!(!text.contains(reference), "`{reference}` is in the page");
    }
    ensure!(page.contains("default-src 'none'"), "the page does not forbid it either");
    Ok(())
}

#[test]
fn what_a_scenario_says_is_text_in_the_page_and_no_markup() -> Result {
    let page = &written()?.html;
    ensure!(page.contains("&lt;b&gt;A&lt;/b&gt; | client &amp; a `server`"), "the title is not there");
    ensure!(!page.contains("<b>A</b>"), "the title is markup");
    Ok(())
}

#[test]
fn every_link_of_the_page_leads_to_something_in_it() -> Result {
    let page = &written()?.html;
    let ids: Vec<_> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let links = page.split(" href=\"#").skip(1).filter_map(|rest| rest.split('"').next());
    let dead: Vec<_> = links.filter(|link| !ids.contains(link)).collect();
    ensure!(dead.is_empty(), "{dead:?} of {ids:?}");
    ensure!(ids.contains(&"marked/claim=right/orders-client-s1"), "{ids:?}");
    Ok(())
}

#[test]
fn the_graph_shows_the_payload_and_who_closed() -> Result {
    let page = &written()?.html;
    for text in ["10 B", "client to s1: ", "FIN", "app-close"] {
        ensure!(page.contains(text), "`{text}` is not in the page");
    }
    Ok(())
}

/// The case that does not hold and the one that does, run again; what is printed.
fn printed(arguments: &[&str], env: &[(&str, &str)], out: &Path) -> Result<String> {
    let scenario = out.join("marked.yaml");
    fs::write(&scenario, SCENARIO)?;
    let mut command = Command::new(under_test!());
    command.arg("run").arg(&scenario).arg("--out").arg(out).args(arguments).envs(env.iter().copied());
    let output = command.env_remove("NO_COLOR").output()?;
    Ok(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn a_pipe_gets_no_control_codes_unless_they_are_forced() -> Result {
    let folder = tempfile::tempdir()?;
    let plain = printed(&["--filter", "right"], &[], folder.path())?;
    ensure!(!plain.contains('\x1b') && !plain.contains('\r'), "{plain:?}");
    let forced = printed(&["--filter", "right"], &[("CLICOLOR_FORCE", "1")], folder.path())?;
    ensure!(forced.contains("\x1b["), "{forced:?}");
    Ok(())
}

#[test]
fn the_last_line_has_counts_both_clocks_the_files_and_the_command_for_what_did_not_pass() -> Result {
    let folder = tempfile::tempdir()?;
    let printed = printed(&[], &[], folder.path())?;
    let last = printed.lines().last().unwrap_or_default();
    for words in [
        "1 passed, 1 failed",
        "s of clocks in",
        "results.json",
        "again: whyclosed run",
        "--filter 'marked[claim=wrong]'",
    ] {
        ensure!(last.contains(words), "`{words}` is not in: {last}");
    }
    Ok(())
}

#[test]
fn what_failed_in_the_last_run_is_run_again_and_nothing_else() -> Result {
    let folder = tempfile::tempdir()?;
    printed(&[], &[], folder.path())?;
    let again = printed(&["--failed"], &[], folder.path())?;
    ensure!(again.contains("0 passed, 1 failed"), "{again}");
    Ok(())
}

#[test]
fn on_the_virtual_clock_what_the_programs_of_a_failed_case_wrote_is_kept() -> Result {
    let folder = tempfile::tempdir()?;
    let told = printed(&["--keep", "--filter", "wrong"], &[], folder.path())?;
    let files = folder.path().join("marked/claim=wrong/files");
    ensure!(files.is_dir() && told.contains("kept: what its programs wrote is in"), "{told}");
    Ok(())
}

/// What a run prints on a terminal of its own (script(1)), with this in its environment.
fn on_a_terminal(variable: Option<(&str, &str)>) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let scenario = folder.path().join("marked.yaml");
    fs::write(&scenario, SCENARIO)?;
    let run = format!(
        "{} run {} --clock virtual --filter claim=right --out {}",
        under_test!(),
        scenario.display(),
        folder.path().display()
    );
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &run, "/dev/null"]).env("TERM", "xterm");
    for name in ["NO_COLOR", "CI", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    let output = command.envs(variable).output()?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "it ended with {}:\n{printed}", output.status);
    Ok(printed)
}

/// Whether a colour or another emphasis is chosen anywhere (SGR in console_codes(4)).
fn has_colour(printed: &str) -> bool {
    let sequences = printed.split("\x1b[").skip(1);
    let kinds = sequences.filter_map(|rest| rest.split_once(|c: char| c.is_ascii_alphabetic()).map(|(n, _)| (n, rest)));
    kinds.into_iter().any(|(numbers, rest)| rest[numbers.len()..].starts_with('m') && !matches!(numbers, "" | "0"))
}

#[test]
fn on_a_terminal_there_are_colours_and_with_no_color_none() -> Result {
    let (coloured, plain) = (on_a_terminal(None)?, on_a_terminal(Some(("NO_COLOR", "1")))?);
    ensure!(has_colour(&coloured), "without NO_COLOR there is no colour: {coloured:?}");
    ensure!(!has_colour(&plain), "with NO_COLOR there is a colour: {plain:?}");
    Ok(())
}
