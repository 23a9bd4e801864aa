//! From a raw row to facts: everything that is asked of one row by itself.
//!
//! Doubt about an id or a start is a refusal: a file that is recorded with a wrong upload time
//! would be deleted too early, and nothing comes back. No message repeats a value other than a time.

use std::borrow::Cow;

use super::record::InForce;
use super::rows::{Field, Format, Mapping, Problem, RawRow, shortened, suggestion};
use super::subject::SubjectHasher;
use crate::model::{
    AccountName, BatchAddress, BatchId, ClassificationId, ExtractionId, FileAddress, FileId, Labels,
    MAX_ID_BYTES, NewFile, Parent, Timestamp, push_id_time,
};

/// How far `uploaded_at` may lie ahead of our clock, in milliseconds: clocks differ a little.
pub const FUTURE_TOLERANCE_MILLIS: i64 = 5 * 60_000;

/// How much earlier than the time inside the file's own id `uploaded_at` may be, in milliseconds.
pub const PUSH_ID_TOLERANCE_MILLIS: i64 = 24 * 3_600_000;

/// How an input is to be taken. No `Debug`: it may hold a data subject in clear.
#[derive(Clone, Default)]
pub struct RecordOptions {
    /// The format; `None`: told by name and first bytes.
    pub format: Option<Format>,
    /// Keep the good rows although there are bad ones.
    pub keep_good: bool,
    /// Labels for all rows; a row's own label of the same key wins.
    pub labels: Labels,
    /// Document type of rows without one.
    pub document_type: Option<String>,
    /// Data subject, in clear, of rows without one.
    pub subject: Option<String>,
    /// Account of rows that do not name one; `None`: the one without a name.
    pub account: Option<AccountName>,
    /// Classification of rows that name neither a classification nor an extraction.
    pub classification: Option<ClassificationId>,
    /// Rows from elsewhere: the names that our keys have in the input.
    pub mapping: Option<Mapping>,
    /// Where the anonymous temporary file of a big input lies; `None`: the system's place.
    pub spool_dir: Option<std::path::PathBuf>,
}

/// A row that passed, with what is not the ledger's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checked {
    pub(super) file: NewFile,
    /// `uploaded_at` was not given: now stands for it.
    pub(super) assumed: bool,
}

/// Judges rows, one by one.
pub(super) struct Checker<'a> {
    now: Timestamp,
    latest: Timestamp,
    label_keys: &'a [String],
    accounts: &'a [AccountName],
    account: Option<&'a AccountName>,
    subjects: Option<&'a SubjectHasher>,
    labels: &'a Labels,
    document_type: Option<&'a str>,
    subject: Option<String>,
    classification: Option<&'a ClassificationId>,
    mapping: Option<&'a Mapping>,
}

impl<'a> Checker<'a> {
    /// # Errors
    /// A default that no row may have.
    pub(super) fn new(
        options: &'a RecordOptions,
        rules: &InForce<'a>,
        now: Timestamp,
    ) -> Result<Self, Problem> {
        let mut checker = Self {
            now,
            latest: now.checked_add_millis(FUTURE_TOLERANCE_MILLIS).unwrap_or(now),
            label_keys: rules.label_keys,
            accounts: rules.accounts,
            account: options.account.as_ref(),
            subjects: rules.subjects,
            labels: &options.labels,
            document_type: options.document_type.as_deref(),
            subject: None,
            classification: options.classification.as_ref(),
            mapping: options.mapping.as_ref(),
        };
        for key in checker.mapping.into_iter().flat_map(Mapping::label_keys) {
            checker.declared(key)?;
        }
        for (key, value) in &options.labels {
            checker.label(key, value)?;
        }
        if let Some(text) = checker.document_type {
            plain_text("document_type", text)?;
        }
        checker.subject = options
            .subject
            .as_deref()
            .map(|text| checker.hash(text))
            .transpose()?;
        Ok(checker)
    }

