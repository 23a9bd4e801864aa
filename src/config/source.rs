//! The text of a policy file as messages may show it: lines and columns, and no secret.

use std::ops::Range;

/// Words that make the value after `=` unprintable when a key holds one of them.
const SECRET_WORDS: [&str; 10] = [
    "subject_key",
    "api_key",
    "api-key",
    "apikey",
    "key_file",
    "token",
    "secret",
    "password",
    "passwd",
    "authorization",
];

/// A place in the text: 1-based line and column (characters).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A named text whose secrets are overwritten, byte for byte, so that spans stay true.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) text: String,
}

impl Source {
    /// Takes the text, without its secrets.
    pub(super) fn new(name: &str, text: &str) -> Self {
        Self {
            name: name.to_owned(),
            text: redacted(text),
        }
    }

    /// `span` cut to the text and to whole characters.
    pub(super) fn clamp(&self, span: &Range<usize>) -> Range<usize> {
        let end = self.text.floor_char_boundary(span.end);
        self.text.floor_char_boundary(span.start.min(end))..end
    }

    /// Line and column of a byte offset.
    pub(super) fn place(&self, offset: usize) -> Place {
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Place {
            line: before.bytes().filter(|b| *b == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// Whether a key of this name is likely to hold a secret.
pub(super) fn is_secret_name(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| key.contains(word)) && !key.contains("file")
}

fn redacted(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let lower = text.to_ascii_lowercase();
    for word in SECRET_WORDS {
        for (at, _) in lower.match_indices(word) {
            if let Some(range) = value_to_hide(&lower, at) {
                blank(&mut bytes[range]);
            }
        }
    }
    // Nobody means anything but the API key by a key called `key`.
    let alone = |at: &usize| {
        !lower[..*at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-'))
            && !lower[at + 3..].starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-'))
    };
    for (at, _) in lower.match_indices("key").filter(|(at, _)| alone(at)) {
        if let Some(range) = value_to_hide(&lower, at) {
            blank(&mut bytes[range]);
        }
    }
    for (at, _) in lower.match_indices("://") {
        if let Some(range) = userinfo(&lower, at + 3) {
            blank(&mut bytes[range]);
        }
    }
    String::from_utf8(bytes).expect("whole runs of non-newline characters became asterisks")
}

/// Overwrites everything but line ends. Covers whole characters, so the rest stays UTF-8.
fn blank(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|b| !matches!(**b, b'\n' | b'\r')) {
        *byte = b'*';
    }
}

/// The value given to the key that holds a secret word at `at`; none for a path to a file.
fn value_to_hide(lower: &str, at: usize) -> Option<Range<usize>> {
    let rest = &lower[at..];
    let key_len = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')))
        .unwrap_or(rest.len());
    let after = rest[key_len..].trim_start_matches(['"', '\'', ' ', '\t']);
    let value = after.strip_prefix('=')?.trim_start_matches([' ', '\t']);
    let start = lower.len() - value.len();
    if rest[..key_len].contains("file") && (value.starts_with("\"/") || value.starts_with("'/")) {
        return None;
    }
    let len = ["\"\"\"", "'''"]
        .iter()
        .find_map(|quote| {
            let inner = value.strip_prefix(quote)?;
            Some(inner.find(quote).map_or(value.len(), |end| end + 6))
        })
        .unwrap_or_else(|| value.find(['\n', '\r']).unwrap_or(value.len()));
    Some(start..start + len)
}

/// `user:password` of a URL whose authority begins at `start`.
fn userinfo(lower: &str, start: usize) -> Option<Range<usize>> {
    let rest = &lower[start..];
    let end = rest
        .find(['/', '?', '#', '"', '\'', '\n', '\r', ' '])
        .unwrap_or(rest.len());
    rest[..end].rfind('@').map(|at| start..start + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_vanish_from_the_text_that_messages_show_and_nothing_moves() {
        for (given, shown) in [
            ("api_key = \"sk-1\"\nx = 1", "api_key = ******\nx = 1"),
            ("\"api-key\"='ü'\r\n", "\"api-key\"=****\r\n"),
            ("e = { apikey = \"k\", a = 1 }", "e = { apikey = ************"),
            ("api_token=\"\"\"\nsk\n\"\"\"\na=1", "api_token=***\n**\n***\na=1"),
            ("key = sk-1\nmonkey = 1", "key = ****\nmonkey = 1"),
            ("api_key_file = \"/etc/k\"", "api_key_file = \"/etc/k\""),
            ("api_key_file = \"sk-1\"", "api_key_file = ******"),
            ("key_file = \"/etc/k\"", "key_file = \"/etc/k\""),
            ("key_file = \"PRIVATE\"", "key_file = *********"),
            ("subject_key_file = \"s\"", "subject_key_file = ***"),
            ("u = \"https://me:pw@host/a@b\"", "u = \"https://*****@host/a@b\""),
        ] {
            let source = Source::new("x", given);
            assert_eq!(source.text, shown);
            assert_eq!(source.text.len(), given.len());
        }
    }

    #[test]
    fn places_count_characters_from_one() {
        let source = Source::new("x", "ab\nü = 1\n");
        assert_eq!(source.place(0), Place { line: 1, column: 1 });
        assert_eq!(source.place(6), Place { line: 2, column: 3 });
        assert_eq!(source.place(4), Place { line: 2, column: 1 });
        assert_eq!(source.place(999), Place { line: 3, column: 1 });
        assert_eq!(source.clamp(&(4..999)), 3..10);
    }
}
