//! What an upload's form says of itself while it passes: how many files, and where to.
//!
//! Reads `multipart/form-data` (RFC 7578) piece by piece and keeps next to nothing of it: no content,
//! no file name. A form that it cannot follow passes all the same; its files are then not counted.

use memchr::memmem;

/// Longest head of a part, in bytes; beyond, the form is not followed any more.
const MAX_HEAD: usize = 16 * 1024;

/// Longest text field that is kept, in bytes: an id.
const MAX_TEXT: usize = 512;

/// A form as far as it has been seen.
#[derive(Debug)]
pub struct Form {
    /// `\r\n--` and the boundary.
    delimiter: Vec<u8>,
    /// What is not understood yet: a head, or the last bytes of a part, which may begin a delimiter.
    rest: Vec<u8>,
    step: Step,
    fields: Fields,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// `classificationId`, if it has come.
    pub classification: Option<String>,
    /// `extractionId`, if it has come.
    pub extraction: Option<String>,
    /// `batchId`, if it has come.
    pub batch: Option<String>,
    /// Files so far.
    files: u64,
    /// Whether the form has been followed to its end.
    whole: bool,
}

impl Fields {
    /// Files in the whole form; `None` as long as its end has not come.
    #[must_use]
    pub const fn files(&self) -> Option<u64> {
        if self.whole { Some(self.files) } else { None }
    }

    /// Whether a file has begun: what stands before it is known then.
    #[must_use]
    pub const fn has_file(&self) -> bool {
        self.files > 0
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// Behind a delimiter: `--` ends the form, a line break begins a part.
    Delimited,
    /// In the head of a part.
    Head,
    /// In a part whose content is of no interest.
    Content,
    /// In a text field that is kept.
    Text(Kept),
    /// The form is over.
    Ended,
    /// Not a form, or none that can be followed.
    Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Classification,
    Extraction,
    Batch,
}

impl Form {
    /// For a request with this `Content-Type`.
    #[must_use]
    pub fn new(content_type: Option<&str>) -> Self {
        let boundary = content_type.and_then(boundary);
        let step = if boundary.is_some() {
            Step::Content
        } else {
            Step::Lost
        };
        Self {
            delimiter: [b"\r\n--", boundary.unwrap_or_default().as_bytes()].concat(),
            // The first delimiter may stand at the very beginning.
            rest: b"\r\n".to_vec(),
            step,
            fields: Fields::default(),
        }
    }

    /// What has been found so far.
    #[must_use]
    pub const fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Whether more bytes may bring more.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        !matches!(self.step, Step::Ended | Step::Lost)
    }

    /// Takes the next piece of the body.
    pub fn push(&mut self, piece: &[u8]) {
        if !self.goes_on() {
            return;
        }
        self.rest.extend_from_slice(piece);
        while self.advance() {}
        if !self.goes_on() {
            self.rest = Vec::new();
        }
    }

    /// One step; whether another may follow.
    fn advance(&mut self) -> bool {
        match self.step {
            Step::Delimited => self.delimited(),
            Step::Head => self.head(),
            Step::Content | Step::Text(_) => self.content(),
            Step::Ended | Step::Lost => false,
        }
    }

    fn delimited(&mut self) -> bool {
        let Some(two) = self.rest.get(..2) else {
            return false;
        };
        match two {
            b"--" => {
                self.fields.whole = true;
                self.step = Step::Ended;
            }
            // The line break stays: a head without a line is followed by it alone.
            b"\r\n" => self.step = Step::Head,
            _ => {
                // White space before the line break is allowed, and nobody sends it.
                self.step = Step::Lost;
            }
        }
        true
    }

    fn head(&mut self) -> bool {
        let Some(end) = memmem::find(&self.rest, b"\r\n\r\n") else {
            if self.rest.len() > MAX_HEAD {
                self.step = Step::Lost;
            }
            return false;
        };
        let head = String::from_utf8_lossy(&self.rest[..end]).into_owned();
        // The break before the content stays: an empty content is a delimiter at once.
        self.rest.drain(..end + 2);
        let part = Part::of(&head);
        self.fields.files += u64::from(part.is_file);
        self.step = match part.name.as_str() {
            _ if part.is_file => Step::Content,
            "classificationId" => Step::Text(Kept::Classification),
            "extractionId" => Step::Text(Kept::Extraction),
            "batchId" => Step::Text(Kept::Batch),
            _ => Step::Content,
        };
        true
    }

    fn content(&mut self) -> bool {
        let Some(end) = memmem::find(&self.rest, &self.delimiter) else {
            let is_text = matches!(self.step, Step::Text(_));
            if !is_text || self.rest.len() > MAX_TEXT + self.delimiter.len() + 2 {
                self.step = Step::Content;
                let keep = self.delimiter.len() - 1;
                self.rest.drain(..self.rest.len().saturating_sub(keep));
            }
            return false;
        };
        if let Step::Text(kept) = self.step {
            // Two bytes of line break before the content.
            let text = self.rest.get(2..end).unwrap_or_default().to_vec();
            self.keep(kept, &text);
        }
        self.rest.drain(..end + self.delimiter.len());
        self.step = Step::Delimited;
        true
    }

    fn keep(&mut self, kept: Kept, text: &[u8]) {
        let Ok(text) = std::str::from_utf8(text) else {
            return;
        };
        if text.is_empty() || text.len() > MAX_TEXT {
            return;
        }
        let field = match kept {
            Kept::Classification => &mut self.fields.classification,
            Kept::Extraction => &mut self.fields.extraction,
            Kept::Batch => &mut self.fields.batch,
        };
        *field = Some(text.to_owned());
    }
}

/// The boundary of a form's media type.
fn boundary(content_type: &str) -> Option<String> {
    let (media, parameters) = content_type.split_once(';')?;
    if !media.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(parameters, "boundary")?;
    (1..=200).contains(&boundary.len()).then_some(boundary)
}

/// A parameter `name=value` or `name="value"` of a header.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        rest = rest.trim_start_matches([';', ' ', '\t']);
        let (key, after) = rest.split_once('=')?;
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted_text(quoted)?,
            None => {
                let end = after.find(';').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = next;
    }
}

/// A text up to its closing quote, and what follows it.
fn quoted_text(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((text, &quoted[at + 1..])),
            '\\' => text.push(chars.next()?.1),
            _ => text.push(c),
        }
    }
    None
}

/// What the head of a part says. The file's name is not kept.
struct Part {
    name: String,
    is_file: bool,
}

impl Part {
    fn of(head: &str) -> Self {
        let disposition = head.split("\r\n").find_map(|line| {
            let (key, value) = line.split_once(':')?;
            let parameters = value.split_once(';')?.1;
            key.trim()
                .eq_ignore_ascii_case("content-disposition")
                .then_some(parameters)
        });
        let of = |name| disposition.and_then(|parameters| parameter(parameters, name));
        Self {
            name: of("name").unwrap_or_default(),
            is_file: of("filename").is_some() || of("filename*").is_some(),
        }
    }
}

#[cfg(test)]
mod tests;
