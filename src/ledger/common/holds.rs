//! Holds as rows.

use super::problem::damaged;
use super::values::{optional, policy_name, timestamp};
use crate::ledger::LedgerError;
use crate::model::{BatchId, FileId, Hold, HoldId, HoldScope, NewHold, Timestamp};

pub(in crate::ledger) fn as_placed(id: i64, new: &NewHold, at: Timestamp) -> Hold {
    Hold {
        id: HoldId(id),
        scope: new.scope.clone(),
        reason: new.reason.clone(),
        reference: new.reference.clone(),
        owner: new.owner.clone(),
        review_by: new.review_by,
        placed_at: at,
        released_at: None,
        ends_at: None,
    }
}

pub(in crate::ledger) fn columns(scope: &HoldScope) -> (&'static str, Option<&str>, &str) {
    match scope {
        HoldScope::File(id) => ("file", None, id.as_str()),
        HoldScope::Batch(id) => ("batch", None, id.as_str()),
        HoldScope::Label { key, value } => ("label", Some(key), value),
        HoldScope::Policy(name) => ("policy", None, name.as_str()),
    }
}

pub(in crate::ledger) type HoldRow = (
    i64,
    String,
    Option<String>,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<i64>,
    i64,
    Option<i64>,
    Option<i64>,
);

pub(in crate::ledger) fn hold(row: HoldRow) -> Result<Hold, LedgerError> {
    let (id, kind, key, value, reason, reference, owner, review_by, placed_at, released_at, ends_at) = row;
    let bad = |error: crate::model::InvalidId| damaged(format!("holds {id}: {error}"));
    let scope = match (kind.as_str(), key) {
        ("file", None) => HoldScope::File(FileId::new(value).map_err(bad)?),
        ("batch", None) => HoldScope::Batch(BatchId::new(value).map_err(bad)?),
        ("label", Some(key)) => HoldScope::Label { key, value },
        ("policy", None) => HoldScope::Policy(policy_name(value)?),
        (other, _) => return Err(damaged(format!("holds {id}: `{other}` is no scope"))),
    };
    Ok(Hold {
        id: HoldId(id),
        scope,
        reason,
        reference,
        owner,
        review_by: optional(review_by)?,
        placed_at: timestamp(placed_at)?,
        released_at: optional(released_at)?,
        ends_at: optional(ends_at)?,
    })
}
