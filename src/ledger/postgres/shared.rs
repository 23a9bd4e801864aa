//! Parts of sweeps, and who works at them. In short transactions on a session of their own, beside the order of all
//! writers: nothing of it is evidence, and no file is safer for it or less safe.

mod peers;
mod take;

use async_trait::async_trait;
use sqlx::PgConnection;

use super::PostgresLedger;
use super::fault::{conflict, damaged, during};
use super::right::lost;
use super::rows::count;
use crate::ledger::{Claims, LedgerError, Offer, Part, PartsLeft, Peer, Shared, TakenPart};
use crate::model::{BatchKey, FileId, SweepId, SweepSummary, Timestamp};
use crate::rules::policy::RuleDigest;

#[async_trait]
impl Shared for PostgresLedger {
    async fn offer(&self, offer: &Offer, parts: &[Part]) -> Result<bool, LedgerError> {
        let Some(seat) = self.holder.fence().await?.number() else {
            return Ok(false);
        };
        let (offer, parts) = (*offer, as_json(parts));
        self.beside(move |tx| Box::pin(async move { add(tx, seat, offer, &parts).await }))
            .await
    }

    async fn clear_parts(&self, sweep: SweepId) -> Result<(), LedgerError> {
        self.beside(move |tx| Box::pin(clear(tx, sweep))).await
    }

    async fn take_part(
        &self,
        of: Option<SweepId>,
        rules: &RuleDigest,
    ) -> Result<Option<TakenPart>, LedgerError> {
        self.holder.goes_by(rules).await;
        // Once more where the seat was lost.
        for _ in 0..2 {
            let fence = self.holder.fence().await?;
            let Some(seat) = fence.number() else {
                return Ok(None);
            };
            let rules = rules.clone();
            let taken = self.beside(move |tx| {
                Box::pin(async move {
                    if !fence.stands(tx).await? {
                        return Ok(None);
                    }
                    take::take(tx, seat, of, &rules).await.map(Some)
                })
            });
            match taken.await? {
                Some(part) => return Ok(part),
                None => self.holder.fell(fence).await,
            }
        }
        Err(lost("twice in a row"))
    }

    async fn end_part(&self, part: i64, summary: &SweepSummary, left: u64) -> Result<(), LedgerError> {
        let seat = self.holder.fence().await?.number();
        let summary = serde_json::to_string(summary).expect("counts and plain text");
        self.beside(move |tx| Box::pin(async move { end(tx, seat, part, &summary, left).await }))
            .await
    }

    async fn hand_on(&self, part: i64, summary: &SweepSummary) -> Result<(), LedgerError> {
        let seat = self.holder.fence().await?.number();
        let summary = serde_json::to_string(summary).expect("counts and plain text");
        self.beside(move |tx| {
            Box::pin(async move {
                end(tx, seat, part, &summary, 0).await?;
                rest_of(tx, part).await
            })
        })
        .await
    }

    async fn give_parts_back(&self) -> Result<u64, LedgerError> {
        let Some(seat) = self.holder.fence().await?.number() else {
            return Ok(0);
        };
        self.beside(move |tx| Box::pin(give_back(tx, seat))).await
    }

    async fn let_go(&self, at: Timestamp) -> Result<(), LedgerError> {
        self.recover_orphans(at).await?;
        let Some(seat) = self.holder.fence().await?.number() else {
            return Ok(());
        };
        self.beside(move |tx| Box::pin(peers::let_go(tx, seat))).await
    }

    async fn withdraw(&self, sweep: SweepId) -> Result<(), LedgerError> {
        self.beside(move |tx| Box::pin(withdraw(tx, sweep))).await
    }

    async fn asked_by_others(&self, sweep: SweepId) -> Result<Vec<(BatchKey, Vec<FileId>)>, LedgerError> {
        let seat = self.holder.number().await;
        self.read_one(move |tx| Box::pin(peers::asked_by_others(tx, seat, sweep)))
            .await
    }

    async fn parts_left(&self, sweep: SweepId) -> Result<PartsLeft, LedgerError> {
        self.read_one(move |tx| Box::pin(parts_left(tx, sweep))).await
    }

    async fn parts_done(&self, sweep: SweepId) -> Result<(SweepSummary, u64), LedgerError> {
        self.beside(move |tx| Box::pin(parts_done(tx, sweep))).await
    }

    async fn peers(&self) -> Result<Vec<Peer>, LedgerError> {
        let seat = self.holder.number().await;
        self.read_one(move |tx| Box::pin(peers::peers(tx, seat))).await
    }
}

/// `[{"batch": 1, "files": ["…"], "deadlines": [0]}]`: lists of lists of any length are no array of SQL's.
fn as_json(parts: &[Part]) -> String {
    let part = |part: &Part| {
        let (files, deadlines): (Vec<&str>, Vec<i64>) = part
            .files
            .iter()
            .map(|(file, deadline)| (file.as_str(), deadline.as_millis()))
            .unzip();
        serde_json::json!({ "batch": part.batch, "files": files, "deadlines": deadlines })
    };
    let parts = parts.iter().filter(|part| !part.files.is_empty()).map(part);
    serde_json::Value::from_iter(parts).to_string()
}

