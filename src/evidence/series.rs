//! Notes one after the other in a file, with an empty line after each; the last may have been cut off while it was
//! written, by a crash or a full disk.

use super::Note;
use super::note::{MARK, NoteError};

/// Stands behind a note that was cut off, once the next one was to follow it.
const CUT_OFF: &str = "(the note above was cut off while it was written)";

/// A file of notes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// The whole ones, in order.
    pub notes: Vec<Note>,
    /// What is left of those that were cut off.
    pub torn: Vec<String>,
}

impl Series {
    /// Reads a file. What was cut off at its end, or was ended later by [`Self::before_next`], is no damage.
    ///
    /// # Errors
    /// [`NoteError::Malformed`], where any other is no note.
    pub fn parse(file: &[u8]) -> Result<Self, NoteError> {
        // A cut may go through a character.
        let text = String::from_utf8_lossy(file);
        let (mut parts, mut torn): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        for part in text.split("\n\n").map(|part| part.trim_matches('\n')) {
            match parts.last_mut() {
                _ if part.is_empty() => {}
                _ if part == CUT_OFF => torn.extend(parts.pop()),
                Some(last) if begins_as_signature(part) => {
                    last.push_str(part);
                    last.push('\n');
                }
                Some(_) | None => parts.push(format!("{part}\n\n")),
            }
        }
        if ends(file) == End::CutOff {
            torn.extend(parts.pop());
        }
        let notes = parts
            .iter()
            .map(|note| Note::parse(note))
            .collect::<Result<_, _>>()?;
        Ok(Self { notes, torn })
    }

    /// What has to be written before the next note, by how the file ends: `tail` is its last note at least.
    #[must_use]
    pub fn before_next(tail: &[u8]) -> String {
        match ends(tail) {
            End::Whole => String::new(),
            End::NoEmptyLine => "\n".to_owned(),
            End::CutOff => format!("\n\n{CUT_OFF}\n\n"),
        }
    }
}

/// Also where no more is left than a part of its mark, or of the mark's first character: the text above it is that of
/// a signed note then, not of one without signatures.
fn begins_as_signature(part: &str) -> bool {
    part.starts_with(MARK) || MARK.starts_with(part) || part == "\u{fffd}"
}

/// How a file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// With a note and its empty line, or with nothing.
    Whole,
    /// With a signature and the end of its line.
    NoEmptyLine,
    /// Amid a note.
    CutOff,
}

/// A note without signatures ends in three line ends: with two it may as well be the text of a signed one.
fn ends(file: &[u8]) -> End {
    let text = String::from_utf8_lossy(file);
    let Some(line) = text.strip_suffix('\n') else {
        return if text.is_empty() { End::Whole } else { End::CutOff };
    };
    let line = line.strip_suffix('\n');
    let last = line.unwrap_or(&text).trim_end_matches('\n');
    let last = &last[last.rfind('\n').map_or(0, |at| at + 1)..];
    match line {
        Some(line) if line.ends_with('\n') || last == CUT_OFF || last.starts_with(MARK) => End::Whole,
        None if last.starts_with(MARK) => End::NoEmptyLine,
        Some(_) | None => End::CutOff,
    }
}
