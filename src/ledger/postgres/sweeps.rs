//! Runs: opened once per occurrence, resumed after a crash, closed with their counts.

use crate::ledger::common::sweeps::{SweepRow, sweep};
pub(super) use crate::ledger::common::sweeps::{sweep_state, trigger_name};
use async_trait::async_trait;
use sqlx::PgConnection;

use super::fault::{conflict, during};
use super::right::lost;
use super::rows::{count, timestamp};
use super::{PostgresLedger, came_to, intern, leaves, plan_hash, plans, shared};
use crate::evidence::Fact;
use crate::ledger::{LedgerError, OpenSweep, Opened, StoredFile, StoredPlan, Sweeps};
use crate::model::{Approval, FileKey, PolicyName, Sweep, SweepId, SweepState, SweepSummary, Timestamp};
use crate::rules::policy::RuleDigest;

#[async_trait]
impl Sweeps for PostgresLedger {
    async fn open_sweep(&self, open: &OpenSweep) -> Result<Opened, LedgerError> {
        // Once more where the seat was lost, with its connection or its lease.
        for _ in 0..2 {
            let (open, fence) = (open.clone(), self.holder.fence().await?);
            let opened = self.write(move |tx| {
                Box::pin(async move {
                    if !fence.stands(tx).await? {
                        return Ok(None);
                    }
                    open_sweep(tx, fence.number(), &open).await.map(Some)
                })
            });
            match opened.await? {
                Some(opened) => return Ok(opened),
                None => self.holder.fell(fence).await,
            }
        }
        Err(lost("twice in a row"))
    }

    async fn close_sweep(
        &self,
        sweep: SweepId,
        state: SweepState,
        summary: &SweepSummary,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        let summary = serde_json::to_string(summary).expect("counts and plain text");
        let seat = self.holder.fence().await?.number();
        self.write(move |tx| {
            Box::pin(async move { close_sweep(tx, seat, sweep, state, &summary, at).await })
        })
        .await?;
        self.anchor.sync();
        Ok(())
    }

    async fn sent(&self, sweep: SweepId) -> Result<u64, LedgerError> {
        self.read_one(move |tx| Box::pin(came_to::sent(tx, sweep))).await
    }

    async fn came_to(&self, sweep: SweepId) -> Result<SweepSummary, LedgerError> {
        self.read_one(move |tx| Box::pin(came_to::came_to(tx, sweep)))
            .await
    }

    async fn sent_in(&self, sweep: SweepId, among: &[FileKey]) -> Result<Vec<FileKey>, LedgerError> {
        let among = among.to_vec();
        self.read(move |tx| Box::pin(async move { super::settle::sent_in(tx, sweep, &among).await }))
            .await
    }

    async fn sweeps(&self, policy: Option<&PolicyName>, limit: u32) -> Result<Vec<Sweep>, LedgerError> {
        let policy = policy.cloned();
        self.read_one(move |tx| Box::pin(async move { sweeps(tx, policy.as_ref(), limit).await }))
            .await
    }

    async fn last_occurrence(
        &self,
        policy: &PolicyName,
        now: Timestamp,
    ) -> Result<Option<(Timestamp, SweepState)>, LedgerError> {
        let policy = policy.clone();
        self.read_one(move |tx| Box::pin(async move { last_occurrence(tx, &policy, now).await }))
            .await
    }

    async fn scheduled_since(&self, policy: &PolicyName, now: Timestamp) -> Result<Timestamp, LedgerError> {
        let (name, policy) = (policy.clone(), policy.clone());
        // Asked at every turn for every policy: only the first asking is worth a commit.
        let known = self
            .read_one(move |tx| Box::pin(async move { first_seen(tx, &name).await }))
            .await?;
        if let Some(since) = known {
            return Ok(since);
        }
        self.write(move |tx| Box::pin(async move { scheduled_since(tx, &policy, now).await }))
            .await
    }

    async fn store_plan(
        &self,
        plan: &StoredPlan,
        files: &[StoredFile],
        sweep: SweepId,
    ) -> Result<(), LedgerError> {
        let (plan, files) = (plan.clone(), files.to_vec());
        self.write(move |tx| Box::pin(async move { plans::store(tx, &plan, &files, sweep).await }))
            .await
    }