    /// The names that our keys have in the input, where it comes from elsewhere.
    pub(super) const fn mapping(&self) -> Option<&'a Mapping> {
        self.mapping
    }

    /// The data subject of rows without one, hashed.
    pub(super) fn default_subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    pub(super) fn check(&self, mut row: RawRow<'_>) -> Result<Checked, Problem> {
        if let Some(problem) = row.problem.take() {
            return Err(problem);
        }
        let parent = self.parent(&mut row)?;
        let account = self.account(&row)?;
        let batch = BatchId::new(required(&mut row, Field::BatchId)?).map_err(bad_id)?;
        let file = FileId::new(required(&mut row, Field::FileId)?).map_err(bad_id)?;
        let (uploaded_at, assumed) = self.uploaded_at(&row, &file)?;
        let processed_at = self.processed_at(&row, uploaded_at, assumed)?;
        let labels = self.labels(&mut row)?;
        let document_type = match row.take(Field::DocumentType) {
            Some(text) => {
                plain_text("document_type", &text)?;
                Some(text.into_owned())
            }
            None => self.document_type.map(str::to_owned),
        };
        let subject = match row.get(Field::Subject) {
            Some(text) => Some(self.hash(text)?),
            None => self.subject.clone(),
        };
        let file = NewFile {
            address: FileAddress {
                batch: BatchAddress {
                    parent,
                    batch,
                    account,
                },
                file,
            },
            uploaded_at,
            processed_at,
            document_type,
            labels,
            subject,
            copy_of: None,
        };
        Ok(Checked { file, assumed })
    }

    /// A file in an account that nobody knows could never be deleted.
    fn account(&self, row: &RawRow<'_>) -> Result<Option<AccountName>, Problem> {
        let Some(text) = row.get(Field::Account) else {
            return Ok(self.account.cloned());
        };
        let known = self.accounts.iter().find(|account| account.as_str() == text);
        known.cloned().map(Some).ok_or_else(|| {
            let hint = suggestion(text, self.accounts.iter().map(AccountName::as_str));
            let shown = shortened(text);
            let message = format!("account `{shown}` is not in the policy file{hint}");
            Problem::new("unknown-account", message)
        })
    }

    fn parent(&self, row: &mut RawRow<'_>) -> Result<Parent, Problem> {
        match (row.take(Field::ClassificationId), row.take(Field::ExtractionId)) {
            (Some(id), None) => Ok(Parent::Classification(ClassificationId::new(id).map_err(bad_id)?)),
            (None, Some(id)) => Ok(Parent::Extraction(ExtractionId::new(id).map_err(bad_id)?)),
            (Some(_), Some(_)) => Err(Problem::new(
                "two-parents",
                "both classification_id and extraction_id are given: a file belongs to one of them",
            )),
            (None, None) => match self.classification {
                Some(id) => Ok(Parent::Classification(id.clone())),
                None => Err(Problem::new(
                    "no-parent",
                    "neither classification_id nor extraction_id is given",
                )),
            },
        }
    }

    fn uploaded_at(&self, row: &RawRow<'_>, file: &FileId) -> Result<(Timestamp, bool), Problem> {
        let named = self
            .mapping
            .and_then(|mapping| mapping.name_of(Field::UploadedAt));
        if let (Some(theirs), None) = (named, row.get(Field::UploadedAt)) {
            // "Now" would be made up: the input was said to know better.
            let message = format!(
                "the row has no `{}`, which stands for uploaded_at",
                shortened(theirs)
            );
            return Err(Problem::new("missing", message));
        }
        let given = row
            .get(Field::UploadedAt)
            .map(|text| instant("uploaded_at", text))
            .transpose()?;
        let at = given.unwrap_or(self.now);
        self.not_in_the_future("uploaded_at", at)?;
        match push_id_time(file.as_str()) {
            Some(created) if created.millis_since(at) > PUSH_ID_TOLERANCE_MILLIS => {
                let what = if given.is_some() {
                    ""
                } else {
                    " is not given, and now,"
                };
                let message = format!(
                    "uploaded_at{what} {at} lies more than a day before {created}, the time inside the file id: \
                     correct it"
                );
                Err(Problem::new("before-id", message))
            }
            Some(_) | None => Ok((at, given.is_none())),
        }
    }

    fn processed_at(
        &self,
        row: &RawRow<'_>,
        uploaded_at: Timestamp,
        assumed: bool,
    ) -> Result<Option<Timestamp>, Problem> {
        let Some(text) = row.get(Field::ProcessedAt) else {
            return Ok(None);
        };
        let at = instant("processed_at", text)?;
        self.not_in_the_future("processed_at", at)?;
        if at >= uploaded_at {
            return Ok(Some(at));
        }
        let message = if assumed {
            format!(
                "processed_at {at} is given without uploaded_at, and lies before now, which would stand for it"
            )
        } else {
            format!("processed_at {at} is earlier than uploaded_at {uploaded_at}")
        };
        Err(Problem::new("processed-before-upload", message))
    }

    fn not_in_the_future(&self, key: &str, at: Timestamp) -> Result<(), Problem> {
        if at <= self.latest {
            return Ok(());
        }
        let message = format!(
            "{key} {at} lies in the future: by this machine's clock it is {}",
            self.now
        );
        let code = if key == "uploaded_at" {
            "future-upload"
        } else {
            "future-processing"
        };
        Err(Problem::new(code, message))
    }

    fn labels(&self, row: &mut RawRow<'_>) -> Result<Labels, Problem> {
        if row.labels.is_empty() {
            return Ok(self.labels.clone());
        }
        let mut labels = Labels::new();
        for (key, value) in std::mem::take(&mut row.labels) {
            self.label(&key, &value)?;
            if labels.contains_key(&*key) {
                let message = format!("the label `{key}` stands twice");
                return Err(Problem::new("duplicate-key", message));
            }
            labels.insert(key.into_owned(), value.into_owned());
        }
        for (key, value) in self.labels {
            if !labels.contains_key(key) {
                labels.insert(key.clone(), value.clone());
            }
        }
        Ok(labels)
    }

    fn label(&self, key: &str, value: &str) -> Result<(), Problem> {
        self.declared(key)?;
        plain_text(&format!("label `{key}`"), value)
    }

    /// Whether an uploader may use this label key.
    pub(super) fn declared(&self, key: &str) -> Result<(), Problem> {
        if self.label_keys.iter().any(|known| known == key) {
            return Ok(());
        }
        let hint = suggestion(key, self.label_keys.iter().map(String::as_str));
        let shown = shortened(key);
        let message = format!("the label key `{shown}` is not declared in `labels` of the policy file{hint}");
        Err(Problem::new("undeclared-label", message))
    }

    fn hash(&self, subject: &str) -> Result<String, Problem> {
        plain_text("subject", subject)?;
        self.subjects.map(|subjects| subjects.hash(subject)).ok_or_else(|| {
            let message = "there is no key to hash subjects with, and none is stored in clear: name its file as \
                           `subject_key_file` in [erasure], or leave `subject` out";
            Problem::new("no-subject-key", message)
        })
    }
}

