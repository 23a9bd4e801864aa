//! Single values from rows. One that no type of ours admits is damage, never skipped.

use super::problem::damaged;
use crate::ledger::LedgerError;
use crate::model::{
    AccountName, BatchAddress, BatchId, ClassificationId, ExtractionId, FileId, FileState, Labels, Module,
    Parent, PolicyName, Timestamp,
};

pub(in crate::ledger) fn timestamp(millis: i64) -> Result<Timestamp, LedgerError> {
    Timestamp::from_millis(millis).map_err(|error| damaged(error.to_string()))
}

pub(in crate::ledger) fn optional(millis: Option<i64>) -> Result<Option<Timestamp>, LedgerError> {
    millis.map(timestamp).transpose()
}

pub(in crate::ledger) fn state(code: i64) -> Result<FileState, LedgerError> {
    FileState::from_code(code).ok_or_else(|| damaged(format!("{code} is no state of a file")))
}

pub(in crate::ledger) fn file_id(text: String) -> Result<FileId, LedgerError> {
    FileId::new(text).map_err(|error| damaged(error.to_string()))
}

pub(in crate::ledger) fn batch_id(text: String) -> Result<BatchId, LedgerError> {
    BatchId::new(text).map_err(|error| damaged(error.to_string()))
}

pub(in crate::ledger) fn policy_name(text: String) -> Result<PolicyName, LedgerError> {
    PolicyName::new(text).map_err(|error| damaged(error.to_string()))
}

/// A count; negative ones cannot come from `count` or a checked column.
pub(in crate::ledger) fn count(value: i64) -> Result<u64, LedgerError> {
    u64::try_from(value).map_err(|_| damaged(format!("{value} is no count")))
}

pub(in crate::ledger) fn parse_labels(text: &str) -> Result<Labels, LedgerError> {
    serde_json::from_str(text).map_err(|error| damaged(format!("labels: {error}")))
}

pub(in crate::ledger) fn batch_address(
    account: &str,
    module: &str,
    parent: String,
    batch: String,
) -> Result<BatchAddress, LedgerError> {
    let bad = |error: crate::model::InvalidId| damaged(format!("batches: {error}"));
    let parent = match module {
        "classification" => Parent::Classification(ClassificationId::new(parent).map_err(bad)?),
        "extraction" => Parent::Extraction(ExtractionId::new(parent).map_err(bad)?),
        other => return Err(damaged(format!("batches: `{other}` is no module"))),
    };
    Ok(BatchAddress {
        parent,
        batch: BatchId::new(batch).map_err(bad)?,
        account: account_name(account)?,
    })
}

/// How an account lies in the ledger: the one without a name as an empty text.
pub(in crate::ledger) fn account_text(account: Option<&AccountName>) -> &str {
    account.map_or("", AccountName::as_str)
}

pub(in crate::ledger) fn account_name(text: &str) -> Result<Option<AccountName>, LedgerError> {
    if text.is_empty() {
        return Ok(None);
    }
    let name = AccountName::new(text).map_err(|error| damaged(format!("`{text}`: {error}")))?;
    Ok(Some(name))
}

pub(in crate::ledger) const fn module_name(module: Module) -> &'static str {
    match module {
        Module::Classification => "classification",
        Module::Extraction => "extraction",
    }
}