    async fn add_to_plan(&self, hash: &str, files: &[StoredFile]) -> Result<(), LedgerError> {
        let (hash, files) = (hash.to_owned(), files.to_vec());
        self.write(move |tx| Box::pin(async move { plans::add(tx, &hash, &files).await }))
            .await
    }

    async fn waiting_plans(&self, since: Timestamp) -> Result<Vec<StoredPlan>, LedgerError> {
        self.read(move |tx| Box::pin(plans::waiting(tx, since))).await
    }

    async fn recomputed_hash(&self, hash: &str) -> Result<Option<String>, LedgerError> {
        let hash = hash.to_owned();
        self.read(move |tx| Box::pin(async move { plan_hash::recomputed(tx, &hash).await }))
            .await
    }

    async fn plan_files(&self, hash: &str, from: u64, page: u32) -> Result<Vec<StoredFile>, LedgerError> {
        let hash = hash.to_owned();
        self.read(move |tx| Box::pin(async move { plans::files(tx, &hash, from, page).await }))
            .await
    }

    async fn approve(
        &self,
        hash: &str,
        at: Timestamp,
        valid_until: Timestamp,
    ) -> Result<Approval, LedgerError> {
        let hash = hash.to_owned();
        self.write(move |tx| Box::pin(async move { plans::approve(tx, &hash, at, valid_until).await }))
            .await
    }

    async fn approvals(&self, now: Timestamp) -> Result<Vec<Approval>, LedgerError> {
        self.read_one(move |tx| Box::pin(plans::approvals(tx, now))).await
    }

    async fn use_up(&self, hash: &str, sweep: SweepId, at: Timestamp) -> Result<(), LedgerError> {
        let hash = hash.to_owned();
        self.write(move |tx| Box::pin(async move { plans::use_up(tx, &hash, sweep, at).await }))
            .await
    }
}

async fn open_sweep(
    tx: &mut PgConnection,
    seat: Option<i64>,
    open: &OpenSweep,
) -> Result<Opened, LedgerError> {
    let policy = intern::policy(tx, &open.policy).await?;
    if let Some(occurrence) = open.occurrence
        && let Some(done) = done(tx, policy, occurrence).await?
    {
        return Ok(done);
    }
    if let Some(elsewhere) = elsewhere(tx, policy, seat).await? {
        return Ok(elsewhere);
    }
    if let Some(occurrence) = open.occurrence
        && let Some(opened) = reopen(tx, policy, seat, occurrence, &open.digest).await?
    {
        match opened {
            Opened::New(sweep) | Opened::Resumed { sweep, .. } => {
                take_the_place(tx, policy, sweep).await?;
                tell_of(tx, open, sweep, true).await?;
            }
            Opened::AlreadyDone(_) | Opened::Elsewhere { .. } => {}
        }
        return Ok(opened);
    }
    let rule_set = intern::rule_set(tx, &open.digest).await?;
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO sweeps (policy, occurrence, trigger, rule_set, started_at, state, peer)
         VALUES ($1, $2, $3, $4, $5, 'open', $6)
         RETURNING id",
    )
    .bind(policy)
    .bind(open.occurrence.map(|at| at.as_millis()))
    .bind(trigger_name(open.trigger))
    .bind(rule_set)
    .bind(open.at.as_millis())
    .bind(seat)
    .fetch_one(&mut *tx)
    .await
    .map_err(during("opening a sweep"))?;
    take_the_place(tx, policy, SweepId(id)).await?;
    tell_of(tx, open, SweepId(id), false).await?;
    Ok(Opened::New(SweepId(id)))
}

/// Earlier sweeps of the policy that were never closed (their process died, or failed) are nobody's from now on: what
/// they have left is planned anew, and nobody takes a part of it any more.
async fn take_the_place(tx: &mut PgConnection, policy: i64, sweep: SweepId) -> Result<(), LedgerError> {
    let context = "taking the place of an earlier sweep";
    sqlx::query(
        "UPDATE sweeps
         SET peer = NULL
         WHERE policy = $1 AND state = 'open' AND id <> $2 AND peer IS NOT NULL",
    )
    .bind(policy)
    .bind(sweep.0)
    .execute(&mut *tx)
    .await
    .map_err(during(context))?;
    // Also of those that were nobody's before: left by a leader who failed.
    sqlx::query(
        "DELETE FROM parts p
         USING sweeps s
         WHERE s.id = p.sweep AND s.policy = $1 AND s.id <> $2",
    )
    .bind(policy)
    .bind(sweep.0)
    .execute(tx)
    .await
    .map_err(during(context))?;
    Ok(())
}

