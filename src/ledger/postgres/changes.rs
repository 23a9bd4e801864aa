//! Changed rules that wait for an approval.

pub(super) use crate::ledger::common::controls::adopted;
use async_trait::async_trait;
use sqlx::PgConnection;

use super::fault::{conflict, damaged, during};
use super::rehint::{in_force, outdated};
use super::rows::{FileRow, records, select_files, timestamp};
use super::{PostgresLedger, intern, leaves};
use crate::evidence::Fact;
use crate::ledger::{Changes, LedgerError, RuleChange, RulesInForce};
use crate::model::{FileKey, FileRecord, Timestamp};
use crate::rules::impact::Impact;
use crate::rules::policy::RuleDigest;

/// A prefix shorter than this may name what nobody meant.
const SHORTEST_PREFIX: usize = 8;

#[async_trait]
impl Changes for PostgresLedger {
    async fn rules_in_force(&self) -> Result<Option<RulesInForce>, LedgerError> {
        self.read_one(|tx| Box::pin(async move { read_in_force(tx).await }))
            .await
    }

    async fn keep_rule_text(
        &self,
        digest: &RuleDigest,
        text: &str,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        let (digest, text) = (digest.clone(), text.to_owned());
        if self.text_of(&digest).await?.as_deref() == Some(&text) {
            return Ok(());
        }
        self.write(move |tx| Box::pin(async move { keep_text(tx, &digest, &text, at).await }))
            .await
    }

    async fn decided(&self, after: Option<&FileKey>, page: u32) -> Result<Vec<FileRecord>, LedgerError> {
        let after = after.map_or((i64::MIN, String::new()), |key| {
            (key.batch.0, key.file.to_string())
        });
        self.read(move |tx| Box::pin(async move { page_after(tx, &after, page).await }))
            .await
    }

    async fn undecided(&self) -> Result<u64, LedgerError> {
        self.read(|tx| {
            Box::pin(async move {
                let rule_set = in_force(tx).await?.unwrap_or(-1);
                outdated(tx, rule_set).await
            })
        })
        .await
    }

    async fn propose(
        &self,
        after: &RuleDigest,
        impact: &Impact,
        at: Timestamp,
    ) -> Result<RuleChange, LedgerError> {
        let (after, impact) = (after.clone(), impact.clone());
        self.write(move |tx| Box::pin(async move { propose(tx, &after, &impact, at).await }))
            .await
    }

    async fn waiting_change(&self) -> Result<Option<RuleChange>, LedgerError> {
        self.read_one(|tx| Box::pin(async move { waiting(tx).await }))
            .await
    }

    async fn approve_change(
        &self,
        digest: &str,
        at: Timestamp,
        valid_until: Timestamp,
    ) -> Result<RuleChange, LedgerError> {
        let digest = digest.to_owned();
        self.write(move |tx| Box::pin(async move { approve(tx, &digest, at, valid_until).await }))
            .await
    }

    async fn withdraw_change(&self, at: Timestamp) -> Result<(), LedgerError> {
        self.write(move |tx| {
            Box::pin(async move {
                let context = "withdrawing a change of rules";
                let after: Option<i64> = sqlx::query_scalar(
                    "UPDATE rule_changes
                     SET ended_at = $1
                     WHERE ended_at IS NULL
                     RETURNING after",
                )
                .bind(at.as_millis())
                .fetch_optional(&mut *tx)
                .await
                .map_err(during(context))?;
                let Some(after) = after else { return Ok(()) };
                let fact = Fact::RuleChangeWithdrawn {
                    after: digest_of_set(tx, after).await?,
                };
                leaves::append(tx, at, fact).await
            })
        })
        .await
    }
}

impl PostgresLedger {
    pub(super) async fn text_of(&self, digest: &RuleDigest) -> Result<Option<String>, LedgerError> {
        let digest = digest.0.clone();
        self.read_one(move |tx| Box::pin(async move { text_of(tx, &RuleDigest(digest)).await }))
            .await
    }
}

