//! Foreign words, made fit for logs, ledger and pages: no ids, links, names, control characters.

/// Longest reason, in characters.
pub const LONGEST_REASON: usize = 200;

/// Foreign text with everything removed that a log must not hold: links, paths, whatever stands in
/// quotes, e-mail addresses, file names, id-shaped words, control characters. At most
/// [`LONGEST_REASON`] characters.
#[must_use]
pub fn cleaned(foreign: &str) -> String {
    // Bounded first: a hostile body may be long, and cleaning only ever needs its beginning.
    let head: String = foreign.chars().take(4 * LONGEST_REASON).collect();
    let unquoted = without_quotes(&head);
    let words: Vec<String> = unquoted.split_whitespace().map(clean_word).collect();
    shortened(&words.join(" "))
}

/// Cuts text to [`LONGEST_REASON`] characters, with an ellipsis for what is missing.
#[must_use]
pub fn shortened(text: &str) -> String {
    if text.chars().count() <= LONGEST_REASON {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(LONGEST_REASON - 1).collect();
    short.push('…');
    short
}

/// Replaces what stands between quotes: that is where messages echo names and ids.
fn without_quotes(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut closing: Option<char> = None;
    let mut before = ' ';
    for c in text.chars() {
        match closing {
            Some(end) if c == end => closing = None,
            Some(_) => {}
            None => match closing_quote(c, before) {
                Some(end) => {
                    kept.push_str("<quoted>");
                    closing = Some(end);
                }
                None => kept.push(c),
            },
        }
        before = c;
    }
    kept
}

/// The quote that ends what `opening` begins; an apostrophe inside a word begins nothing.
fn closing_quote(opening: char, before: char) -> Option<char> {
    match opening {
        '"' | '`' => Some(opening),
        '\'' if !before.is_alphanumeric() => Some('\''),
        '“' | '„' => Some('”'),
        '«' => Some('»'),
        '‘' => Some('’'),
        _ => None,
    }
}

fn clean_word(word: &str) -> String {
    let lower = word.to_lowercase();
    if lower.contains("://") || lower.starts_with("www.") {
        return "<link>".to_owned();
    }
    if word.contains('@') || is_file_name(word) {
        return "<name>".to_owned();
    }
    if word.contains('/') || word.contains('\\') {
        return "<path>".to_owned();
    }
    mask_ids(word).chars().flat_map(visible).collect()
}

/// Whether a dot is followed by one to five letters or digits at the word's end: `cv.pdf`.
fn is_file_name(word: &str) -> bool {
    let bare = word.trim_end_matches(|c: char| !c.is_alphanumeric());
    bare.rsplit_once('.').is_some_and(|(stem, ending)| {
        !stem.is_empty()
            && (1..=5).contains(&ending.chars().count())
            && ending.chars().all(char::is_alphanumeric)
            && ending.chars().any(char::is_alphabetic)
    })
}

/// Replaces runs that look like ids: push ids (20 characters) and batch ids (10), by shape.
fn mask_ids(word: &str) -> String {
    let of_id = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut masked = String::with_capacity(word.len());
    let mut run = String::new();
    for c in word.chars().chain(std::iter::once('\0')) {
        if of_id(c) {
            run.push(c);
            continue;
        }
        masked.push_str(if looks_like_an_id(&run) { "<id>" } else { &run });
        run.clear();
        if c != '\0' {
            masked.push(c);
        }
    }
    masked
}

/// Ten or more characters with a digit or an inner capital, or twenty of anything: no plain word.
fn looks_like_an_id(run: &str) -> bool {
    let inner_capital = run.chars().skip(1).any(|c| c.is_ascii_uppercase());
    let digit = run.chars().any(|c| c.is_ascii_digit());
    run.len() == 20 || (run.len() >= 10 && (inner_capital || digit))
}

/// A character as it may be printed: control, format and direction marks escaped.
fn visible(c: char) -> impl Iterator<Item = char> {
    let printable = c == ' ' || !(c.is_control() || c.is_whitespace() || is_format(c));
    let escaped = (!printable).then(|| c.escape_unicode());
    let plain = printable.then_some(c);
    escaped.into_iter().flatten().chain(plain)
}

/// Zero-width and direction marks, which could turn a line around on a terminal.
const fn is_format(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_links_names_paths_and_quotes_are_removed() {
        for (foreign, clean) in [
            ("Batch does not exist", "Batch does not exist"),
            ("Classification not found.", "Classification not found."),
            ("Internal server error", "Internal server error"),
            ("File -OKI_FueqSWiExyfS310 not found", "File <id> not found"),
            ("id=-OKI_FueqSWiExyfS310!", "id=<id>!"),
            ("Batch aB3dE5fG7h does not exist", "Batch <id> does not exist"),
            (
                "see https://storage.googleapis.com/b/cv.pdf?X-Sig=1 now",
                "see <link> now",
            ),
            ("HTTPS://X", "<link>"),
            ("cannot read Müller.pdf: bad", "cannot read <name> bad"),
            ("file 'Max Müller CV.pdf' is open", "file <quoted> is open"),
            ("file \"Max Müller", "file <quoted>"),
            ("it doesn't exist", "it doesn't exist"),
            ("mail max@example.org", "mail <name>"),
            ("Cannot DELETE /api/v1/x", "Cannot DELETE <path>"),
            ("a\nb\tc\u{1b}[31md", "a b c\\u{1b}[31md"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("", ""),
        ] {
            assert_eq!(cleaned(foreign), clean, "{foreign:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut_with_an_ellipsis() {
        let clean = cleaned(&"word ".repeat(1000));
        assert_eq!(clean.chars().count(), LONGEST_REASON);
        assert!(clean.ends_with('…'));
    }

    proptest::proptest! {
        #[test]
        fn nothing_unprintable_and_nothing_long_survives(foreign in proptest::collection::vec(proptest::char::any(), 0..600)) {
            let clean = cleaned(&foreign.iter().collect::<String>());
            proptest::prop_assert!(clean.chars().count() <= LONGEST_REASON);
            proptest::prop_assert!(!clean.chars().any(|c| c.is_control() || is_format(c)));
        }

        #[test]
        fn no_push_id_survives(id in "-O[-0-9A-Z_a-z]{18}", before in "[a-z ,:=(]{0,9}", after in "[ ,.:)]") {
            let clean = cleaned(&format!("{before} {id}{after}"));
            proptest::prop_assert!(!clean.contains(&id), "{}", clean);
        }
    }
}
