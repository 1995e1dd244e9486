//! How a line becomes words.

use super::*;

/// The words of one line behind its keyword.
fn words(line: &str) -> Vec<String> {
    let environment = HashMap::from([("NAME".to_owned(), "value".to_owned()), ("LIST".to_owned(), "a b".to_owned())]);
    let read = Configuration::read(&[("haproxy.cfg", &format!("global\nlog {line}"))], &environment);
    read.sections[0].lines[0].words[1..].iter().map(|word| word.text.clone()).collect()
}

#[test]
fn the_ways_of_quoting_in_the_manual_are_one_word() {
    for line in [
        r#"%{+Q}o\ %t\ %s\ %{-Q}r"#,
        r#""%{+Q}o %t %s %{-Q}r""#,
        r#"'%{+Q}o %t %s %{-Q}r'"#,
        r#""%{+Q}o %t"' %s %{-Q}r'"#,
        r#""%{+Q}o %t"' %s'\ %{-Q}r"#,
    ] {
        assert_eq!(words(line), ["%{+Q}o %t %s %{-Q}r"], "{line}");
    }
}

#[test]
fn a_comment_ends_a_line_unless_it_is_quoted_or_escaped() {
    assert_eq!(words(r##"a "b#c" 'd#e' f\#g # h"##), ["a", "b#c", "d#e", "f#g"]);
}

#[test]
fn escapes_stand_for_what_cannot_be_typed() {
    assert_eq!(words(r#"\x41\x20b a\\b "\"\$NAME" '\n'"#), ["A b", r"a\b", "\"$NAME", r"\n"]);
}

#[test]
fn a_variable_is_replaced_between_double_quotes_only() {
    assert_eq!(
        words(r#""$NAME:${NAME}" $NAME '$NAME' "${NONE-else}${NAME-else}" "${NONE}" "x ${LIST[*]}" "${.LINE}""#),
        ["value:value", "$NAME", "$NAME", "elsevalue", "", "x a", "b", "2",]
    );
}

#[test]
fn a_quote_that_is_never_closed_is_noted() {
    let notes = notes("global\n log-tag \"a b\n");
    assert!(notes.contains(&"haproxy.cfg:2:10: this double quote is never closed".to_owned()), "{notes:?}");
}