/// The policy file that is kept of a set.
pub(super) async fn text_of(
    tx: &mut PgConnection,
    digest: &RuleDigest,
) -> Result<Option<String>, LedgerError> {
    sqlx::query_scalar(
        "SELECT t.text
         FROM rule_texts t
         JOIN rule_sets s ON s.id = t.rule_set
         WHERE s.digest = $1",
    )
    .bind(&digest.0)
    .fetch_optional(tx)
    .await
    .map_err(during("reading the text of rules"))
}

async fn digest_of_set(tx: &mut PgConnection, rule_set: i64) -> Result<String, LedgerError> {
    sqlx::query_scalar(
        "SELECT digest
         FROM rule_sets
         WHERE id = $1",
    )
    .bind(rule_set)
    .fetch_one(tx)
    .await
    .map_err(during("reading the digest of rules"))
}

async fn keep_text(
    tx: &mut PgConnection,
    digest: &RuleDigest,
    text: &str,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let context = "keeping the text of rules";
    let rule_set = intern::rule_set(tx, digest).await?;
    sqlx::query(
        "INSERT INTO earlier_rule_texts (rule_set, text, replaced_at)
         SELECT rule_set, text, $3
         FROM rule_texts
         WHERE rule_set = $1 AND text <> $2",
    )
    .bind(rule_set)
    .bind(text)
    .bind(at.as_millis())
    .execute(&mut *tx)
    .await
    .map_err(during(context))?;
    sqlx::query(
        "INSERT INTO rule_texts (rule_set, text)
         VALUES ($1, $2)
         ON CONFLICT (rule_set) DO UPDATE SET text = excluded.text",
    )
    .bind(rule_set)
    .bind(text)
    .execute(&mut *tx)
    .await
    .map_err(during(context))?;
    let fact = Fact::RuleText {
        digest: digest.0.clone(),
        text: leaves::digest_of(text),
    };
    leaves::append(tx, at, fact).await
}

async fn read_in_force(tx: &mut PgConnection) -> Result<Option<RulesInForce>, LedgerError> {
    let row: Option<(String, Option<String>, i64)> = sqlx::query_as(
        "SELECT s.digest, t.text, a.adopted_at
         FROM rule_adoptions a
         JOIN rule_sets s ON s.id = a.rule_set
         LEFT JOIN rule_texts t ON t.rule_set = s.id
         ORDER BY a.id DESC
         LIMIT 1",
    )
    .fetch_optional(tx)
    .await
    .map_err(during("reading the rules in force"))?;
    row.map(adopted).transpose()
}

async fn page_after(
    tx: &mut PgConnection,
    after: &(i64, String),
    page: u32,
) -> Result<Vec<FileRecord>, LedgerError> {
    let Some(rule_set) = in_force(tx).await? else {
        return Ok(Vec::new());
    };
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "files f",
        "WHERE (f.file_id, f.batch) > ($2, $1)
           AND f.state IN (0, 4)
           AND f.rule_set = $3
         ORDER BY f.file_id, f.batch
         LIMIT $4"
    ))
    .bind(after.0)
    .bind(&after.1)
    .bind(rule_set)
    .bind(i64::from(page))
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading files that changed rules may concern"))?;
    records(tx, rows).await
}

