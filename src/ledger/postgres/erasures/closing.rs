//! A request is closed: by an operator, or because every file of it is verified gone.

use sqlx::PgConnection;

use super::files::{progress, unverified_sql};
use crate::evidence::Fact;
use crate::ledger::LedgerError;
use crate::ledger::postgres::fault::{conflict, during};
use crate::ledger::postgres::leaves::{self, Sealing};
use crate::model::{ErasureId, Timestamp};

pub(super) async fn close(
    tx: &mut PgConnection,
    id: ErasureId,
    reason: &str,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let done = sqlx::query(
        "UPDATE erasures
         SET closed_at = $2, close_reason = $3
         WHERE id = $1 AND closed_at IS NULL",
    )
    .bind(id.0)
    .bind(at.as_millis())
    .bind(reason)
    .execute(&mut *tx)
    .await
    .map_err(during("closing an erasure request"))?;
    if done.rows_affected() == 1 {
        let mut sealing = Sealing::new()?;
        let fact = Fact::ErasureClosed {
            erasure: id.0,
            how: "by-operator".to_owned(),
            reason: Some(sealing.text("reason", reason)),
        };
        return leaves::append_sealed(tx, at, fact, sealing).await;
    }
    Err(conflict(
        format!("erasure request {}", id.0),
        "there is none, or it is closed",
    ))
}

/// Closes it, unless there is none or somebody did; whether it did.
pub(in crate::ledger::postgres) async fn close_once(
    tx: &mut PgConnection,
    id: ErasureId,
    reason: &str,
    at: Timestamp,
) -> Result<bool, LedgerError> {
    match close(tx, id, reason, at).await {
        Ok(()) => Ok(true),
        Err(LedgerError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Closes a request that was closed as verified at `at`, if every file of it is verified gone; whether it did.
pub(in crate::ledger::postgres) async fn close_again(
    tx: &mut PgConnection,
    id: ErasureId,
    at: Timestamp,
) -> Result<bool, LedgerError> {
    let open = progress(tx, true, Some(id)).await?;
    let Some((_, files)) = open.first() else {
        return Ok(false);
    };
    let left = files.live + files.deleting + files.unknown + files.quarantined + files.unverified;
    if left > 0 || files.verified == 0 {
        return Ok(false);
    }
    sqlx::query(
        "UPDATE erasures
         SET closed_at = $2
         WHERE id = $1",
    )
    .bind(id.0)
    .bind(at.as_millis())
    .execute(&mut *tx)
    .await
    .map_err(during("closing an erasure request again"))?;
    let fact = Fact::ErasureClosed {
        erasure: id.0,
        how: "verified".to_owned(),
        reason: None,
    };
    leaves::append(tx, at, fact).await?;
    Ok(true)
}

pub(super) async fn close_erased(
    tx: &mut PgConnection,
    at: Timestamp,
) -> Result<Vec<ErasureId>, LedgerError> {
    let closed: Vec<i64> = sqlx::query_scalar(concat!(
        "UPDATE erasures
         SET closed_at = $1
         WHERE closed_at IS NULL
           -- Of a request without files nobody knows what it means: an operator closes it.
           AND EXISTS (SELECT 1 FROM erasure_files e WHERE e.erasure = erasures.id)
           AND NOT EXISTS (
               SELECT 1
               FROM erasure_files e
               JOIN files f ON f.batch = e.batch AND f.file_id = e.file_id
               WHERE e.erasure = erasures.id
                 AND (f.state NOT IN (2, 3) OR ",
        unverified_sql!(),
        ")
           )
         RETURNING id"
    ))
    .bind(at.as_millis())
    .fetch_all(&mut *tx)
    .await
    .map_err(during("closing erasure requests"))?;
    for erasure in &closed {
        let fact = Fact::ErasureClosed {
            erasure: *erasure,
            how: "verified".to_owned(),
            reason: None,
        };
        leaves::append(tx, at, fact).await?;
    }
    Ok(closed.into_iter().map(ErasureId).collect())
}
