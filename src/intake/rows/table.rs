//! CSV under a header row: the columns are the keys of a row, labels come as `label.KEY` columns or
//! as one `labels` column that holds `key=value;key=value`. An empty cell stands for "not given".

use std::io::{self, BufRead, BufReader, Read};

use super::raw::{Field, LABELS, shortened, unknown_key};
use super::{Found, MAX_ROW_BYTES, Mapping, Problem, RawRow, Target};
use crate::intake::check::Checker;

pub(in crate::intake) struct Csv<R> {
    reader: csv::Reader<Plain<BufReader<R>>>,
    record: csv::StringRecord,
    /// `None` until the header has been read.
    columns: Option<Vec<Column>>,
    ended: bool,
}

/// What a column holds.
enum Column {
    Text(Field),
    Labels,
    Label(String),
    /// Nothing of ours, in a table from elsewhere.
    Foreign,
}

impl<R: Read> Csv<R> {
    pub(super) fn new(input: BufReader<R>) -> Self {
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(csv::Terminator::Any(b'\n'))
            .from_reader(Plain::new(input));
        Self {
            reader,
            record: csv::StringRecord::new(),
            columns: None,
            ended: false,
        }
    }

    pub(super) fn next(&mut self, checker: &Checker<'_>) -> io::Result<Option<Found>> {
        if self.columns.is_none() {
            match self.record()? {
                None => return Ok(None),
                Some((line, read)) => match read.and_then(|()| header(&self.record, checker)) {
                    Ok(columns) => self.columns = Some(columns),
                    Err(problem) => {
                        self.ended = true;
                        return Ok(Some((line, Err(problem))));
                    }
                },
            }
        }
        let Some((line, read)) = self.record()? else {
            return Ok(None);
        };
        let columns = self.columns.as_deref().unwrap_or_default();
        let row = read
            .and_then(|()| row(&self.record, columns))
            .and_then(|row| checker.check(row));
        Ok(Some((line, row)))
    }

    /// Reads one record and says in which line it begins; `None` at the end.
    fn record(&mut self) -> io::Result<Option<(u64, Result<(), Problem>)>> {
        if self.ended {
            return Ok(None);
        }
        self.reader.get_mut().left = MAX_ROW_BYTES;
        let before = self.reader.position().line();
        let read = self.reader.read_record(&mut self.record);
        let after = self.reader.position().line();
        let inside = self.record.iter().map(newlines).sum::<u64>();
        // Every record ends with exactly one LF (see `Plain`), and blank lines before it are skipped.
        let line = after.saturating_sub(inside + 1).max(before);
        match read {
            Ok(true) => Ok(Some((line, Ok(())))),
            Ok(false) => Ok(None),
            Err(error) => self.failure(error, before),
        }
    }

    fn failure(&mut self, error: csv::Error, line: u64) -> io::Result<Option<(u64, Result<(), Problem>)>> {
        let line = error.position().map_or(line, csv::Position::line);
        let problem = if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) {
            Problem::new("utf-8", "the row is not UTF-8")
        } else if self.reader.get_ref().left == 0 {
            self.ended = true;
            let message = format!(
                "the row that begins here is longer than {MAX_ROW_BYTES} bytes: is a quote never closed? \
                 Nothing is read from here on"
            );
            Problem::new("too-long", message)
        } else {
            return Err(error.into());
        };
        Ok(Some((line, Err(problem))))
    }
}

fn newlines(cell: &str) -> u64 {
    cell.bytes().filter(|byte| *byte == b'\n').count() as u64
}

