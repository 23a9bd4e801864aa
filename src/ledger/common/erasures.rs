//! Erasure requests as rows.

use super::problem::{conflict, damaged};
use super::values::{batch_id, file_id, optional, timestamp};
use crate::ledger::LedgerError;
use crate::model::{Closing, Erasure, ErasureId, ErasureScope, NewErasure};

pub(in crate::ledger) fn columns(scope: &ErasureScope) -> (&'static str, &str) {
    match scope {
        ErasureScope::Subject(subject) => ("subject", subject),
        ErasureScope::File(id) => ("file", id.as_str()),
        ErasureScope::Batch(id) => ("batch", id.as_str()),
    }
}

/// A reference that is known means its own request, to the letter and as long as it is open; `Conflict` otherwise.
pub(in crate::ledger) fn is_the_same(known: &Erasure, new: &NewErasure) -> Result<(), LedgerError> {
    if known.scope == new.scope && known.received == new.received && known.closed_at.is_none() {
        return Ok(());
    }
    Err(conflict(
        format!("the reference `{}`", new.reference),
        format!(
            "erasure request {} has it and differs, or is closed; give this one a reference of its own",
            known.id.0
        ),
    ))
}

pub(in crate::ledger) type Row = (
    i64,
    String,
    String,
    String,
    String,
    i64,
    Option<i64>,
    Option<String>,
);

pub(in crate::ledger) fn request(row: Row) -> Result<Erasure, LedgerError> {
    let (id, kind, value, reference, received, placed_at, closed_at, reason) = row;
    let scope = match kind.as_str() {
        "subject" => ErasureScope::Subject(value),
        "file" => ErasureScope::File(file_id(value)?),
        "batch" => ErasureScope::Batch(batch_id(value)?),
        other => return Err(damaged(format!("erasures {id}: `{other}` is no scope"))),
    };
    let closing = closed_at.map(|_| match reason {
        None => Closing::Verified,
        Some(reason) => Closing::ByOperator { reason },
    });
    Ok(Erasure {
        id: ErasureId(id),
        scope,
        reference,
        received: received
            .parse()
            .map_err(|_| damaged(format!("erasures {id}: `{received}` is no date")))?,
        placed_at: timestamp(placed_at)?,
        closed_at: optional(closed_at)?,
        closing,
    })
}