async fn add(tx: &mut PgConnection, seat: i64, offer: Offer, parts: &str) -> Result<bool, LedgerError> {
    let context = "offering parts of a sweep";
    let (ours, others): (bool, bool) = sqlx::query_as(
        "SELECT EXISTS (SELECT 1 FROM sweeps WHERE id = $1 AND state = 'open' AND peer = $2),
                EXISTS (SELECT 1 FROM living WHERE number <> $2)",
    )
    .bind(offer.sweep.0)
    .bind(seat)
    .fetch_one(&mut *tx)
    .await
    .map_err(during(context))?;
    if !ours {
        return Err(conflict(
            format!("sweep {}", offer.sweep.0),
            "it is not open, or another process has taken it over",
        ));
    }
    if !others {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO parts (sweep, budget, batch, files, deadlines)
         SELECT $1, $2, (j.part ->> 'batch')::bigint,
                ARRAY(SELECT json_array_elements_text(j.part -> 'files')),
                ARRAY(SELECT json_array_elements_text(j.part -> 'deadlines')::bigint)
         FROM json_array_elements($3::json) WITH ORDINALITY j (part, place)
         ORDER BY j.place",
    )
    .bind(offer.sweep.0)
    .bind(i64::try_from(offer.budget).unwrap_or(i64::MAX))
    .bind(parts)
    .execute(tx)
    .await
    .map_err(during(context))?;
    Ok(true)
}

/// Also when the sweep is closed.
pub(super) async fn clear(tx: &mut PgConnection, sweep: SweepId) -> Result<(), LedgerError> {
    sqlx::query(
        "DELETE FROM parts
         WHERE sweep = $1",
    )
    .bind(sweep.0)
    .execute(tx)
    .await
    .map_err(during("forgetting the parts of a sweep"))?;
    Ok(())
}

async fn end(
    tx: &mut PgConnection,
    seat: Option<i64>,
    part: i64,
    summary: &str,
    left: u64,
) -> Result<(), LedgerError> {
    let ended = sqlx::query(
        "UPDATE parts
         SET summary = $3, undone = $4
         WHERE id = $1 AND peer = $2 AND summary IS NULL",
    )
    .bind(part)
    .bind(seat)
    .bind(summary)
    .bind(i64::try_from(left).unwrap_or(i64::MAX))
    .execute(tx)
    .await
    .map_err(during("ending a part of a sweep"))?;
    if ended.rows_affected() == 1 {
        return Ok(());
    }
    Err(conflict(
        format!("part {part}"),
        "another process has it, or its sweep has ended",
    ))
}

/// The files of a part that are still to go, as a part of their own.
async fn rest_of(tx: &mut PgConnection, part: i64) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO parts (sweep, budget, batch, files, deadlines, takes)
         SELECT p.sweep, p.budget, p.batch,
                array_agg(j.file_id ORDER BY j.place), array_agg(j.deadline ORDER BY j.place),
                p.takes -- whoever takes it looks for what was asked for
         FROM parts p
         CROSS JOIN LATERAL unnest(p.files, p.deadlines) WITH ORDINALITY j (file_id, deadline, place)
         JOIN files f ON f.batch = p.batch AND f.file_id = j.file_id
         WHERE p.id = $1 AND f.state IN (0, 1, 4)
         GROUP BY p.id",
    )
    .bind(part)
    .execute(tx)
    .await
    .map_err(during("handing on a part of a sweep"))?;
    Ok(())
}

async fn withdraw(tx: &mut PgConnection, sweep: SweepId) -> Result<(), LedgerError> {
    sqlx::query(
        "DELETE FROM parts
         WHERE sweep = $1
           AND summary IS NULL
           AND (peer IS NULL OR peer NOT IN (SELECT number FROM living))",
    )
    .bind(sweep.0)
    .execute(tx)
    .await
    .map_err(during("withdrawing parts of a sweep"))?;
    Ok(())
}

/// Also when what is left of an interruption is looked after.
pub(super) async fn give_back(tx: &mut PgConnection, seat: i64) -> Result<u64, LedgerError> {
    let freed = sqlx::query(
        "UPDATE parts
         SET peer = NULL
         WHERE peer = $1 AND summary IS NULL",
    )
    .bind(seat)
    .execute(tx)
    .await
    .map_err(during("giving parts of a sweep back"))?;
    Ok(freed.rows_affected())
}

async fn parts_left(tx: &mut PgConnection, sweep: SweepId) -> Result<PartsLeft, LedgerError> {
    let (waiting, under_way): (i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE peer IS NULL OR peer NOT IN (SELECT number FROM living)),
                count(*) FILTER (WHERE peer IN (SELECT number FROM living))
         FROM parts
         WHERE sweep = $1 AND summary IS NULL",
    )
    .bind(sweep.0)
    .fetch_one(tx)
    .await
    .map_err(during("counting the parts of a sweep"))?;
    Ok(PartsLeft {
        waiting: count(waiting)?,
        under_way: count(under_way)?,
    })
}

async fn parts_done(tx: &mut PgConnection, sweep: SweepId) -> Result<(SweepSummary, u64), LedgerError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "DELETE FROM parts
         WHERE sweep = $1 AND summary IS NOT NULL
         RETURNING summary, undone",
    )
    .bind(sweep.0)
    .fetch_all(tx)
    .await
    .map_err(during("adding up the parts of a sweep"))?;
    let (mut sums, mut left) = (SweepSummary::default(), 0);
    for (summary, undone) in rows {
        let summary: SweepSummary = serde_json::from_str(&summary)
            .map_err(|error| damaged(format!("parts of sweep {}: summary: {error}", sweep.0)))?;
        sums.add(&summary);
        left += count(undone)?;
    }
    Ok((sums, left))
}
