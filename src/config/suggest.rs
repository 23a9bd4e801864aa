//! Did you mean …? One rule for keys, words, labels and zones.

/// The candidate nearest to `given`, if it is near enough to be a slip of the hand.
pub(super) fn nearest<'c>(given: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let given = folded(given);
    candidates
        .into_iter()
        .map(|candidate| (distance(&given, &folded(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= slack(&given, candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `` `a`, `b` or `c` ``.
pub(super) fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// Edits between the two; one that begins with the other (`warning`, `warn`) counts as near.
fn distance(given: &str, candidate: &str) -> usize {
    let edits = strsim::damerau_levenshtein(given, candidate);
    let shorter = given.len().min(candidate.len());
    let begins = shorter >= 4 && (given.starts_with(candidate) || candidate.starts_with(given));
    if begins { edits.min(1) } else { edits }
}

fn folded(text: &str) -> String {
    text.chars()
        .take(64)
        .map(|c| {
            if c == '-' || c == ' ' {
                '_'
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect()
}

fn slack(given: &str, candidate: &str) -> usize {
    (given.chars().count().max(candidate.chars().count()) / 3).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let keys = ["delete_after", "delete_by", "mode", "match"];
        assert_eq!(nearest("delete-after", keys), Some("delete_after"));
        assert_eq!(nearest("delet_by", keys), Some("delete_by"));
        assert_eq!(nearest("Mode", keys), Some("mode"));
        assert_eq!(nearest("warning", ["warn", "info"]), Some("warn"));
        assert_eq!(nearest("colour", keys), None);
        assert_eq!(nearest("", ["a"]), Some("a"));
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn words_are_listed_as_one_would_say_them() {
        assert_eq!(listed(&[]), "");
        assert_eq!(listed(&["a"]), "`a`");
        assert_eq!(listed(&["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
