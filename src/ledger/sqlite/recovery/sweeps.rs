//! Sweeps of a line that was lost.

use sqlx::SqliteConnection;

use super::super::fault::{during, ensure_rows};
use super::super::rows::count;
use super::super::sweeps::trigger_name;
use super::super::{intern, leaves};
use crate::evidence::Fact;
use crate::ledger::LedgerError;
use crate::model::{PolicyName, SweepState, SweepSummary, Timestamp, Trigger};
use crate::rules::policy::RuleDigest;

/// A sweep of a line that was lost, with what is still known of it.
pub(super) struct Past<'p> {
    pub(super) policy: &'p PolicyName,
    pub(super) occurrence: Option<Timestamp>,
    pub(super) trigger: Trigger,
    pub(super) rules: &'p str,
    pub(super) at: Timestamp,
}

/// Brings a sweep back under a new number. Until it is closed it counts as cut: its occurrence is gone on with.
pub(super) async fn open_past(tx: &mut SqliteConnection, past: &Past<'_>) -> Result<i64, LedgerError> {
    let policy = intern::policy(tx, past.policy).await?;
    let digest = RuleDigest(past.rules.to_owned());
    let rule_set = intern::rule_set(tx, &digest).await?;
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO sweeps (policy, occurrence, trigger, rule_set, started_at, ended_at, state)
         VALUES (
             ?1,
             -- Since the backup came back, the occurrence may have been begun again.
             iif(EXISTS (SELECT 1 FROM sweeps WHERE policy = ?1 AND occurrence = ?2), NULL, ?2),
             ?3, ?4, ?5, ?5, 'cut'
         )
         RETURNING id",
    )
    .bind(policy)
    .bind(past.occurrence.map(|at| at.as_millis()))
    .bind(trigger_name(past.trigger))
    .bind(rule_set)
    .bind(past.at.as_millis())
    .fetch_one(&mut *tx)
    .await
    .map_err(during("bringing a sweep back"))?;
    let fact = Fact::SweepOpened {
        sweep: id,
        policy: past.policy.to_string(),
        occurrence: past.occurrence.map(|at| at.as_millis()),
        trigger: trigger_name(past.trigger).to_owned(),
        rules: past.rules.to_owned(),
        resumed: false,
    };
    leaves::append(tx, past.at, fact).await?;
    Ok(id)
}

/// Files by what became of them, requests.
type PastCounts = (i64, i64, i64, i64, i64, i64);

/// Closes a sweep that was brought back, with the counts that its requests still give.
pub(super) async fn close_past(
    tx: &mut SqliteConnection,
    sweep: i64,
    state: SweepState,
    sent: u64,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let (deleted, gone, unknown, quarantined, verified, requests): PastCounts = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE l.result = 2),
                count(*) FILTER (WHERE l.result = 3),
                count(*) FILTER (WHERE l.result = 4),
                count(*) FILTER (WHERE l.result = 5),
                count(*) FILTER (WHERE l.finding = 'absent'),
                count(DISTINCT a.id)
         FROM attempts a
         JOIN attempt_files l ON l.attempt = a.id
         WHERE a.sweep = ?1",
    )
    .bind(sweep)
    .fetch_one(&mut *tx)
    .await
    .map_err(during("counting what a sweep did"))?;
    let summary = SweepSummary {
        due: sent,
        sent,
        deleted: count(deleted)?,
        gone: count(gone)?,
        verified: count(verified)?,
        unknown: count(unknown)?,
        quarantined: count(quarantined)?,
        requests: count(requests)?,
        note: Some("brought back from an export; what it counted beside its requests is lost".to_owned()),
        ..SweepSummary::default()
    };
    let summary = serde_json::to_string(&summary).expect("counts and plain text");
    let done = sqlx::query(
        "UPDATE sweeps
         SET state = ?2, sent = ?3, ended_at = ?4, summary = ?5
         WHERE id = ?1",
    )
    .bind(sweep)
    .bind(state.name())
    .bind(leaves::to_i64(sent))
    .bind(at.as_millis())
    .bind(&summary)
    .execute(&mut *tx)
    .await
    .map_err(during("closing a sweep that was brought back"))?;
    ensure_rows("the sweep to be closed", done.rows_affected(), 1)?;
    let fact = Fact::SweepClosed {
        sweep,
        state: state.name().to_owned(),
        sent,
        summary: leaves::digest_of(&summary),
    };
    leaves::append(tx, at, fact).await
}
