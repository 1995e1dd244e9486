//! A matrix: which cases it makes, what they are called, and where a reference to it can stand.

use crate::words::{Service, Step, read, small};

const TWO_BY_TWO: &str = "proxy: [relay, haproxy], length: { full: { idle: 200s }, short: { idle: 4s } }";

/// The names of the cases of a scenario with this matrix, without the scenario's own.
fn names(matrix: &str) -> Vec<String> {
    let source = small(&format!("matrix: {{ {matrix} }}\ntimeline: [ idle: 1s ]\n"));
    let cases = read(&source).unwrap_or_else(|errors| panic!("{errors}"));
    cases.iter().map(|case| case.name().replace("test/scenario", "")).collect()
}

/// The places and messages of the errors of a scenario with this matrix.
fn errors(matrix: &str) -> Vec<(u32, u32, String)> {
    let source = format!("matrix:\n  {matrix}\n{}", small("timeline: [ idle: 1s ]\n"));
    let errors = read(&source).expect_err("the scenario should have errors");
    errors.iter().map(|(line, column, error)| (line, column, error.message.clone())).collect()
}

#[test]
fn excluded_combinations_are_left_out_and_the_others_keep_their_names_and_order() {
    let excluded = format!("{TWO_BY_TWO}, exclude: [ {{ proxy: relay, length: full }} ]");
    assert_eq!(
        names(&excluded),
        ["[proxy=relay,length=short]", "[proxy=haproxy,length=full]", "[proxy=haproxy,length=short]"]
    );
}

#[test]
fn what_an_exclusion_does_not_name_can_be_anything() {
    assert_eq!(
        names(&format!("{TWO_BY_TWO}, exclude: [ {{ length: full }} ]")),
        ["[proxy=relay,length=short]", "[proxy=haproxy,length=short]"]
    );
}

#[test]
fn an_exclusion_can_name_several_values() {
    assert_eq!(
        names(&format!("{TWO_BY_TWO}, exclude: [ {{ proxy: [relay, haproxy], length: full }} ]")),
        ["[proxy=relay,length=short]", "[proxy=haproxy,length=short]"]
    );
}

#[test]
fn included_cases_come_last_and_have_the_order_of_the_dimensions_in_their_names() {
    let included = format!("{TWO_BY_TWO}, include: [ {{ length: short, proxy: nginx }} ]");
    assert_eq!(names(&included).last().map(String::as_str), Some("[proxy=nginx,length=short]"));
    assert_eq!(names(&included).len(), 5);
}

#[test]
fn what_was_excluded_can_be_included_again() {
    let matrix =
        format!("{TWO_BY_TWO}, exclude: [ {{ length: full }} ], include: [ {{ proxy: relay, length: full }} ]");
    assert_eq!(
        names(&matrix),
        ["[proxy=relay,length=short]", "[proxy=haproxy,length=short]", "[proxy=relay,length=full]"]
    );
}

#[test]
fn an_included_case_has_the_texts_of_its_bundle() {
    let matrix = "length: { full: { idle: 200s }, short: { idle: 4s } }, p: [a], exclude: [ { length: short } ], include: [ { p: b, length: short } ]";
    let source = small(&format!("matrix: {{ {matrix} }}\ntimeline:\n  - idle: ${{{{ matrix.length.idle }}}}\n"));
    let cases = read(&source).unwrap_or_else(|errors| panic!("{errors}"));
    let idles: Vec<_> = cases.iter().map(|case| case.timeline[0].kind.clone()).collect();
    assert_eq!(idles, [200, 4].map(|seconds| Step::Idle(std::time::Duration::from_secs(seconds))));
}

#[test]
fn an_included_value_can_be_named_by_when() {
    let source = small(
        "matrix: { p: [a], include: [ { p: b } ] }\ntimeline: [ idle: 1s ]\nexpect:\n  - { connection: client->server, mechanism: open, when: { p: b } }\n",
    );
    let cases = read(&source).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(cases.iter().map(|case| case.expect.len()).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn errors_of_exclude_and_include_have_their_places() {
    let matrix = "a: [x, y]\n  b: { one: { t: 1 }, two: { t: 2 } }\n  exclude: [ { a: z }, { c: x } ]\n  include: [ { a: x }, { a: w, b: three }, { a: x, b: one } ]";
    let found = errors(matrix);
    let messages = [
        (4, 19, "unknown value of `a` `z`"),
        (4, 26, "unknown matrix dimension `c`"),
        (5, 14, "a case that is included has a value of each dimension, and this has no `b`"),
        (5, 35, "unknown value of `b` `three`"),
        (5, 44, "this case is in the matrix already"),
    ];
    let messages = messages.map(|(line, column, message)| (line, column, message.to_owned()));
    assert_eq!(found, messages);
}

#[test]
fn an_exclusion_that_excludes_nothing_more_is_an_error() {
    let found = errors("a: [x, y]\n  exclude: [ { a: x }, { a: x } ]");
    assert_eq!(found, [(3, 24, "this excludes no case that is still there".to_owned())]);
}

#[test]
fn a_matrix_without_a_case_is_an_error() {
    let found = errors("a: [x, y]\n  exclude: [ { a: [x, y] } ]");
    assert_eq!(
        found.iter().map(|(.., message)| message.as_str()).collect::<Vec<_>>(),
        ["every case of the matrix is excluded"]
    );
}

#[test]
fn a_reference_can_stand_in_names_and_keys_too() {
    let source = small("matrix: { at: [client, server] }\ntimeline:\n  - power-off: ${{ matrix.at }}\n")
        .replace(
            "  echo: { node: server, server: echo, port: 7 }",
            "  \"echo-${{ matrix.at }}\": { node: server, server: echo, port: 7 }",
        )
        .replace("connect: echo:7", "connect: \"echo-${{ matrix.at }}:7\"");
    let cases = read(&source).unwrap_or_else(|errors| panic!("{errors}"));
    let services: Vec<_> = cases.iter().map(|case| case.services[0].name.to_string()).collect();
    assert_eq!(services, ["echo-client", "echo-server"]);
    assert!(matches!(cases[0].services[0].kind, Service::Echo { port: 7 }));
}

#[test]
fn keys_that_become_the_same_are_an_error_where_the_second_stands() {
    let source = small("matrix: { at: [server] }\ntimeline: [ idle: 1s ]\n")
        .replace("  server: {}", "  server: {}\n  \"${{ matrix.at }}\": {}");
    let errors = read(&source).expect_err("the scenario should have errors");
    let found: Vec<_> = errors.iter().map(|(line, column, error)| (line, column, error.message.clone())).collect();
    assert_eq!(found, [(5, 3, "key `server` stands here twice".to_owned())]);
}
