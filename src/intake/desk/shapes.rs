//! Bodies and answers of the intake endpoint: the OpenAPI document is made from these types.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::intake::rows::{Field, RowError};
use crate::intake::summary::RecordSummary;
use crate::ledger::LedgerError;
use crate::model::Labels;

/// A file that was uploaded. Either `classification_id` or `extraction_id` says where to.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct FileRow {
    /// The classification that it was uploaded to.
    #[schemars(default)]
    pub classification_id: Option<String>,
    /// The extraction that it was uploaded to.
    #[schemars(default)]
    pub extraction_id: Option<String>,
    /// The batch.
    pub batch_id: String,
    /// The file's id.
    pub file_id: String,
    /// When it was uploaded: RFC 3339 with a zone. Now, if left out.
    #[schemars(default)]
    pub uploaded_at: Option<String>,
    /// When Extracta had processed it: RFC 3339 with a zone.
    #[schemars(default)]
    pub processed_at: Option<String>,
    /// Its document type.
    #[schemars(default)]
    pub document_type: Option<String>,
    /// Labels: keys that the policy file declares.
    #[schemars(default)]
    pub labels: Option<Labels>,
    /// The data subject; stored only as a keyed hash.
    #[schemars(default)]
    pub subject: Option<String>,
    /// The account that it was uploaded to, as the policy file calls it; left out, that of `[extracta]`.
    #[schemars(default)]
    pub account: Option<String>,
}

/// What the API answered to an upload, and what the uploader says of its files.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResponseBody {
    /// The answer, as it came. Its links and file names are dropped.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub response: Box<RawValue>,
    /// Labels of all its files.
    #[serde(default)]
    pub labels: Labels,
    /// The document type of all its files.
    pub document_type: Option<String>,
    /// The data subject of all its files; stored only as a keyed hash.
    pub subject: Option<String>,
    /// The account that was uploaded to, as the policy file calls it; left out, that of `[extracta]`.
    pub account: Option<String>,
}

/// A hold. Exactly one of `file_id`, `batch_id`, `label` and `policy` says what it covers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldBody {
    /// Every file with this id.
    pub file_id: Option<String>,
    /// Every file of this batch.
    pub batch_id: Option<String>,
    /// Every file with this label: one key and its value.
    pub label: Option<Labels>,
    /// Every file that this policy owns.
    pub policy: Option<String>,
    /// Why, as a code of your own, such as `litigation`.
    pub reason: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// When it has to be looked at again: RFC 3339 with a zone.
    pub review_by: Option<String>,
}

/// A start event. Exactly one of `file_id`, `batch_id` and `label` says what it happened to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventBody {
    /// The event's name, as the policy file has it after `event:`.
    pub name: String,
    /// The file with this id.
    pub file_id: Option<String>,
    /// Every file of this batch, also those recorded later.
    pub batch_id: Option<String>,
    /// Every file with this label, also those recorded later: one key and its value.
    pub label: Option<Labels>,
    /// When it happened: RFC 3339 with a zone.
    pub at: String,
    /// Why this time replaces the one on record, as a code of your own.
    pub reason: Option<String>,
}

/// What became of the rows. It is in the ledger, durably.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Taken {
    /// Rows in the body.
    pub rows: u64,
    /// Files that are new.
    pub added: u64,
    /// Files known before with the same facts.
    pub known: u64,
    /// Known files to which something was added.
    pub updated: u64,
    /// Rows that repeat another row.
    pub duplicates: u64,
    /// Rows that were refused; only with `keep_good`.
    pub refused: Vec<RefusedRow>,
}

/// A hold that covers from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Placed {
    /// Its number.
    pub hold: i64,
    /// Whether it was placed before, by the same reference.
    pub known: bool,
    /// Files under it that stay now; not counted again for one that was placed before.
    pub covers: Option<u64>,
    /// Requests under way for files in its scope: too late for those.
    pub too_late_for: u64,
    /// Files in its scope that are already deleted or gone.
    pub already_deleted: u64,
}

/// A row that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RefusedRow {
    /// The row's number in the body (a line, in JSON lines), from 1.
    pub row: u64,
    /// The key that is wrong, where it is one.
    pub field: Option<&'static str>,
    /// A short, stable name of the reason, such as `future-upload`.
    pub code: &'static str,
    /// The reason in words, and what to do about it.
    pub help: String,
}

impl From<&RowError> for RefusedRow {
    fn from(error: &RowError) -> Self {
        let first = error.message.split([' ', ':']).next().unwrap_or_default();
        let named = Field::ALL
            .into_iter()
            .map(Field::name)
            .find(|name| *name == first);
        let field = match error.code {
            "undeclared-label" | "bad-label" => Some("labels"),
            "no-subject-key" => Some("subject"),
            "bad-id" => id_field(&error.message),
            _ => named,
        };
        Self {
            row: error.line,
            field,
            code: error.code,
            help: error.message.clone(),
        }
    }
}

/// An id's complaint begins with what kind of id it is.
fn id_field(message: &str) -> Option<&'static str> {
    [
        ("classification", "classification_id"),
        ("extraction", "extraction_id"),
        ("batch", "batch_id"),
        ("file", "file_id"),
    ]
    .into_iter()
    .find(|(kind, _)| message.starts_with(kind))
    .map(|(_, field)| field)
}

/// Why a body was not taken.
#[derive(Debug)]
pub enum Refusal {
    /// The body is wrong as a whole.
    Wrong {
        /// A short, stable name of the reason.
        code: &'static str,
        /// The reason in words, and what to do about it.
        help: String,
    },
    /// Rows are wrong: nothing of the body was kept.
    Rows {
        /// The first of them.
        refused: Vec<RefusedRow>,
        /// All of them.
        refused_total: u64,
    },
    /// It contradicts what is on record.
    Conflict {
        /// A short, stable name of the reason.
        code: &'static str,
        /// The reason in words.
        help: String,
    },
    /// The ledger is at work for somebody else: try again soon.
    Busy,
    /// The ledger failed: nothing was kept, or it is not known.
    Failed(LedgerError),
}

impl Refusal {
    pub(super) fn wrong(code: &'static str, help: impl Into<String>) -> Self {
        Self::Wrong {
            code,
            help: help.into(),
        }
    }

    pub(super) fn rows(summary: &RecordSummary) -> Self {
        Self::Rows {
            refused: summary.refused.iter().map(RefusedRow::from).collect(),
            refused_total: summary.refused_total,
        }
    }
}

/// Reads a body. The library's words are kept out where they could repeat a value.
pub(super) fn read<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        let text = error.to_string();
        let known = ["missing field", "unknown field", "duplicate field"];
        match known.into_iter().find(|start| text.starts_with(start)) {
            // Only names of keys stand in these.
            Some("unknown field") => {
                let expected = text.split_once(", expected").map_or("", |(_, rest)| rest);
                Refusal::wrong(
                    "unknown-key",
                    format!("an unknown key at {place}; expected{expected}"),
                )
            }
            Some(_) => Refusal::wrong("missing", text),
            None if error.is_data() => {
                Refusal::wrong("wrong-type", format!("a value of the wrong type at {place}"))
            }
            None => Refusal::wrong("json", format!("not valid JSON at {place}")),
        }
    })
}