async fn tell_of(
    tx: &mut PgConnection,
    open: &OpenSweep,
    sweep: SweepId,
    resumed: bool,
) -> Result<(), LedgerError> {
    let fact = Fact::SweepOpened {
        sweep: sweep.0,
        policy: open.policy.to_string(),
        occurrence: open.occurrence.map(|at| at.as_millis()),
        trigger: trigger_name(open.trigger).to_owned(),
        rules: open.digest.0.clone(),
        resumed,
    };
    leaves::append(tx, open.at, fact).await
}

/// A sweep of the policy that another who lives is at.
async fn elsewhere(
    tx: &mut PgConnection,
    policy: i64,
    seat: Option<i64>,
) -> Result<Option<Opened>, LedgerError> {
    let found: Option<(i64, String)> = sqlx::query_as(
        "SELECT s.id, l.name
         FROM sweeps s
         JOIN living l ON l.number = s.peer
         WHERE s.policy = $1 AND s.state = 'open' AND s.peer IS DISTINCT FROM $2
         ORDER BY s.id DESC
         LIMIT 1",
    )
    .bind(policy)
    .bind(seat)
    .fetch_optional(tx)
    .await
    .map_err(during("looking for who sweeps a policy"))?;
    Ok(found.map(|(sweep, by)| Opened::Elsewhere {
        sweep: SweepId(sweep),
        by,
    }))
}

async fn reopen(
    tx: &mut PgConnection,
    policy: i64,
    seat: Option<i64>,
    occurrence: Timestamp,
    digest: &RuleDigest,
) -> Result<Option<Opened>, LedgerError> {
    // Its claims are judged by the rules that it is planned by now, and whoever helps goes by them.
    let rule_set = intern::rule_set(tx, digest).await?;
    let known: Option<(i64, i64)> = sqlx::query_as(
        "UPDATE sweeps
         SET state = 'open', ended_at = NULL, peer = $3, rule_set = $4
         WHERE policy = $1 AND occurrence = $2
         RETURNING id, sent",
    )
    .bind(policy)
    .bind(occurrence.as_millis())
    .bind(seat)
    .bind(rule_set)
    .fetch_optional(tx)
    .await
    .map_err(during("going on with a sweep"))?;
    let Some((id, sent)) = known else {
        return Ok(None);
    };
    Ok(Some(Opened::Resumed {
        sweep: SweepId(id),
        sent: count(sent)?,
    }))
}

/// The sweep of an occurrence, where nothing is left of it to be done.
async fn done(
    tx: &mut PgConnection,
    policy: i64,
    occurrence: Timestamp,
) -> Result<Option<Opened>, LedgerError> {
    let known: Option<(i64, String)> = sqlx::query_as(
        "SELECT id, state
         FROM sweeps
         WHERE policy = $1 AND occurrence = $2",
    )
    .bind(policy)
    .bind(occurrence.as_millis())
    .fetch_optional(tx)
    .await
    .map_err(during("looking for a sweep"))?;
    let Some((id, state)) = known else {
        return Ok(None);
    };
    Ok(match sweep_state(&state)? {
        SweepState::Done | SweepState::Stopped => Some(Opened::AlreadyDone(SweepId(id))),
        SweepState::Open | SweepState::Cut | SweepState::Postponed => None,
    })
}