fn header(record: &csv::StringRecord, checker: &Checker<'_>) -> Result<Vec<Column>, Problem> {
    if record.len() == 1 && record[0].contains([';', '\t']) {
        let message = "the header has no comma: columns are separated by commas, not by `;` or tabs";
        return Err(Problem::new("csv", message));
    }
    let mapping = checker.mapping();
    let mut names: Vec<&str> = Vec::with_capacity(record.len());
    let mut columns = Vec::with_capacity(record.len());
    for name in record.iter().map(str::trim) {
        if names.contains(&name) {
            let message = format!("the column `{}` stands twice in the header", shortened(name));
            return Err(Problem::new("duplicate-key", message));
        }
        names.push(name);
        if let Some(mapping) = mapping {
            match mapping.target(name) {
                Target::Text(field) => columns.push(Column::Text(field)),
                Target::Label(key) => columns.push(Column::Label(key.to_owned())),
                Target::Labels => columns.push(Column::Labels),
                Target::Foreign => columns.push(Column::Foreign),
            }
            continue;
        }
        columns.push(match (Field::named(name), name.strip_prefix("label.")) {
            (Some(field), _) => Column::Text(field),
            (None, Some(key)) => {
                checker.declared(key)?;
                Column::Label(key.to_owned())
            }
            (None, None) if name == LABELS => Column::Labels,
            (None, None) => return Err(unknown_key("column", name)),
        });
    }
    let ours = [Field::BatchId, Field::FileId].map(|field| {
        mapping
            .and_then(|mapping| mapping.name_of(field))
            .unwrap_or(field.name())
    });
    let theirs = mapping.into_iter().flat_map(Mapping::names);
    match ours.into_iter().chain(theirs).find(|name| !names.contains(name)) {
        None => Ok(columns),
        Some(name) => {
            let message = format!("the header has no column `{}`", shortened(name));
            Err(Problem::new("missing", message))
        }
    }
}

fn row<'a>(record: &'a csv::StringRecord, columns: &'a [Column]) -> Result<RawRow<'a>, Problem> {
    if record.len() != columns.len() {
        let message = format!(
            "the row has {} cells, the header has {} columns",
            record.len(),
            columns.len()
        );
        return Err(Problem::new("csv", message));
    }
    let mut row = RawRow::default();
    for (cell, column) in record.iter().zip(columns).filter(|(cell, _)| !cell.is_empty()) {
        match column {
            Column::Text(field) => row.set(*field, cell),
            Column::Label(key) => row.labels.push((key.as_str().into(), cell.into())),
            Column::Labels => pairs(cell, &mut row)?,
            Column::Foreign => {}
        }
    }
    Ok(row)
}

/// `key=value;key=value`. A value holds no `;`: such a label needs a column of its own.
fn pairs<'a>(cell: &'a str, row: &mut RawRow<'a>) -> Result<(), Problem> {
    for pair in cell.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((key, value)) = pair.split_once('=') else {
            let message = "the column `labels` must hold `key=value`, several of them separated by `;`";
            return Err(Problem::new("bad-label", message));
        };
        row.labels.push((key.trim().into(), value.trim().into()));
    }
    Ok(())
}

/// Bytes as the CSV reader is to see them: CRLF made LF, the last line ended, and no more than
/// `left` bytes at a time, so that a quote that is never closed cannot fill the memory.
struct Plain<R> {
    input: R,
    /// Bytes that may still be read for this record, on top of one buffer.
    left: u64,
    last: u8,
    ended: bool,
}

impl<R: BufRead> Plain<R> {
    const fn new(input: R) -> Self {
        Self {
            input,
            left: 0,
            last: b'\n',
            ended: false,
        }
    }

    /// Copies bytes without the CR of a CRLF; returns how many were taken and how many given.
    fn copy(&mut self, into: &mut [u8]) -> io::Result<(usize, usize)> {
        let bytes = self.input.fill_buf()?;
        let (mut taken, mut given) = (0, 0);
        // One place is kept free: a CR that turns out to stand alone is given with its successor.
        while taken < bytes.len() && given + 1 < into.len() {
            let byte = bytes[taken];
            taken += 1;
            if self.last == b'\r' && byte != b'\n' {
                into[given] = b'\r';
                given += 1;
            }
            if byte != b'\r' {
                into[given] = byte;
                given += 1;
            }
            self.last = byte;
        }
        self.input.consume(taken);
        Ok((taken, given))
    }
}

impl<R: BufRead> Read for Plain<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        loop {
            let (taken, given) = self.copy(into)?;
            if given > 0 {
                self.left = self.left.saturating_sub(given as u64);
                return Ok(given);
            }
            if taken == 0 && !std::mem::replace(&mut self.ended, true) && self.last != b'\n' {
                into[0] = b'\n';
                return Ok(1);
            }
            if taken == 0 {
                return Ok(0);
            }
        }
    }
}
