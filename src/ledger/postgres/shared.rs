//! Parts of sweeps, and who works at them. In short transactions on a session of their own, beside the order of all
//! writers: nothing of it is evidence, and no file is safer for it or less safe.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::PgConnection;

use super::PostgresLedger;
use super::fault::{conflict, damaged, during};
use super::right::lost;
use super::rows::{batch_address, count, file_id, policy_name, timestamp};
use crate::ledger::{LedgerError, Offer, Part, PartsLeft, Peer, Shared, TakenPart};
use crate::model::{BatchKey, SweepId, SweepSummary};
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
                    take(tx, seat, of, &rules).await.map(Some)
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

    async fn give_parts_back(&self) -> Result<u64, LedgerError> {
        let Some(seat) = self.holder.fence().await?.number() else {
            return Ok(0);
        };
        self.beside(move |tx| Box::pin(give_back(tx, seat))).await
    }

    async fn parts_left(&self, sweep: SweepId) -> Result<PartsLeft, LedgerError> {
        self.read_one(move |tx| Box::pin(parts_left(tx, sweep))).await
    }

    async fn parts_done(&self, sweep: SweepId) -> Result<(SweepSummary, u64), LedgerError> {
        self.beside(move |tx| Box::pin(parts_done(tx, sweep))).await
    }

    async fn peers(&self) -> Result<Vec<Peer>, LedgerError> {
        let seat = self.holder.number().await;
        self.read_one(move |tx| Box::pin(peers(tx, seat))).await
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

type TakenRow = (
    i64,
    i64,
    i64,
    i64,
    Vec<String>,
    Vec<i64>,
    i64,
    String,
    String,
    String,
    String,
    String,
);

async fn take(
    tx: &mut PgConnection,
    seat: i64,
    of: Option<SweepId>,
    rules: &RuleDigest,
) -> Result<Option<TakenPart>, LedgerError> {
    let of = match of {
        Some(sweep) => Some(sweep.0),
        None => sweep_to_help(tx, seat, rules).await?,
    };
    let Some(sweep) = of else {
        return Ok(None);
    };
    let row: Option<TakenRow> = sqlx::query_as(
        "WITH taken AS (
             UPDATE parts
             SET peer = $1, takes = takes + 1
             WHERE id = (
                 SELECT p.id
                 FROM parts p
                 WHERE p.sweep = $2
                   AND p.summary IS NULL
                   AND (p.peer IS NULL OR p.peer NOT IN (SELECT number FROM living))
                   AND EXISTS (
                       SELECT 1
                       FROM sweeps s
                       JOIN rule_sets r ON r.id = s.rule_set
                       WHERE s.id = $2 AND s.state = 'open' AND r.digest = $3
                   )
                 ORDER BY p.id
                 LIMIT 1
                 FOR UPDATE OF p SKIP LOCKED
             )
             RETURNING id, sweep, budget, batch, files, deadlines, takes
         )
         SELECT t.id, t.sweep, t.budget, t.batch, t.files, t.deadlines, t.takes, n.name, b.account, b.module, b.parent, b.batch
         FROM taken t
         JOIN sweeps s ON s.id = t.sweep
         JOIN policies n ON n.id = s.policy
         JOIN batches b ON b.id = t.batch",
    )
    .bind(seat)
    .bind(sweep)
    .bind(&rules.0)
    .fetch_optional(tx)
    .await
    .map_err(during("taking a part of a sweep"))?;
    row.map(|row| taken(row, rules)).transpose()
}

/// A sweep that somebody else leads and that has a part for us.
async fn sweep_to_help(
    tx: &mut PgConnection,
    seat: i64,
    rules: &RuleDigest,
) -> Result<Option<i64>, LedgerError> {
    sqlx::query_scalar(
        "SELECT s.id
         FROM sweeps s
         JOIN rule_sets r ON r.id = s.rule_set
         WHERE s.state = 'open'
           AND r.digest = $2
           AND s.peer <> $1
           AND s.peer IN (SELECT number FROM living)
           AND EXISTS (
               SELECT 1
               FROM parts p
               WHERE p.sweep = s.id
                 AND p.summary IS NULL
                 AND (p.peer IS NULL OR p.peer NOT IN (SELECT number FROM living))
           )
         ORDER BY s.id
         LIMIT 1",
    )
    .bind(seat)
    .bind(&rules.0)
    .fetch_optional(tx)
    .await
    .map_err(during("looking for a sweep that is shared"))
}

fn taken(row: TakenRow, rules: &RuleDigest) -> Result<TakenPart, LedgerError> {
    let (id, sweep, budget, batch, files, deadlines, takes, policy, account, module, parent, name) = row;
    let files = files.into_iter().zip(deadlines);
    let files: Result<_, LedgerError> = files
        .map(|(file, deadline)| Ok((file_id(file)?, timestamp(deadline)?)))
        .collect();
    Ok(TakenPart {
        id,
        sweep: SweepId(sweep),
        policy: policy_name(policy)?,
        rules: rules.clone(),
        budget: count(budget)?,
        address: Arc::new(batch_address(&account, &module, parent, name)?),
        takes: count(takes)?,
        part: Part {
            batch: BatchKey(batch),
            files: files?,
        },
    })
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

type PeerRow = (
    String,
    String,
    i64,
    i64,
    bool,
    bool,
    Option<String>,
    Option<i64>,
    Option<String>,
    i64,
);

async fn peers(tx: &mut PgConnection, seat: Option<i64>) -> Result<Vec<Peer>, LedgerError> {
    let rows: Vec<PeerRow> = sqlx::query_as(
        "SELECT p.name, p.version, p.since, greatest(server_ms() - p.seen_at, 0),
                p.number IN (SELECT number FROM living),
                coalesce(p.number = $1, FALSE),
                p.rules, s.id, n.name,
                (SELECT count(*) FROM parts t WHERE t.peer = p.number AND t.summary IS NULL)
         FROM peers p
         LEFT JOIN sweeps s ON s.id = (SELECT max(o.id) FROM sweeps o WHERE o.state = 'open' AND o.peer = p.number)
         LEFT JOIN policies n ON n.id = s.policy
         ORDER BY 5 DESC, p.since DESC, p.number",
    )
    .bind(seat)
    .fetch_all(tx)
    .await
    .map_err(during("reading who has the right to delete"))?;
    rows.into_iter().map(peer).collect()
}

fn peer(row: PeerRow) -> Result<Peer, LedgerError> {
    let (name, version, since, silent, alive, ours, rules, sweep, policy, parts) = row;
    let sweep = match (sweep, policy) {
        (Some(sweep), Some(policy)) => Some((SweepId(sweep), policy_name(policy)?)),
        _ => None,
    };
    Ok(Peer {
        name,
        version,
        since: timestamp(since)?,
        silent_for: Duration::from_millis(count(silent)?),
        alive,
        ours,
        rules: rules.map(RuleDigest),
        sweep,
        parts: count(parts)?,
    })
}
