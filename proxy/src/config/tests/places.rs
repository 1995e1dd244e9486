//! Where notes point, and what they propose.

use super::*;

/// The one note about these lines in a `listen`: its place and length, kind, message and help.
fn only(lines: &str) -> (String, u32, NoteKind, String, Option<String>) {
    let read = read(&listen(lines));
    assert_eq!(read.notes.len(), 1, "{:?}", read.notes);
    let note = read.notes[0].clone();
    (note.position.to_string(), note.length, note.kind, note.message, note.help)
}

fn proposed(lines: &str) -> Option<String> {
    only(lines).4
}

#[test]
fn an_unknown_directive_is_refused_at_its_first_word() {
    let found = only("  tmeout client 5s");
    let message = "unknown directive `tmeout` in `listen`".to_owned();
    let help = Some("did you mean `timeout client`?".to_owned());
    assert_eq!(found, ("haproxy.cfg:8:3".to_owned(), 6, NoteKind::Unknown, message, help));
}

#[test]
fn an_unknown_second_word_is_refused_together_with_the_first() {
    let found = only("  timeout clinet 5s");
    let message = "unknown `timeout clinet`".to_owned();
    let help = Some("did you mean `timeout client`?".to_owned());
    assert_eq!(found, ("haproxy.cfg:8:3".to_owned(), 14, NoteKind::Unknown, message, help));
}

#[test]
fn the_nearest_option_setting_algorithm_or_backend_is_proposed() {
    assert_eq!(proposed(" option clitcpkaa").as_deref(), Some("did you mean `option clitcpka`?"));
    assert_eq!(proposed(" server s2 10.0.0.2:80 chekc").as_deref(), Some("did you mean `check`?"));
    assert_eq!(proposed(" bind :80 nmae x").as_deref(), Some("did you mean `name`?"));
    assert_eq!(proposed(" balance lestconn").as_deref(), Some("did you mean `leastconn`?"));
    assert_eq!(proposed(" log stdout locl0").as_deref(), Some("did you mean `local0`?"));
}

#[test]
fn a_directive_of_another_section_is_told_where_it_belongs() {
    assert_eq!(proposed(" chroot /var").as_deref(), Some("it belongs in `global`"));
    let read = read(&format!("global\n bind :80\n{}", listen("")));
    assert_eq!(read.notes[0].help.as_deref(), Some("it belongs in `frontend` or `listen`"));
}

#[test]
fn a_setting_that_is_not_implemented_is_refused_at_its_own_column_and_those_behind_it_are_read() {
    let (proxy, notes) = listened(" server s2 10.0.0.2:80 track s1 weight 5 namespace n check inter 7s");
    assert_eq!(proxy.servers[1].check.as_ref().map(|check| check.interval), seconds(7));
    assert_eq!(proxy.servers[1].weight, 5);
    let columns: Vec<&str> = notes.iter().filter_map(|note| note.split(": ").next()).collect();
    assert_eq!(columns, ["haproxy.cfg:8:24", "haproxy.cfg:8:42"]);
}

#[test]
fn a_word_in_quotes_is_measured_with_them() {
    let (_, length, _, message, _) = only(" balance \"least conn\"");
    assert_eq!((length, message.as_str()), (12, "`least conn` is no way to balance"));
}

#[test]
fn columns_are_characters_and_tabs_are_one() {
    assert_eq!(only("\t\"balance\"\tçaçé").0, "haproxy.cfg:8:12");
}

#[test]
fn notes_of_several_files_come_file_by_file_and_in_order_of_place() {
    let files = [("b.cfg", "global\n nonsense\n daemon x\n"), ("a.cfg", "listen lb\n bind :80\n other\n")];
    let read = Configuration::read(&files, &HashMap::new());
    let places: Vec<String> = read.notes.iter().map(|note| note.position.to_string()).collect();
    assert_eq!(places, ["b.cfg:2:2", "b.cfg:3:9", "a.cfg:1:8", "a.cfg:1:8", "a.cfg:3:2"]);
}

#[test]
fn what_has_no_effect_where_it_stands_is_a_warning_and_has_none() {
    let text = "frontend f\n bind :80\n timeout client 1s\n timeout server 1s\n default_backend b\nbackend b\n timeout client 9s\n server s 10.0.0.1:1\n timeout connect 1s\n timeout server 1s\n";
    let read = read(text);
    let notes: Vec<String> = read.notes.iter().map(Note::to_string).collect();
    assert_eq!(
        notes,
        [
            "haproxy.cfg:4:2: `timeout server` has no effect here: a `frontend` has no servers",
            "haproxy.cfg:7:2: `timeout client` has no effect here: a `backend` takes no clients",
        ]
    );
    assert!(read.notes.iter().all(|note| note.kind == NoteKind::Warning));
    assert_eq!(read.backend("b").unwrap().timeouts.client, None);
}
