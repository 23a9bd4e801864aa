//! Which format an input has, when nobody says.

use serde::Serialize;

/// The formats that `record` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values under a header row.
    Csv,
    /// Upload answers of the API as they came, one or several.
    Response,
}

/// Keys by which a JSON input gives itself away: those of the API's answers, and those of a row.
const ANSWER_KEYS: [&[u8]; 4] = [
    b"\"classificationId\"",
    b"\"extractionId\"",
    b"\"batchId\"",
    b"\"files\"",
];
const ROW_KEYS: [&[u8]; 4] = [
    b"\"classification_id\"",
    b"\"extraction_id\"",
    b"\"batch_id\"",
    b"\"file_id\"",
];

impl Format {
    /// The formats, as `--as` names them.
    pub const ALL: [Self; 3] = [Self::Jsonl, Self::Csv, Self::Response];

    /// The name that `--as` takes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Response => "response",
        }
    }

    /// Tells a format by the file's name, else by the first bytes. A `.csv` is believed; a JSON
    /// file of any ending is told by the first key that only one of the two JSON formats has, so
    /// that collected answers in an `answers.jsonl` are read as what they are. An empty input is
    /// JSONL without rows. `None` when nothing fits: then `--as` is needed.
    #[must_use]
    pub fn detect(name: Option<&str>, head: &[u8]) -> Option<Self> {
        let ending = name
            .and_then(|name| name.rsplit_once('.'))
            .map(|(_, ending)| ending);
        let is = |what: &str| ending.is_some_and(|ending| ending.eq_ignore_ascii_case(what));
        if is("csv") {
            return Some(Self::Csv);
        }
        let head = head.trim_ascii_start();
        if head.is_empty() || head.starts_with(b"{") || is("jsonl") || is("ndjson") {
            return Some(Self::of_json(head));
        }
        let first_line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let columns = first_line.split(|byte| matches!(byte, b',' | b';' | b'\t'));
        let mut names = columns.map(|column| column.trim_ascii().trim_with(b'"'));
        names
            .any(|column| matches!(column, b"file_id" | b"batch_id"))
            .then_some(Self::Csv)
    }

    fn of_json(head: &[u8]) -> Self {
        let first = |keys: &[&[u8]]| keys.iter().filter_map(|key| position(head, key)).min();
        match (first(&ANSWER_KEYS), first(&ROW_KEYS)) {
            (Some(answer), Some(row)) if answer < row => Self::Response,
            (Some(_), None) => Self::Response,
            (Some(_) | None, Some(_)) | (None, None) => Self::Jsonl,
        }
    }
}

fn position(head: &[u8], key: &[u8]) -> Option<usize> {
    head.windows(key.len()).position(|window| window == key)
}

trait TrimWith {
    fn trim_with(&self, byte: u8) -> &[u8];
}

impl TrimWith for [u8] {
    fn trim_with(&self, byte: u8) -> &[u8] {
        let text = self.strip_prefix(&[byte]).unwrap_or(self);
        text.strip_suffix(&[byte]).unwrap_or(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_is_told_by_name_else_by_the_first_bytes() {
        let row = br#"{"classification_id":"c","batch_id":"b","file_id":"f"}"#.as_slice();
        let answer =
            b"\n {\"status\":\"success\",\n \"classificationId\":\"c\",\"batchId\":\"b\"}".as_slice();
        let table = b"classification_id,\"file_id\",batch_id\r\nc,f,b".as_slice();
        for (name, head, expected) in [
            (Some("rows.csv"), row, Some(Format::Csv)),
            (Some("ROWS.CSV"), b"".as_slice(), Some(Format::Csv)),
            (Some("rows.jsonl"), row, Some(Format::Jsonl)),
            (Some("rows.ndjson"), b"garbage", Some(Format::Jsonl)),
            (Some("answers.jsonl"), answer, Some(Format::Response)),
            (Some("answer.json"), answer, Some(Format::Response)),
            (Some("rows.json"), row, Some(Format::Jsonl)),
            (None, row, Some(Format::Jsonl)),
            (None, answer, Some(Format::Response)),
            (None, b"{\"batch\":1}", Some(Format::Jsonl)),
            (None, b"{\"file_id\":\"a\",\"files\":1}", Some(Format::Jsonl)),
            (None, table, Some(Format::Csv)),
            (Some("rows.txt"), table, Some(Format::Csv)),
            (None, b"", Some(Format::Jsonl)),
            (None, b" \r\n", Some(Format::Jsonl)),
            (None, b"[1]", None),
            (None, b"hello, world", None),
        ] {
            assert_eq!(
                Format::detect(name, head),
                expected,
                "{name:?} {}",
                String::from_utf8_lossy(head)
            );
        }
    }
}