fn required<'a>(row: &mut RawRow<'a>, field: Field) -> Result<Cow<'a, str>, Problem> {
    row.take(field)
        .ok_or_else(|| Problem::new("missing", format!("{} is missing", field.name())))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is the function that map_err is given"
)]
fn bad_id(error: crate::model::InvalidId) -> Problem {
    Problem::new("bad-id", error.to_string())
}

/// Text that is stored and shown as it is: not empty, bounded, on one line.
fn plain_text(what: &str, text: &str) -> Result<(), Problem> {
    let fault = match text.chars().find(|c| c.is_control()) {
        _ if text.is_empty() => "is empty: leave it out".to_owned(),
        _ if text.len() > MAX_ID_BYTES => {
            format!("has {} bytes, at most {MAX_ID_BYTES} are allowed", text.len())
        }
        Some(c) => format!("holds the control character U+{:04X}", c as u32),
        None => return Ok(()),
    };
    Err(Problem::new("bad-text", format!("{what} {fault}")))
}

fn instant(key: &str, text: &str) -> Result<Timestamp, Problem> {
    text.parse().map_err(|_| {
        let timelike = |c: char| c.is_ascii_digit() || "-:.+TtZz ".contains(c);
        if text.is_empty() || text.len() > 40 || !text.chars().all(timelike) {
            let message = format!("{key} is not an RFC 3339 time with a zone, such as 2026-11-23T20:05:00Z");
            return Problem::new("bad-time", message);
        }
        if format!("{text}Z").parse::<Timestamp>().is_ok() {
            let message =
                format!("{key} `{text}` has no zone: end it with Z (UTC) or an offset such as +01:00");
            return Problem::new("no-zone", message);
        }
        if format!("{text}T00:00:00Z").parse::<Timestamp>().is_ok() {
            let message = format!("{key} `{text}` is a date without time and zone");
            return Problem::new("no-zone", message);
        }
        let message =
            format!("{key} `{text}` is not an RFC 3339 time with a zone, such as 2026-11-23T20:05:00Z");
        Problem::new("bad-time", message)
    })
}
