//! What holds of any text.

use proptest::prelude::*;

use super::*;

/// A word that a configuration might have: mostly keywords and values, in any order.
fn word() -> impl Strategy<Value = String> {
    let keywords: Vec<String> =
        supported().flat_map(|one| one.keyword.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect();
    let sections = ["global", "defaults", "listen", "frontend", "backend", "resolvers", "from", "no", "default"];
    let values = [
        "5s",
        "0",
        "-1",
        "99999999999999",
        ":80",
        "10.0.0.1:5672",
        "::1",
        "stdout",
        "local0",
        "x",
        "\"${",
        "'",
        "é",
        "if",
        "unless",
        "{",
        "}",
        "!",
        "!!x",
        "||",
        "src",
        "dst_port",
        "10.0.0.0/8",
        "1:2",
        "reject",
        "%ci",
        "%{+Q",
        "%",
        "%[src]",
    ];
    prop_oneof![
        4 => prop::sample::select(keywords),
        2 => prop::sample::select(sections.map(str::to_owned).to_vec()),
        2 => prop::sample::select(values.map(str::to_owned).to_vec()),
    ]
}

fn lines() -> impl Strategy<Value = String> {
    let line = prop::collection::vec(word(), 0..6).prop_map(|words| words.join(" "));
    prop::collection::vec(line, 0..14).prop_map(|lines| lines.join("\n"))
}

/// Configurations as people have them.
const REAL: &[&str] = &[
    include_str!("../../../../scenarios/seed/haproxy.cfg"),
    include_str!("../../../../scenarios/seed/haproxy-1.5.cfg"),
    include_str!("../../../../scenarios/seed/haproxy-short.cfg"),
    "global\n log /dev/log local0\n chroot /var/lib/haproxy\n stats socket /run/haproxy.sock mode 660 level admin expose-fd listeners\n\
     defaults base\n log global\n option tcplog\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n\
     frontend amqp from base\n bind :5672 name in accept-proxy\n acl near src 10.0.0.0/8 192.168.0.0/255.255.0.0\n \
     tcp-request connection reject if !near { dst_port 1:1023 } || { src 0.0.0.0 }\n use_backend b unless near\n default_backend a\n \
     log-format \"%ci:%cp [%t] %{+Q}b/%s %ts\\ %%\"\nbackend a\n balance leastconn\n server s1 10.0.0.1:5672 check send-proxy\n\
     backend b\n server s1 10.0.0.2:5672 check inter 5s rise 2 fall 3 backup\n",
];

/// One of them after some slips: characters that are lost, doubled or others, lines and words that change places.
fn damaged() -> impl Strategy<Value = String> {
    let slip = (0..6u8, any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<char>());
    (prop::sample::select(REAL), prop::collection::vec(slip, 0..8)).prop_map(|(text, slips)| {
        slips
            .into_iter()
            .fold(text.to_owned(), |text, (kind, at, other, character)| slipped(&text, kind, at, other, character))
    })
}

fn slipped(text: &str, kind: u8, at: prop::sample::Index, other: prop::sample::Index, character: char) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    if characters.is_empty() {
        return character.into();
    }
    let place = at.index(characters.len());
    match kind {
        0 => drop(characters.remove(place)),
        1 => characters[place] = character,
        2 => characters.insert(place, characters[place]),
        3 => characters.truncate(place),
        4 | 5 => {
            let separator = if kind == 4 { "\n" } else { " " };
            let mut parts: Vec<&str> = text.split(separator).collect();
            let (one, another) = (at.index(parts.len()), other.index(parts.len()));
            parts.swap(one, another);
            return parts.join(separator);
        }
        _ => {}
    }
    characters.into_iter().collect()
}

/// Every note is within the text, and all are in order.
fn notes_are_placed(text: &str) -> Result<(), TestCaseError> {
    let read = read(text);
    let mut last = (0, 0);
    for note in &read.notes {
        let line = text.lines().nth(note.position.line as usize - 1).unwrap();
        // One behind the last character is where something is missing.
        prop_assert!(note.position.column as usize <= line.chars().count() + 1, "{note}");
        prop_assert!(last <= (note.position.line, note.position.column), "{note}");
        last = (note.position.line, note.position.column);
    }
    let _ = check(&read).render(false);
    Ok(())
}

#[test]
fn the_real_ones_are_taken_without_an_error() {
    for text in &REAL[..3] {
        assert_eq!(check(&read(text)).errors().map(Note::to_string).collect::<Vec<_>>(), [""; 0]);
    }
}

proptest! {
    #[test]
    fn no_slips_in_a_real_one_make_it_panic_and_every_note_points_into_the_text(text in damaged()) {
        notes_are_placed(&text)?;
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC*") {
        let _ = check(&read(&text)).render(true);
        notes_are_placed(&text)?;
    }

    #[test]
    fn no_bytes_of_control_make_it_panic(text in "[\\x00-\\x20\"'\\\\$#é{}a-c]*") {
        let read = read(&text);
        let _ = check(&read).render(false);
    }

    #[test]
    fn no_words_in_any_order_make_it_panic(text in lines()) {
        let read = read(&text);
        let _ = check(&read).render(false);
    }

    #[test]
    fn every_note_points_into_the_text_and_all_are_in_order(text in lines()) {
        notes_are_placed(&text)?;
    }

    #[test]
    fn a_line_that_starts_with_no_keyword_is_refused_where_it_stands(word in "[a-z]{1,3}[0-9]{6}", rest in "[a-z 0-9]{0,20}") {
        let (_, notes) = listened(&format!(" {word} {rest}"));
        prop_assert!(notes[0].starts_with(&format!("haproxy.cfg:8:2: unknown directive `{word}`")), "{:?}", notes);
    }

    #[test]
    fn a_time_in_any_unit_is_its_number_times_the_unit(number in 0u64..1000, unit in prop::sample::select(vec![("ms", 1_000), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000)])) {
        let time = parse_duration(&format!("{number}{}", unit.0), Duration::from_millis(1));
        let expected = Duration::from_micros(number * unit.1);
        if expected <= Duration::from_millis(i32::MAX as u64) {
            prop_assert_eq!(time, Ok(expected));
        } else {
            prop_assert_eq!(time, Err(DurationError::TooLong));
        }
    }

    #[test]
    fn a_time_is_rounded_up_to_what_the_timer_counts_in(microseconds in 0u64..10_000_000) {
        let time = parse_duration(&format!("{microseconds}us"), Duration::from_millis(1));
        prop_assert_eq!(time, Ok(Duration::from_millis(microseconds.div_ceil(1_000))));
        let time = parse_duration(&format!("{microseconds}us"), Duration::from_secs(1));
        prop_assert_eq!(time, Ok(Duration::from_secs(microseconds.div_ceil(1_000_000))));
    }
}