/// By its leader; and by whoever has no seat, where none is asked for.
async fn close_sweep(
    tx: &mut PgConnection,
    seat: Option<i64>,
    sweep: SweepId,
    state: SweepState,
    summary: &str,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let sent: Option<i64> = sqlx::query_scalar(
        "UPDATE sweeps
         SET state = $2, summary = $3, ended_at = CASE WHEN $2 = 'open' THEN NULL ELSE $4 END
         WHERE id = $1
           AND state = 'open'
           AND ($5::bigint IS NULL OR peer = $5)
         RETURNING sent",
    )
    .bind(sweep.0)
    .bind(state.name())
    .bind(summary)
    .bind(at.as_millis())
    .bind(seat)
    .fetch_optional(&mut *tx)
    .await
    .map_err(during("closing a sweep"))?;
    let Some(sent) = sent else {
        return Err(conflict(
            format!("sweep {}", sweep.0),
            "it is not open, or another process has taken it over",
        ));
    };
    shared::clear(tx, sweep).await?;
    let fact = Fact::SweepClosed {
        sweep: sweep.0,
        state: state.name().to_owned(),
        sent: count(sent)?,
        summary: leaves::digest_of(summary),
    };
    leaves::append(tx, at, fact).await
}

async fn sweeps(
    tx: &mut PgConnection,
    policy: Option<&PolicyName>,
    limit: u32,
) -> Result<Vec<Sweep>, LedgerError> {
    let rows: Vec<SweepRow> = sqlx::query_as(
        "SELECT s.id, p.name, s.occurrence, s.trigger, s.started_at, s.ended_at, s.state, s.summary
         FROM sweeps s
         JOIN policies p ON p.id = s.policy
         WHERE $1 IS NULL OR s.policy = (SELECT id FROM policies WHERE name = $1)
         ORDER BY s.id DESC
         LIMIT $2",
    )
    .bind(policy.map(PolicyName::as_str))
    .bind(i64::from(limit))
    .fetch_all(tx)
    .await
    .map_err(during("reading sweeps"))?;
    rows.into_iter().map(sweep).collect()
}

pub(super) async fn one_sweep(tx: &mut PgConnection, id: SweepId) -> Result<Option<Sweep>, LedgerError> {
    let row: Option<SweepRow> = sqlx::query_as(
        "SELECT s.id, p.name, s.occurrence, s.trigger, s.started_at, s.ended_at, s.state, s.summary
         FROM sweeps s
         JOIN policies p ON p.id = s.policy
         WHERE s.id = $1",
    )
    .bind(id.0)
    .fetch_optional(tx)
    .await
    .map_err(during("reading a sweep"))?;
    row.map(sweep).transpose()
}

async fn last_occurrence(
    tx: &mut PgConnection,
    policy: &PolicyName,
    now: Timestamp,
) -> Result<Option<(Timestamp, SweepState)>, LedgerError> {
    let row: Option<(i64, String)> = sqlx::query_as(
        "SELECT occurrence, state
         FROM sweeps
         WHERE policy = (SELECT id FROM policies WHERE name = $1)
           AND occurrence <= $2
         ORDER BY occurrence DESC
         LIMIT 1",
    )
    .bind(policy.as_str())
    .bind(now.as_millis())
    .fetch_optional(tx)
    .await
    .map_err(during("reading the last occurrence"))?;
    row.map(|(at, state)| Ok((timestamp(at)?, sweep_state(&state)?)))
        .transpose()
}

async fn first_seen(tx: &mut PgConnection, policy: &PolicyName) -> Result<Option<Timestamp>, LedgerError> {
    let first_seen: Option<i64> = sqlx::query_scalar(
        "SELECT s.first_seen
         FROM policies AS p
         JOIN schedules AS s ON s.policy = p.id
         WHERE p.name = $1",
    )
    .bind(policy.as_str())
    .fetch_optional(tx)
    .await
    .map_err(during("reading since when a policy is scheduled"))?;
    first_seen.map(timestamp).transpose()
}

async fn scheduled_since(
    tx: &mut PgConnection,
    policy: &PolicyName,
    now: Timestamp,
) -> Result<Timestamp, LedgerError> {
    let policy = intern::policy(tx, policy).await?;
    let first_seen: i64 = sqlx::query_scalar(
        "INSERT INTO schedules (policy, first_seen)
         VALUES ($1, $2)
         ON CONFLICT (policy) DO UPDATE SET first_seen = schedules.first_seen -- so that RETURNING finds it
         RETURNING first_seen",
    )
    .bind(policy)
    .bind(now.as_millis())
    .fetch_one(tx)
    .await
    .map_err(during("reading since when a policy is scheduled"))?;
    timestamp(first_seen)
}
