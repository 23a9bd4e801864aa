//! What a sandbox holds from its start: files under ids that were made elsewhere, one JSON object a line.
//!
//! The lines are those that `retentiond record` takes, so that one list fills both sides of a rehearsal or a benchmark.
//! Read on its own: no type is shared with the intake.

use std::io::{self, BufRead};
use std::sync::Arc;

use serde::Deserialize;

use super::handle::SandboxHandle;
use super::route::Module;
use super::state::Place;

/// Why a stock was not taken; what stood before the line is held.
#[derive(Debug, thiserror::Error)]
pub enum BadStock {
    /// It cannot be read.
    #[error("reading the stock")]
    Input(#[from] io::Error),
    /// A line is no file.
    #[error("line {line}: {problem}")]
    Line {
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },
}

/// A line; keys beyond these say nothing to a server.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    classification_id: Option<&'a str>,
    #[serde(borrow)]
    extraction_id: Option<&'a str>,
    batch_id: &'a str,
    file_id: &'a str,
}

impl SandboxHandle {
    /// Holds every file of a list, in parents and batches that are made as they are named. Gives their number.
    ///
    /// # Errors
    /// [`BadStock`] at the first line that names no file.
    pub fn stock(&self, mut input: impl BufRead) -> Result<u64, BadStock> {
        let mut world = self.shared.lock();
        let now = world.now_ms();
        let (mut line, mut files, mut text) = (0, 0, String::new());
        let mut last: Option<Place> = None;
        while input.read_line(&mut text)? > 0 {
            line += 1;
            if !text.trim().is_empty() {
                let (file, place) =
                    file_of(&text, last.take()).map_err(|problem| BadStock::Line { line, problem })?;
                world.hold_file(file, &place, now);
                last = Some(place);
                files += 1;
            }
            text.clear();
        }
        Ok(files)
    }
}

/// The file of a line and where it lies; `last` is given back where it lies there too.
fn file_of(text: &str, last: Option<Place>) -> Result<(&str, Place), String> {
    let row: Row<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let (module, parent) = match (row.classification_id, row.extraction_id) {
        (Some(id), None) => (Module::Classification, id),
        (None, Some(id)) => (Module::Extraction, id),
        (Some(_), Some(_)) | (None, None) => {
            return Err("one of classification_id and extraction_id is wanted".to_owned());
        }
    };
    let same =
        |place: &Place| place.module == module && *place.parent == *parent && *place.batch == *row.batch_id;
    let place = last.filter(same).unwrap_or_else(|| Place {
        module,
        parent: Arc::from(parent),
        batch: Arc::from(row.batch_id),
    });
    Ok((row.file_id, place))
}
