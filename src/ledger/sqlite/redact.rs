//! The log's own retention: what is over goes, a step a transaction, and a leaf says so.
//!
//! First [`records`] (holds, requests, …), so that nothing is taken for standing that has ended long ago; then
//! the leaves ([`told`]); then the files that no leaf with a salt names any more ([`files`]). What has to stay is
//! said in one place, [`standing`].

mod files;
mod records;
mod standing;
mod told;

use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::fault::during;
use super::rows::{count, optional, timestamp};
use super::{SqliteLedger, leaves};
use crate::evidence::Fact;
use crate::ledger::{Gone, LedgerError, Redactable, Redacted, Redaction, RedactionStep};
use crate::model::Timestamp;

/// What a redaction goes by.
#[derive(Debug, Clone, Copy)]
struct Cut {
    /// What was over before this instant goes.
    before: Timestamp,
    now: Timestamp,
}

/// What a step did.
struct Done {
    gone: Gone,
    /// The last leaf that lost its bytes.
    last: Option<u64>,
    next: Option<RedactionStep>,
}

#[async_trait]
impl Redaction for SqliteLedger {
    async fn redact(
        &self,
        step: RedactionStep,
        before: Timestamp,
        at: Timestamp,
    ) -> Result<(Gone, Option<RedactionStep>), LedgerError> {
        let cut = Cut { before, now: at };
        self.write(move |tx| Box::pin(one_step(tx, step, cut))).await
    }

    async fn redacted(&self) -> Result<Option<Redacted>, LedgerError> {
        self.read_one(|tx| Box::pin(redacted(tx))).await
    }

    async fn redaction_finished(&self) -> Result<Option<Timestamp>, LedgerError> {
        self.read_one(|tx| Box::pin(finished(tx))).await
    }

    async fn redactable(&self, before: Timestamp, at: Timestamp) -> Result<Redactable, LedgerError> {
        let cut = Cut { before, now: at };
        self.read(move |tx| Box::pin(told::count(tx, cut))).await
    }
}

async fn one_step(
    tx: &mut SqliteConnection,
    step: RedactionStep,
    cut: Cut,
) -> Result<(Gone, Option<RedactionStep>), LedgerError> {
    under_way(tx, true).await?;
    let done = match step {
        RedactionStep::Records => records::step(tx, cut).await?,
        RedactionStep::Kept(from) => told::kept(tx, from, cut).await?,
        RedactionStep::Leaves => told::unseen(tx, cut).await?,
        RedactionStep::Attempts(intent_at, id) => files::by_attempts(tx, (intent_at, id), cut).await?,
        RedactionStep::Moves(id) => files::by_moves(tx, id, cut).await?,
    };
    under_way(tx, false).await?;
    if done.gone.is_something() {
        tell(tx, &done, cut).await?;
    }
    if done.next.is_none() {
        finish(tx, cut.now).await?;
    }
    Ok((done.gone, done.next))
}

async fn under_way(tx: &mut SqliteConnection, begins: bool) -> Result<(), LedgerError> {
    sqlx::query("UPDATE redaction SET under_way = ?1")
        .bind(begins)
        .execute(tx)
        .await
        .map_err(during("beginning or ending a redaction"))?;
    Ok(())
}

/// That something went: as a leaf, and where reports and refusals find it.
async fn tell(tx: &mut SqliteConnection, done: &Done, cut: Cut) -> Result<(), LedgerError> {
    sqlx::query(
        "UPDATE redaction
         SET before = max(?1, ifnull(before, ?1)), at = ?2, leaves = leaves + ?3, files = files + ?4",
    )
    .bind(cut.before.as_millis())
    .bind(cut.now.as_millis())
    .bind(leaves::to_i64(done.gone.leaves))
    .bind(leaves::to_i64(done.gone.files))
    .execute(&mut *tx)
    .await
    .map_err(during("keeping what was redacted"))?;
    let fact = Fact::Redaction {
        before: cut.before.as_millis(),
        leaves: done.gone.leaves,
        last: done.last,
        files: done.gone.files,
        records: done.gone.records,
    };
    leaves::append(tx, cut.now, fact).await
}

async fn finish(tx: &mut SqliteConnection, at: Timestamp) -> Result<(), LedgerError> {
    sqlx::query("UPDATE redaction SET finished_at = ?1")
        .bind(at.as_millis())
        .execute(tx)
        .await
        .map_err(during("ending a redaction"))?;
    Ok(())
}

pub(super) async fn redacted(tx: &mut SqliteConnection) -> Result<Option<Redacted>, LedgerError> {
    let row: Option<(i64, i64)> = sqlx::query_as(
        "SELECT before, at
         FROM redaction
         WHERE before IS NOT NULL",
    )
    .fetch_optional(tx)
    .await
    .map_err(during("reading what was redacted"))?;
    row.map(|(before, at)| {
        Ok(Redacted {
            before: timestamp(before)?,
            at: timestamp(at)?,
        })
    })
    .transpose()
}

async fn finished(tx: &mut SqliteConnection) -> Result<Option<Timestamp>, LedgerError> {
    let at: Option<i64> = sqlx::query_scalar("SELECT finished_at FROM redaction")
        .fetch_one(tx)
        .await
        .map_err(during("reading when a redaction ended"))?;
    optional(at)
}

/// Where the next redaction begins to look at leaves.
async fn looked_at(tx: &mut SqliteConnection) -> Result<u64, LedgerError> {
    let place: i64 = sqlx::query_scalar("SELECT looked_at FROM redaction")
        .fetch_one(tx)
        .await
        .map_err(during("reading how far a redaction came"))?;
    count(place)
}
