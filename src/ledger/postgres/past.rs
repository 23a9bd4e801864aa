//! What a decision of the past rested on. Every statement walks an index to what it gives.

use async_trait::async_trait;
use serde_json::json;
use sqlx::PgConnection;

use super::PostgresLedger;
use super::changes;
use super::events::{self, EventRow};
use super::fault::during;
use super::plans::approval;
use super::rows::{state, timestamp};
use super::sweeps::one_sweep;
use crate::ledger::common::events::columns;
use crate::ledger::{LedgerError, Move, Past, RulesInForce};
use crate::model::{Approval, EventScope, FileKey, FileRecord, RecordedEvent, Sweep, SweepId, Timestamp};
use crate::rules::policy::RuleDigest;

#[async_trait]
impl Past for PostgresLedger {
    async fn rules_at(&self, at: Timestamp) -> Result<Option<RulesInForce>, LedgerError> {
        self.read_one(move |tx| Box::pin(rules_at(tx, at))).await
    }

    async fn rule_text(&self, digest: &RuleDigest) -> Result<Option<String>, LedgerError> {
        self.text_of(digest).await
    }

    async fn sweep(&self, id: SweepId) -> Result<Option<Sweep>, LedgerError> {
        self.read_one(move |tx| Box::pin(one_sweep(tx, id))).await
    }

    async fn approval_used_by(&self, sweep: SweepId) -> Result<Option<Approval>, LedgerError> {
        self.read_one(move |tx| Box::pin(approval_used_by(tx, sweep)))
            .await
    }

    async fn moves(&self, file: &FileKey) -> Result<Vec<Move>, LedgerError> {
        let file = file.clone();
        self.read_one(move |tx| Box::pin(async move { moves(tx, &file).await }))
            .await
    }

    async fn events_of(&self, file: &FileRecord) -> Result<Vec<RecordedEvent>, LedgerError> {
        let scopes: Vec<_> = EventScope::of(file)
            .iter()
            .map(|scope| {
                let (kind, key, value) = columns(scope);
                json!([kind, key, value])
            })
            .collect();
        let scopes = json!(scopes).to_string();
        self.read_one(move |tx| Box::pin(async move { events_of(tx, &scopes).await }))
            .await
    }
}

async fn rules_at(tx: &mut PgConnection, at: Timestamp) -> Result<Option<RulesInForce>, LedgerError> {
    let row: Option<(String, Option<String>, i64)> = sqlx::query_as(
        "SELECT s.digest,
                coalesce(
                    -- The one that was replaced first after that instant.
                    (SELECT e.text
                     FROM earlier_rule_texts e
                     WHERE e.rule_set = s.id AND e.replaced_at > $1
                     ORDER BY e.id
                     LIMIT 1),
                    (SELECT t.text FROM rule_texts t WHERE t.rule_set = s.id)
                ),
                a.adopted_at
         FROM rule_adoptions a
         JOIN rule_sets s ON s.id = a.rule_set
         WHERE a.adopted_at <= $1
         ORDER BY a.id DESC
         LIMIT 1",
    )
    .bind(at.as_millis())
    .fetch_optional(tx)
    .await
    .map_err(during("reading the rules of then"))?;
    row.map(changes::adopted).transpose()
}

async fn approval_used_by(tx: &mut PgConnection, sweep: SweepId) -> Result<Option<Approval>, LedgerError> {
    let row = sqlx::query_as(
        "SELECT p.hash, o.name, a.given_at, a.valid_until
         FROM approvals a
         JOIN plans p ON p.id = a.plan
         JOIN policies o ON o.id = p.policy
         WHERE a.used_by = $1
         ORDER BY a.id
         LIMIT 1",
    )
    .bind(sweep.0)
    .fetch_optional(tx)
    .await
    .map_err(during("reading the approval of a sweep"))?;
    row.map(approval).transpose()
}

async fn moves(tx: &mut PgConnection, file: &FileKey) -> Result<Vec<Move>, LedgerError> {
    let rows: Vec<(i64, String, i64, i64, String)> = sqlx::query_as(
        "SELECT at, event, from_state, to_state, reason
         FROM notes
         WHERE batch = $1 AND file_id = $2
         ORDER BY id",
    )
    .bind(file.batch.0)
    .bind(file.file.as_str())
    .fetch_all(tx)
    .await
    .map_err(during("reading the moves of a file"))?;
    rows.into_iter()
        .map(|(at, event, from, to, reason)| {
            Ok(Move {
                at: timestamp(at)?,
                event,
                from: state(from)?,
                to: state(to)?,
                reason,
            })
        })
        .collect()
}

async fn events_of(tx: &mut PgConnection, scopes: &str) -> Result<Vec<RecordedEvent>, LedgerError> {
    let rows: Vec<EventRow> = sqlx::query_as(
        "SELECT e.id, e.name, e.scope, e.label_key, e.value, e.happened_at, e.recorded_at, e.reason,
                e.replaced_at
         FROM jsonb_each_PORT($1) j
         JOIN start_events e
             ON e.scope = j.value ->> 0 AND e.value = j.value ->> 2
         WHERE e.label_key IS j.value ->> 1
         ORDER BY e.id",
    )
    .bind(scopes)
    .fetch_all(tx)
    .await
    .map_err(during("reading the events of a file"))?;
    rows.into_iter().map(events::event).collect()
}