async fn propose(
    tx: &mut PgConnection,
    digest: &RuleDigest,
    impact: &Impact,
    at: Timestamp,
) -> Result<RuleChange, LedgerError> {
    let context = "proposing changed rules";
    let Some(before) = in_force(tx).await? else {
        return Err(conflict("the changed rules", "no rules are in force yet"));
    };
    let after = intern::rule_set(tx, digest).await?;
    if before == after {
        return Err(conflict("the changed rules", "they are in force"));
    }
    // Another one, or one over other rules, is over: its approval does not carry.
    sqlx::query(
        "UPDATE rule_changes
         SET ended_at = $3
         WHERE ended_at IS NULL
           AND (before, after) <> ($1, $2)",
    )
    .bind(before)
    .bind(after)
    .bind(at.as_millis())
    .execute(&mut *tx)
    .await
    .map_err(during(context))?;
    let impact = serde_json::to_string(impact).expect("numbers and names are plain");
    let renewed = sqlx::query(
        "UPDATE rule_changes
         SET impact = $1
         WHERE ended_at IS NULL",
    )
    .bind(&impact)
    .execute(&mut *tx)
    .await
    .map_err(during(context))?;
    if renewed.rows_affected() == 0 {
        sqlx::query(
            "INSERT INTO rule_changes (before, after, seen_at, impact)
             VALUES ($1, $2, $3, $4)",
        )
        .bind(before)
        .bind(after)
        .bind(at.as_millis())
        .bind(&impact)
        .execute(&mut *tx)
        .await
        .map_err(during(context))?;
        let fact = Fact::RuleChange {
            before: digest_of_set(tx, before).await?,
            after: digest.0.clone(),
        };
        leaves::append(tx, at, fact).await?;
    }
    waiting(tx)
        .await?
        .ok_or_else(|| damaged("a change of rules that was just written is not there"))
}

/// The change that waits, over the rules that are in force now.
async fn waiting(tx: &mut PgConnection) -> Result<Option<RuleChange>, LedgerError> {
    let row: Option<(String, String, i64, String, Option<i64>)> = sqlx::query_as(
        "SELECT b.digest, a.digest, c.seen_at, c.impact, c.approved_until
         FROM rule_changes c
         JOIN rule_sets b ON b.id = c.before
         JOIN rule_sets a ON a.id = c.after
         WHERE c.ended_at IS NULL",
    )
    .fetch_optional(tx)
    .await
    .map_err(during("reading the change of rules that waits"))?;
    row.map(|(before, after, seen_at, impact, approved_until)| {
        Ok(RuleChange {
            before: RuleDigest(before),
            after: RuleDigest(after),
            seen_at: timestamp(seen_at)?,
            impact: serde_json::from_str(&impact)
                .map_err(|error| damaged(format!("the impact of changed rules: {error}")))?,
            approved_until: approved_until.map(timestamp).transpose()?,
        })
    })
    .transpose()
}

async fn approve(
    tx: &mut PgConnection,
    digest: &str,
    at: Timestamp,
    valid_until: Timestamp,
) -> Result<RuleChange, LedgerError> {
    if digest.len() < SHORTEST_PREFIX {
        return Err(conflict(
            "the changed rules",
            format!("give at least {SHORTEST_PREFIX} characters of their hash"),
        ));
    }
    let found = waiting(tx).await?;
    let Some(change) = found.filter(|change| change.after.0.starts_with(digest)) else {
        return Err(conflict("the changed rules", "none with that hash wait"));
    };
    sqlx::query(
        "UPDATE rule_changes
         SET approved_until = $1
         WHERE ended_at IS NULL",
    )
    .bind(valid_until.as_millis())
    .execute(&mut *tx)
    .await
    .map_err(during("approving changed rules"))?;
    let fact = Fact::RuleChangeApproval {
        after: change.after.0,
        valid_until: valid_until.as_millis(),
    };
    leaves::append(tx, at, fact).await?;
    waiting(tx)
        .await?
        .ok_or_else(|| damaged("a change of rules that was just approved is not there"))
}

/// The set that waited is in force now.
pub(super) async fn ended_by_adoption(
    tx: &mut PgConnection,
    rule_set: i64,
    at: Timestamp,
) -> Result<(), LedgerError> {
    sqlx::query(
        "UPDATE rule_changes
         SET ended_at = $2
         WHERE ended_at IS NULL AND after = $1",
    )
    .bind(rule_set)
    .bind(at.as_millis())
    .execute(tx)
    .await
    .map_err(during("adopting rules"))?;
    Ok(())
}
