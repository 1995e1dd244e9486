//! How a configuration is judged, and how that is shown.

use super::*;

#[test]
fn every_note_is_drawn_with_its_line_underlined() {
    let read = read("global\n nonsense\nlisten lb 127.0.0.1:80\n\ttimeout client 5min\n timeout client 1s\n");
    assert_eq!(
        check(&read).render(false),
        "\
error: unknown directive `nonsense` in `global`
 --> haproxy.cfg:2:2
  |
2 |  nonsense
  |  ^^^^^^^^

warning: listen `lb` has no server: its sessions end with `SC`
 --> haproxy.cfg:3:8
  |
3 | listen lb 127.0.0.1:80
  |        ^^

warning: an address here is the form of HAProxy 1.5, which 2.6 refuses; it is taken as a `bind` line
 --> haproxy.cfg:3:11
  |
3 | listen lb 127.0.0.1:80
  |           ^^^^^^^^^^^^
  |
  = help: write `bind 127.0.0.1:80` on a line of its own

error: `5min`: the units of time are us, ms, s, m, h and d
 --> haproxy.cfg:4:17
  |
4 |     timeout client 5min
  |                    ^^^^"
    );
}

#[test]
fn a_configuration_with_warnings_is_taken_and_one_with_an_error_is_not() {
    let warned = read(include_str!("../../../../scenarios/seed/haproxy-1.5.cfg"));
    assert!(!check(&warned).refused());
    assert_eq!((check(&warned).errors().count(), check(&warned).warnings().count()), (0, 2));
    let refused = read(&listen(" nonsense\n bind-process all"));
    assert!(check(&refused).refused());
    assert_eq!((check(&refused).errors().count(), check(&refused).warnings().count()), (1, 1));
}

#[test]
fn nothing_is_drawn_when_there_is_nothing_to_say() {
    assert_eq!(check(&read(&listen(""))).render(true), "");
}

#[test]
fn with_zero_warning_a_warning_is_an_error() {
    let (_, notes) = global(" zero-warning\n nbthread 2");
    assert_eq!(notes[0], "haproxy.cfg:2:2: there are warnings, and `zero-warning` allows none");
    assert!(check(&read(&format!("global\n zero-warning\n nbthread 2\n{}", listen("")))).refused());
}

#[test]
fn the_end_of_a_file_that_has_none_is_shown() {
    let read = read(listen(" timeout queue 5s").trim_end());
    assert_eq!(
        read.notes[0].to_string(),
        "haproxy.cfg:8:18: the last line has no end, so that something may be missing behind it"
    );
    assert!(check(&read).render(false).contains("8 |  timeout queue 5s\n  |                  ^"));
}
