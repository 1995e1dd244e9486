//! What holds for every text.

use std::time::Duration;

use proptest::prelude::*;
use whyclosed::scenario::{duration_text, parse_duration};

use crate::words::{read, small};

const FULL: &str = include_str!("full.yaml");

/// Reads the text and, if it has errors, draws them; both must come to an end.
fn survives(source: &str) {
    match read(source) {
        Ok(cases) => assert!(!cases.is_empty()),
        Err(errors) => {
            assert!(!errors.is_empty());
            assert!(!errors.to_string().is_empty());
        }
    }
}

fn cut_out(text: &str, from: usize, length: usize, instead: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let from = from % (characters.len() + 1);
    let to = (from + length).min(characters.len());
    let (before, after) = (characters[..from].iter(), characters[to..].iter());
    before.chain(&instead.chars().collect::<Vec<_>>()).chain(after).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_reader_panic(source in any::<String>()) {
        survives(&source);
    }

    #[test]
    fn no_text_of_yaml_signs_makes_the_reader_panic(source in r#"[a-c \n\t:,\-\[\]{}'"|>&*!%#?$é\r0-9.~]{0,80}"#) {
        survives(&source);
        survives(&small(&format!("timeline:\n  - {source}\n")));
    }

    #[test]
    fn no_change_of_a_good_scenario_makes_the_reader_panic(
        from in any::<usize>(), length in 0_usize..40, instead in r#"[a-z \n\t:,\-\[\]{}'"|>&*!$.0-9]{0,12}"#,
    ) {
        survives(&cut_out(FULL, from, length, &instead));
    }

    #[test]
    fn no_text_as_a_duration_makes_the_reader_panic(text in any::<String>()) {
        let _ = parse_duration(&text);
    }

    #[test]
    fn a_duration_is_read_back_as_it_was_written(seconds in 0_u64..31_536_000, nanoseconds in 0_u32..1_000_000_000) {
        let duration = Duration::new(seconds, nanoseconds);
        prop_assert_eq!(parse_duration(&duration_text(duration)), Ok(duration));
    }

    #[test]
    fn a_short_duration_is_read_back_as_it_was_written(nanoseconds in 0_u64..2_000_000_000) {
        let duration = Duration::from_nanos(nanoseconds);
        prop_assert_eq!(parse_duration(&duration_text(duration)), Ok(duration));
    }
}
