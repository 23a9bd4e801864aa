//! The desk: what the intake endpoint does with a request's body, without knowing HTTP.
//!
//! Every answer is given after the commit. A body is taken whole or not at all, unless the good rows are
//! to be kept; each bad row is named with its field and what to do about it. Nothing here is logged.

mod events;
mod holds;
mod shapes;

use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::sync::Mutex;

use super::check::RecordOptions;
use super::input::Input;
use super::record::{InForce, record};
use super::rows::Format;
use super::subject::SubjectHasher;
use super::summary::{RecordError, RecordResult, RecordSummary};
use crate::ledger::{Ledger, LedgerError};
use crate::model::{AccountName, Timestamp};
use crate::rules::decide::hint;
use crate::rules::policy::RuleSet;
pub use shapes::{EventBody, FileRow, HoldBody, Placed, Refusal, RefusedRow, ResponseBody, Taken};

/// Whoever has the rule set in force.
pub trait Ruled: Send + Sync {
    /// The rule set.
    fn rules(&self) -> &RuleSet;
}

/// What the desk is put together from.
pub struct Desk {
    ledger: Arc<dyn Ledger>,
    rules: Box<dyn Fn() -> Arc<dyn Ruled> + Send + Sync>,
    subjects: Option<SubjectHasher>,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// A hold's reference is looked for and then placed: one at a time.
    placing: Mutex<()>,
}

/// How the rows of a body are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// One row, or a list of rows.
    Json,
    /// One row a line.
    Lines,
}

impl Desk {
    /// `rules` and `clock` are asked at every request.
    pub fn new(
        ledger: Arc<dyn Ledger>,
        rules: impl Fn() -> Arc<dyn Ruled> + Send + Sync + 'static,
        subjects: Option<SubjectHasher>,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        Self {
            ledger,
            rules: Box::new(rules),
            subjects,
            clock: Box::new(clock),
            placing: Mutex::new(()),
        }
    }

    /// Records rows, as `record` does.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn files(&self, body: &[u8], rows: Rows, keep_good: bool) -> Result<Taken, Refusal> {
        let lines;
        let input: &[u8] = match rows {
            Rows::Lines => body,
            Rows::Json => {
                lines = lines_of(body)?;
                &lines
            }
        };
        let options = RecordOptions {
            format: Some(Format::Jsonl),
            keep_good,
            ..RecordOptions::default()
        };
        self.record(input, &options).await
    }

    /// Records what the API answered to an upload, as it came, with what the uploader says of its files.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn response(&self, body: &[u8]) -> Result<Taken, Refusal> {
        let body: ResponseBody = shapes::read(body)?;
        let options = RecordOptions {
            format: Some(Format::Response),
            labels: body.labels,
            document_type: body.document_type,
            subject: body.subject,
            account: self.account(body.account.as_deref())?,
            ..RecordOptions::default()
        };
        self.record(body.response.get().as_bytes(), &options).await
    }

    fn account(&self, named: Option<&str>) -> Result<Option<AccountName>, Refusal> {
        let Some(named) = named else { return Ok(None) };
        let ruled = (self.rules)();
        let accounts = &ruled.rules().accounts;
        let found = accounts.iter().find(|account| account.as_str() == named);
        found.cloned().map(Some).ok_or_else(|| {
            Refusal::wrong(
                "unknown-account",
                "account is none of the policy file's".to_owned(),
            )
        })
    }

    async fn record(&self, input: &[u8], options: &RecordOptions) -> Result<Taken, Refusal> {
        let ruled = (self.rules)();
        let rules = ruled.rules();
        let in_force = InForce {
            label_keys: &rules.label_keys,
            accounts: &rules.accounts,
            digest: &rules.digest,
            hint: &|file| hint(file, rules),
            subjects: self.subjects.as_ref(),
        };
        let now = (self.clock)();
        let input = Input::from_bytes(input);
        let summary = record(input, options, in_force, self.ledger.as_ref(), now, &|_| ()).await?;
        match summary.result {
            RecordResult::Refused => Err(Refusal::rows(&summary)),
            RecordResult::Recorded | RecordResult::KeptGood => Ok(Taken::from(&summary)),
        }
    }
}

impl From<&RecordSummary> for Taken {
    fn from(summary: &RecordSummary) -> Self {
        Self {
            rows: summary.rows,
            added: summary.added,
            known: summary.known,
            updated: summary.updated,
            duplicates: summary.duplicates,
            refused: summary.refused.iter().map(RefusedRow::from).collect(),
        }
    }
}

impl From<RecordError> for Refusal {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Default { code, message } => Self::wrong(code, message),
            RecordError::Format => Self::wrong("json", "the body cannot be read".to_owned()),
            RecordError::Ledger { source, .. } => source.into(),
            RecordError::Input { source, .. } | RecordError::Spool { source, .. } => {
                Self::Failed(LedgerError::NotWritable {
                    problem: source.to_string(),
                })
            }
        }
    }
}

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        if matches!(error, LedgerError::Busy) {
            return Self::Busy;
        }
        Self::Failed(error)
    }
}

/// A row, or a list of rows, as one row a line: a line end cannot stand inside of a JSON text.
fn lines_of(body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let one_line = |row: &RawValue| -> Vec<u8> {
        let mut line: Vec<u8> = row
            .get()
            .bytes()
            .map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte })
            .collect();
        line.push(b'\n');
        line
    };
    if body.trim_ascii_start().first() == Some(&b'[') {
        let rows: Vec<&RawValue> = shapes::read(body)?;
        return Ok(rows.into_iter().flat_map(one_line).collect());
    }
    let row: &RawValue = shapes::read(body)?;
    Ok(one_line(row))
}
