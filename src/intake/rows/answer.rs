//! The API's own upload answer: `{status, classificationId | extractionId, batchId, files: […]}`.
//!
//! One document or several, one after the other. File names and signed links stand beside the ids;
//! they are passed over here and never become part of a row. Unknown keys are passed over too: the
//! vendor may add some.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::jsonl::syntax;
use super::raw::{Cell, Field};
use super::{Found, MAX_ANSWER_BYTES, Problem, RawRow};
use crate::intake::check::Checker;

pub(in crate::intake) struct Answers<R> {
    input: R,
    line: u64,
    buffer: Vec<u8>,
    /// Rows of the document last read.
    waiting: VecDeque<Found>,
    ended: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(borrow)]
    status: Option<Cell<'a>>,
    #[serde(borrow)]
    classification_id: Option<Cell<'a>>,
    #[serde(borrow)]
    extraction_id: Option<Cell<'a>>,
    #[serde(borrow)]
    batch_id: Option<Cell<'a>>,
    #[serde(borrow)]
    files: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    #[serde(borrow)]
    file_id: Option<Cell<'a>>,
}

impl<R: BufRead> Answers<R> {
    pub(super) const fn new(input: R) -> Self {
        Self {
            input,
            line: 1,
            buffer: Vec::new(),
            waiting: VecDeque::new(),
            ended: false,
        }
    }

    pub(super) fn next(&mut self, checker: &Checker<'_>) -> io::Result<Option<Found>> {
        loop {
            if let Some(found) = self.waiting.pop_front() {
                return Ok(Some(found));
            }
            if self.ended {
                return Ok(None);
            }
            self.skip_space()?;
            if self.ended {
                return Ok(None);
            }
            let line = self.line;
            let rows = match self.document()? {
                Ok(()) => {
                    let rows = rows_of(&self.buffer, line, checker);
                    self.line += newlines(&self.buffer);
                    rows
                }
                Err(problem) => {
                    // Where the next document begins cannot be known.
                    self.ended = true;
                    Err(problem)
                }
            };
            match rows {
                Ok(rows) => self.waiting = rows,
                Err(problem) => return Ok(Some((line, Err(problem)))),
            }
        }
    }

    fn skip_space(&mut self) -> io::Result<()> {
        loop {
            let bytes = self.input.fill_buf()?;
            if bytes.is_empty() {
                self.ended = true;
                return Ok(());
            }
            let space = bytes.len() - bytes.trim_ascii_start().len();
            let rest = space < bytes.len();
            self.line += newlines(&bytes[..space]);
            self.input.consume(space);
            if rest {
                return Ok(());
            }
        }
    }

    /// Reads one whole object into the buffer, by its braces alone.
    fn document(&mut self) -> io::Result<Result<(), Problem>> {
        self.buffer.clear();
        let mut braces = Braces::default();
        loop {
            let bytes = self.input.fill_buf()?;
            if bytes.is_empty() {
                let message = "the input ends before the answer that begins here does";
                return Ok(Err(Problem::new("json", message)));
            }
            if self.buffer.is_empty() && bytes[0] != b'{' {
                let message = "an upload answer begins with `{`; nothing is read from here on";
                return Ok(Err(Problem::new("json", message)));
            }
            let end = braces.end(bytes);
            let taken = end.unwrap_or(bytes.len());
            self.buffer.extend_from_slice(&bytes[..taken]);
            self.input.consume(taken);
            if end.is_some() {
                return Ok(Ok(()));
            }
            if self.buffer.len() as u64 > MAX_ANSWER_BYTES {
                let message = format!("the upload answer is longer than {MAX_ANSWER_BYTES} bytes");
                return Ok(Err(Problem::new("too-long", message)));
            }
        }
    }
}

/// Follows braces, outside of strings, to where they balance.
#[derive(Default)]
struct Braces {
    depth: u64,
    in_text: bool,
    escaped: bool,
}

impl Braces {
    /// Number of bytes up to and with the closing brace, if it is among these.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            if self.in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_text = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_text = true,
                b'{' => self.depth += 1,
                b'}' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// The rows of one document that begins in `line`.
fn rows_of(document: &[u8], line: u64, checker: &Checker<'_>) -> Result<VecDeque<Found>, Problem> {
    let answer: Answer<'_> = serde_json::from_slice(document).map_err(|error| shape(&error))?;
    if text(&answer.status, "status")?.is_some_and(|status| status == "error") {
        let message = "the answer says that the upload failed (status `error`)";
        return Err(Problem::new("failed-upload", message));
    }
    let Some(list) = answer.files else {
        let message = "this is no upload answer: it has no `files`";
        return Err(Problem::new("not-an-answer", message));
    };
    let entries: Vec<&RawValue> = serde_json::from_str(list.get())
        .map_err(|_| Problem::new("not-an-answer", "`files` is not a list"))?;
    if entries.is_empty() {
        return Err(Problem::new("no-files", "the answer names no files"));
    }
    let shared = [
        (
            Field::ClassificationId,
            text(&answer.classification_id, "classificationId")?,
        ),
        (Field::ExtractionId, text(&answer.extraction_id, "extractionId")?),
        (Field::BatchId, text(&answer.batch_id, "batchId")?),
    ];
    let mut rows = VecDeque::with_capacity(entries.len());
    let (mut at, mut line) = (0, line);
    for entry in entries {
        let begin = offset(document, entry.get());
        line += newlines(&document[at..begin]);
        at = begin;
        rows.push_back((line, row(&shared, entry).and_then(|row| checker.check(row))));
    }
    Ok(rows)
}

/// Where a part of the document begins in it.
fn offset(document: &[u8], part: &str) -> usize {
    (part.as_ptr() as usize)
        .saturating_sub(document.as_ptr() as usize)
        .min(document.len())
}

fn row<'a>(shared: &[(Field, Option<&'a str>); 3], entry: &'a RawValue) -> Result<RawRow<'a>, Problem> {
    if !entry.get().starts_with('{') {
        return Err(Problem::new(
            "not-an-answer",
            "an entry of `files` is not an object",
        ));
    }
    let entry: Entry<'a> = serde_json::from_str(entry.get()).map_err(|error| shape(&error))?;
    let mut row = RawRow::default();
    for (field, value) in shared {
        if let Some(value) = value {
            row.set(*field, *value);
        }
    }
    match entry.file_id {
        Some(Cell::Text(id)) => row.set(Field::FileId, id),
        Some(Cell::Other(kind)) => {
            let message = format!("fileId must be a text, not {kind}");
            return Err(Problem::new("wrong-type", message));
        }
        Some(Cell::Null) | None => {}
    }
    Ok(row)
}

fn text<'a>(cell: &'a Option<Cell<'_>>, key: &str) -> Result<Option<&'a str>, Problem> {
    match cell {
        Some(Cell::Text(text)) => Ok(Some(text)),
        Some(Cell::Null) | None => Ok(None),
        Some(Cell::Other(kind)) => {
            let message = format!("{key} must be a text, not {kind}");
            Err(Problem::new("wrong-type", message))
        }
    }
}

/// A fault in an answer, without the library's words where they could repeat a value.
fn shape(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    if let Some(key) = text
        .strip_prefix("duplicate field `")
        .and_then(|rest| rest.split('`').next())
    {
        return Problem::new("duplicate-key", format!("the key `{key}` stands twice"));
    }
    if error.is_data() {
        return Problem::new(
            "not-an-answer",
            "this is no upload answer: `files` must be a list of objects",
        );
    }
    Problem::new("json", syntax("not valid JSON", error))
}
