//! The nearest valid name, for a word that is none.

/// A word as it is compared: a space, `_` and `-` are the same, and so are capitals.
pub(super) fn normalised(word: &str) -> String {
    word.trim().replace([' ', '_'], "-").to_lowercase()
}

/// Whether two ways of writing a key or verb mean the same one ("at most", `at_most`, `at-most`).
pub(super) fn same(one: &str, other: &str) -> bool {
    let letters = |word: &'_ str| word.replace([' ', '_'], "-");
    one == other || letters(one) == letters(other)
}

/// The candidate that `word` was most likely meant to be, if any is near enough to be a slip of the keyboard.
pub(super) fn nearest<'n>(word: &str, candidates: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let word = normalised(word);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let other = normalised(candidate);
            let distance = strsim::damerau_levenshtein(&word, &other);
            let (shorter, longer) = (word.len().min(other.len()), word.len().max(other.len()));
            (distance <= (longer / 3).max(1) && distance < shorter).then_some((distance, candidate))
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// "unknown node `lbb`; did you mean `lb`?", with what there is as help.
///
/// `what` is the singular ("node"), `plural` introduces the list ("nodes"); returns message and help.
pub(super) fn unknown(what: &str, word: &str, plural: &str, candidates: &[&str]) -> (String, String) {
    const MOST: usize = 16;
    let word = super::tree::shown(word);
    let message = match nearest(&word, candidates.iter().copied()) {
        Some(near) => format!("unknown {what} `{word}`; did you mean `{near}`?"),
        None => format!("unknown {what} `{word}`"),
    };
    let help = if candidates.is_empty() {
        format!("there are no {plural} here")
    } else {
        let more = if candidates.len() > MOST { ", …" } else { "" };
        let some = &candidates[..candidates.len().min(MOST)];
        format!("{plural}: {}{more}", listed(some))
    };
    (message, help)
}

/// Names in backquotes, separated by commas.
pub(super) fn listed(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
