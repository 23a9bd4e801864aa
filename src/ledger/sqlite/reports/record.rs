//! What stood beside the files in the period: rules, plans that waited, breakers, pauses, the clock.

use sqlx::SqliteConnection;

use super::super::fault::{damaged, during};
use super::super::rows::{count, optional, policy_name, timestamp};
use crate::ledger::common::controls::anomaly;
use crate::ledger::common::values::account_name;
use crate::ledger::{Adoption, LedgerError, ReportPeriod, Stretch, WaitedChange, WaitedPlan};
use crate::model::{AccountName, BreakerKind, ClockAnomaly};
use crate::rules::impact::Impact;
use crate::rules::policy::RuleDigest;

type AdoptionRow = (String, i64, Option<i64>, String, Option<String>);

pub(super) async fn adoptions(
    tx: &mut SqliteConnection,
    period: &ReportPeriod,
) -> Result<Vec<Adoption>, LedgerError> {
    let rows: Vec<AdoptionRow> = sqlx::query_as(
        "SELECT s.digest, a.adopted_at, a.until, s.description, t.text
         FROM (
             SELECT id, rule_set, adopted_at, lead(adopted_at) OVER (ORDER BY id) AS until
             FROM rule_adoptions
         ) a
         JOIN rule_sets s ON s.id = a.rule_set
         LEFT JOIN rule_texts t ON t.rule_set = s.id
         WHERE a.adopted_at < ?2 AND (a.until IS NULL OR a.until > ?1)
         ORDER BY a.id",
    )
    .bind(period.from.as_millis())
    .bind(period.to.as_millis())
    .fetch_all(tx)
    .await
    .map_err(during("reading the rules of a period"))?;
    rows.into_iter()
        .map(|(digest, adopted_at, until, description, text)| {
            Ok(Adoption {
                digest: RuleDigest(digest),
                adopted_at: timestamp(adopted_at)?,
                until: optional(until)?,
                description,
                text,
            })
        })
        .collect()
}

type ChangeRow = (String, String, i64, Option<i64>, Option<i64>, bool, String);

pub(super) async fn changes(
    tx: &mut SqliteConnection,
    period: &ReportPeriod,
) -> Result<Vec<WaitedChange>, LedgerError> {
    let rows: Vec<ChangeRow> = sqlx::query_as(
        "SELECT b.digest, a.digest, c.seen_at, c.approved_until, c.ended_at,
                EXISTS (
                    SELECT 1
                    FROM rule_adoptions o
                    WHERE o.rule_set = c.after AND o.adopted_at = c.ended_at
                ),
                c.impact
         FROM rule_changes c
         JOIN rule_sets b ON b.id = c.before
         JOIN rule_sets a ON a.id = c.after
         WHERE c.seen_at < ?2 AND (c.ended_at IS NULL OR c.ended_at >= ?1)
         ORDER BY c.id",
    )
    .bind(period.from.as_millis())
    .bind(period.to.as_millis())
    .fetch_all(tx)
    .await
    .map_err(during("reading changes of rules"))?;
    rows.into_iter()
        .map(|(before, after, seen_at, approved, ended_at, adopted, impact)| {
            let impact: Impact = serde_json::from_str(&impact)
                .map_err(|error| damaged(format!("the impact of changed rules: {error}")))?;
            Ok(WaitedChange {
                before: RuleDigest(before),
                after: RuleDigest(after),
                seen_at: timestamp(seen_at)?,
                approved_until: optional(approved)?,
                ended_at: optional(ended_at)?,
                adopted,
                impact: impact.total(),
                shortened: impact.shortened,
            })
        })
        .collect()
}

type PlanRow = (
    String,
    String,
    i64,
    i64,
    bool,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);

