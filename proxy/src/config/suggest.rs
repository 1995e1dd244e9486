//! The nearest valid word, for one that is none.

/// The candidate that `word` was most likely meant to be, if any is near enough to be a slip of the keyboard.
pub(super) fn nearest<'n>(word: &str, candidates: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let plain = |word: &str| word.replace('_', "-").to_lowercase();
    let word = plain(word);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let other = plain(candidate);
            let distance = strsim::damerau_levenshtein(&word, &other);
            let (shorter, longer) = (word.len().min(other.len()), word.len().max(other.len()));
            (distance <= (longer / 3).max(1) && distance < shorter).then_some((distance, candidate))
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}
