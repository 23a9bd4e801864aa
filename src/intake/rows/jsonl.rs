//! JSONL: one object a line. Blank lines are passed over, CRLF is as good as LF.

use std::io::{self, BufRead, Read};

use serde::de::DeserializeSeed;

use super::raw::RowSeed;
use super::{Found, MAX_ROW_BYTES, Mapping, Problem, RawRow};
use crate::intake::check::Checker;

pub(in crate::intake) struct Jsonl<R> {
    input: R,
    line: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> Jsonl<R> {
    pub(super) const fn new(input: R) -> Self {
        Self {
            input,
            line: 0,
            buffer: Vec::new(),
        }
    }

    pub(super) fn next(&mut self, checker: &Checker<'_>) -> io::Result<Option<Found>> {
        loop {
            self.buffer.clear();
            let mut row = (&mut self.input).take(MAX_ROW_BYTES + 1);
            if row.read_until(b'\n', &mut self.buffer)? == 0 {
                return Ok(None);
            }
            self.line += 1;
            if row.limit() == 0 && self.buffer.last() != Some(&b'\n') {
                self.input.skip_until(b'\n')?;
                let message = format!("the line is longer than {MAX_ROW_BYTES} bytes");
                return Ok(Some((self.line, Err(Problem::new("too-long", message)))));
            }
            if !self.buffer.trim_ascii().is_empty() {
                let row = parse(&self.buffer, checker.mapping()).and_then(|row| checker.check(row));
                return Ok(Some((self.line, row)));
            }
        }
    }
}

fn parse<'l>(line: &'l [u8], mapping: Option<&Mapping>) -> Result<RawRow<'l>, Problem> {
    // A fault of type is told without the library's words: they repeat the value.
    let mut reader = serde_json::Deserializer::from_slice(line);
    let row = RowSeed(mapping).deserialize(&mut reader);
    let whole = row.and_then(|row| reader.end().map(|()| row));
    whole.map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            Problem::new("not-an-object", "a row must be one JSON object on one line")
        }
        serde_json::error::Category::Eof => Problem::new(
            "json",
            "the JSON object does not end on this line: a row must stand on one line",
        ),
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
            Problem::new("json", syntax("not valid JSON", &error))
        }
    })
}

/// The JSON library's complaint with its column; the line is ours to name.
pub(super) fn syntax(what: &str, error: &serde_json::Error) -> String {
    let text = error.to_string();
    let complaint = text.split(" at line ").next().unwrap_or_default();
    format!("{what}: {complaint} (column {})", error.column())
}