pub(super) async fn plans(
    tx: &mut SqliteConnection,
    period: &ReportPeriod,
) -> Result<Vec<WaitedPlan>, LedgerError> {
    let rows: Vec<PlanRow> = sqlx::query_as(
        "SELECT w.hash, p.name, w.at, w.files, w.waits_for IS NOT NULL, v.given_at, v.valid_until, v.used_at
         FROM plans w
         JOIN policies p ON p.id = w.policy
         LEFT JOIN approvals v ON v.id = (SELECT max(x.id) FROM approvals x WHERE x.plan = w.id)
         WHERE (w.waits_for IS NOT NULL OR v.id IS NOT NULL)
           AND w.at < ?2
           AND (w.at >= ?1 OR v.given_at >= ?1 OR v.used_at >= ?1)
         ORDER BY w.id",
    )
    .bind(period.from.as_millis())
    .bind(period.to.as_millis())
    .fetch_all(tx)
    .await
    .map_err(during("reading plans that waited"))?;
    rows.into_iter()
        .map(|(hash, policy, at, files, waits, given, valid, used)| {
            let approval = match (given, valid) {
                (Some(given), Some(valid)) => Some((timestamp(given)?, timestamp(valid)?, optional(used)?)),
                (None, _) | (_, None) => None,
            };
            Ok(WaitedPlan {
                hash,
                policy: policy_name(policy)?,
                at: timestamp(at)?,
                files: count(files)?,
                waits,
                approval,
            })
        })
        .collect()
}

pub(super) async fn breakers(
    tx: &mut SqliteConnection,
    period: &ReportPeriod,
) -> Result<Vec<(BreakerKind, Option<AccountName>, Stretch)>, LedgerError> {
    let rows: Vec<(String, String, i64, Option<i64>)> = sqlx::query_as(
        "SELECT kind, account, opened_at, closed_at
         FROM breakers
         WHERE opened_at < ?2 AND (closed_at IS NULL OR closed_at >= ?1)
         ORDER BY opened_at, id",
    )
    .bind(period.from.as_millis())
    .bind(period.to.as_millis())
    .fetch_all(tx)
    .await
    .map_err(during("reading breakers"))?;
    rows.into_iter()
        .map(|(name, account, since, until)| {
            let kind = BreakerKind::ALL.into_iter().find(|kind| kind.name() == name);
            let kind = kind.ok_or_else(|| damaged(format!("`{name}` is no breaker")))?;
            Ok((kind, account_name(&account)?, stretch(since, until)?))
        })
        .collect()
}

pub(super) async fn pauses(
    tx: &mut SqliteConnection,
    period: &ReportPeriod,
) -> Result<Vec<Stretch>, LedgerError> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT since, min(until, ifnull(cleared_at, until)) AS ends
         FROM pauses
         WHERE since < ?2 AND min(until, ifnull(cleared_at, until)) >= ?1
         ORDER BY since, id",
    )
    .bind(period.from.as_millis())
    .bind(period.to.as_millis())
    .fetch_all(tx)
    .await
    .map_err(during("reading pauses"))?;
    rows.into_iter()
        .map(|(since, until)| stretch(since, Some(until)))
        .collect()
}

fn stretch(since: i64, until: Option<i64>) -> Result<Stretch, LedgerError> {
    Ok(Stretch {
        since: timestamp(since)?,
        until: optional(until)?,
    })
}

pub(super) async fn anomalies(
    tx: &mut SqliteConnection,
    period: &ReportPeriod,
) -> Result<Vec<ClockAnomaly>, LedgerError> {
    let rows: Vec<(String, i64, i64, Option<i64>)> = sqlx::query_as(
        "SELECT identity, seen_at, skew_ms, resolved_at
         FROM anomalies
         WHERE seen_at < ?2 AND (seen_at >= ?1 OR resolved_at IS NULL OR resolved_at >= ?1)
         ORDER BY id",
    )
    .bind(period.from.as_millis())
    .bind(period.to.as_millis())
    .fetch_all(tx)
    .await
    .map_err(during("reading clock anomalies"))?;
    rows.into_iter().map(anomaly).collect()
}
