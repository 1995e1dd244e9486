//! Every scenario in `errors/` has faults; the snapshot beside it is what its author sees.

use std::path::Path;

use whyclosed::scenario::{Errors, find, parse};

use crate::words::{TestWords, read, small};

fn errors(source: &str) -> Errors {
    read(source).expect_err("the scenario should have errors")
}

fn first_message(source: &str) -> String {
    errors(source).iter().next().map(|(_, _, error)| error.message.clone()).unwrap_or_default()
}

/// What the author of `errors/NAME.yaml` sees is `errors/NAME.snap`.
fn check(name: &str) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenario/errors");
    let file = format!("{name}.yaml");
    let source = std::fs::read_to_string(directory.join(&file)).expect("the scenario can be read");
    let Err(errors) = parse::<TestWords>(&file, &source, "errors/case", &directory) else {
        panic!("{file} has no errors");
    };
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "errors", omit_expression => true }, {
        insta::assert_snapshot!(name, format!("{errors}\n\n{} in all", errors.len()));
    });
}

/// A test for each scenario in `errors/`, and one that none is left out.
macro_rules! faulty {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                check(&stringify!($name).replace('_', "-"));
            }
        )*

        #[test]
        fn every_faulty_scenario_has_its_test() {
            let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenario/errors");
            let files = find(&[directory]);
            let names: Vec<_> = files.iter().filter_map(|file| file.file_stem()?.to_str()).collect();
            let tested = [$(stringify!($name).replace('_', "-")),*];
            assert_eq!(names, tested);
        }
    };
}

faulty! {
    anchor
    bad_address
    bad_clients
    bad_ends
    bad_expectations
    bad_files_and_readiness
    bad_firewalls
    bad_keepalive
    bad_matrix
    bad_name
    bad_references
    bad_services
    bad_steps
    bad_sysctl
    bad_units
    bad_when
    brace_not_closed
    colon_in_text
    duplicate_key
    empty_file
    empty_timeline
    jitter_without_delay
    matrix_too_large
    missing_sections
    no_way_from_client_to_target
    not_a_mapping
    only_a_comment
    reference_without_quotes
    several_errors_at_once
    tab
    two_documents
    two_nodes_with_one_address
    unknown_key
    unknown_section
}

#[test]
fn errors_stand_in_the_order_of_their_places() {
    let source = small("timeline:\n  - idle: 5\n  - idel: 5s\n").replace("port: 7", "prt: 7");
    let lines: Vec<_> = errors(&source).iter().map(|(line, _, _)| line).collect();
    assert_eq!(lines, [8, 12, 13]);
}

#[test]
fn a_column_counts_characters_and_not_bytes() {
    let source = "title: é\nabout: é\nnodes: { é: {} }\ntimeline: [ idle: 1s ]\n";
    let columns: Vec<_> = errors(source).iter().map(|(line, column, _)| (line, column)).collect();
    assert_eq!(columns, [(3, 10)]);
}

#[test]
fn an_error_in_all_cases_is_reported_once_and_without_a_note() {
    let source = small("matrix: { proxy: [a, b], length: [c, d] }\ntimeline:\n  - idle: 5\n");
    let errors = errors(&source);
    assert_eq!(errors.len(), 1);
    assert!(errors.iter().all(|(_, _, error)| error.note.is_none()));
}

#[test]
fn an_error_in_one_case_names_the_case() {
    let source = small("matrix: { length: [5s, 5] }\ntimeline:\n  - idle: ${{ matrix.length }}\n");
    let errors = errors(&source);
    let notes: Vec<_> = errors.iter().map(|(_, _, error)| error.note.as_deref()).collect();
    assert_eq!(notes, [Some("in the case [length=5]")]);
}

#[test]
fn colours_are_given_only_when_asked_for() {
    let errors = errors("");
    assert!(errors.render(true).contains('\u{1b}'));
    assert!(!errors.render(false).contains('\u{1b}'));
    assert_eq!(errors.to_string(), errors.render(false));
}

#[test]
fn a_misspelt_section_is_one_error_and_not_one_for_each_of_its_names() {
    let source = small("timeline:\n  - cut: cable\n").replace("wires:", "wirs:");
    let errors = errors(&source);
    let messages: Vec<_> = errors.iter().map(|(_, _, error)| error.message.clone()).collect();
    assert_eq!(messages[0], "unknown key `wirs`; did you mean `wires`?");
    assert!(!messages.iter().any(|message| message.contains("unknown wire")), "{messages:?}");
}

#[test]
fn a_name_far_from_all_others_gets_no_suggestion() {
    let message = first_message(&small("timeline:\n  - cut: xylophone\n"));
    assert_eq!(message, "unknown wire `xylophone`");
}

#[test]
fn a_tree_too_deep_is_an_error_and_not_an_overflow() {
    let deep = "[".repeat(100);
    assert_eq!(first_message(&deep), "nested deeper than 32 levels");
}
