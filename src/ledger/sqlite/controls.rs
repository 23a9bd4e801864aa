//! Breakers, the pause, small settings; holds and the clock have files of their own.

use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::fault::{damaged, during};
use super::leaves::{self, Sealing};
use super::{SqliteLedger, clock, holds, lineage};
use crate::evidence::Fact;
use crate::ledger::common::controls::{anomaly, breaker, mark as mark_of, pause as paused};
use crate::ledger::common::values::account_text;
use crate::ledger::{Barriers, Controls, LedgerError, Placed};
use crate::model::{
    AccountName, Breaker, BreakerKind, ClockAnomaly, ClockMark, Hold, HoldId, NewHold, Pause, Timestamp,
    breaker_name,
};
use crate::rules::policy::RuleDigest;

#[async_trait]
impl Controls for SqliteLedger {
    async fn add_hold(&self, hold: &NewHold, at: Timestamp) -> Result<Placed, LedgerError> {
        let hold = hold.clone();
        self.write(move |tx| Box::pin(async move { holds::add(tx, &hold, at).await }))
            .await
    }

    async fn release_hold(
        &self,
        id: HoldId,
        reason: &str,
        at: Timestamp,
        ends_at: Timestamp,
    ) -> Result<(), LedgerError> {
        let reason = reason.to_owned();
        self.write(move |tx| Box::pin(async move { holds::release(tx, id, &reason, at, ends_at).await }))
            .await
    }

    async fn tidy(&self) -> Result<(), LedgerError> {
        self.checkpoint().await
    }

    async fn holds(&self, active_at: Option<Timestamp>) -> Result<Vec<Hold>, LedgerError> {
        self.read_one(move |tx| {
            Box::pin(async move {
                match active_at {
                    Some(at) => holds::active(tx, at).await,
                    None => holds::all(tx).await,
                }
            })
        })
        .await
    }

    async fn open_breaker_of(
        &self,
        kind: BreakerKind,
        account: Option<&AccountName>,
        reason: &str,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        let (account, reason) = (account.cloned(), reason.to_owned());
        self.write(move |tx| {
            Box::pin(async move { open_breaker(tx, kind, account.as_ref(), &reason, at).await })
        })
        .await
    }

    async fn close_breaker_of(
        &self,
        kind: BreakerKind,
        account: Option<&AccountName>,
        by: &str,
        at: Timestamp,
    ) -> Result<bool, LedgerError> {
        // A sweep that went well closes those that it disproves: as a rule none is open.
        let is_meant = |open: &Breaker| open.kind == kind && open.account.as_ref() == account;
        if !self.breakers().await?.iter().any(is_meant) {
            return Ok(false);
        }
        let (account, by) = (account.cloned(), by.to_owned());
        self.write(move |tx| {
            Box::pin(async move { close_breaker(tx, kind, account.as_ref(), &by, at).await })
        })
        .await
    }

    async fn breakers(&self) -> Result<Vec<Breaker>, LedgerError> {
        self.read_one(move |tx| Box::pin(breakers(tx))).await
    }

    async fn set_pause(&self, pause: Option<&Pause>, at: Timestamp) -> Result<(), LedgerError> {
        let pause = pause.cloned();
        self.write(move |tx| Box::pin(async move { set_pause(tx, pause.as_ref(), at).await }))
            .await
    }

    async fn pause(&self) -> Result<Option<Pause>, LedgerError> {
        self.read_one(move |tx| Box::pin(pause(tx))).await
    }

    async fn clock_mark(&self) -> Result<Option<(ClockMark, Timestamp)>, LedgerError> {
        self.read_one(move |tx| Box::pin(clock::mark(tx))).await
    }

    async fn set_clock_mark(&self, mark: &ClockMark) -> Result<(), LedgerError> {
        let mark = mark.clone();
        self.write(move |tx| Box::pin(async move { clock::set_mark(tx, &mark).await }))
            .await
    }

    async fn reset_high_water(&self, mark: &ClockMark) -> Result<(), LedgerError> {
        let mark = mark.clone();
        self.write(move |tx| Box::pin(async move { clock::reset_high_water(tx, &mark).await }))
            .await
    }

    async fn add_anomaly(&self, anomaly: &ClockAnomaly) -> Result<bool, LedgerError> {
        let anomaly = anomaly.clone();
        self.write(move |tx| Box::pin(async move { clock::add_anomaly(tx, &anomaly).await }))
            .await
    }

    async fn resolve_anomalies(&self, at: Timestamp) -> Result<(), LedgerError> {
        self.write(move |tx| Box::pin(clock::resolve_anomalies(tx, at)))
            .await
    }

    async fn anomalies(&self) -> Result<(u64, Vec<ClockAnomaly>), LedgerError> {
        self.read_one(move |tx| Box::pin(clock::anomalies(tx))).await
    }

    async fn barriers(&self) -> Result<Barriers, LedgerError> {
        self.read_one(|tx| Box::pin(barriers(tx))).await
    }

    async fn rollback(&self) -> Result<Option<String>, LedgerError> {
        lineage::rollback(self).await
    }

    async fn closed(&self) -> Result<Option<String>, LedgerError> {
        Ok(lineage::closed(self).await?.map(|closed| closed.sentence()))
    }

    async fn accept_lineage(&self, at: Timestamp) -> Result<(), LedgerError> {
        lineage::accept(self, at).await
    }

    async fn setting(&self, name: &str) -> Result<Option<String>, LedgerError> {
        let name = name.to_owned();
        self.read_one(move |tx| Box::pin(async move { setting(tx, &name).await }))
            .await
    }

    async fn set_setting(&self, name: &str, value: Option<&str>) -> Result<(), LedgerError> {
        let (name, value) = (name.to_owned(), value.map(str::to_owned));
        self.write(move |tx| Box::pin(async move { set_setting(tx, &name, value.as_deref()).await }))
            .await
    }
}

pub(super) async fn open_breaker(
    tx: &mut SqliteConnection,
    kind: BreakerKind,
    account: Option<&AccountName>,
    reason: &str,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let done = sqlx::query(
        "INSERT INTO breakers (kind, opened_at, reason, account)
         VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO NOTHING -- one that is open keeps its first reason",
    )
    .bind(kind.name())
    .bind(at.as_millis())
    .bind(reason)
    .bind(account_text(account))
    .execute(&mut *tx)
    .await
    .map_err(during("opening a breaker"))?;
    if done.rows_affected() == 0 {
        return Ok(());
    }
    let mut sealing = Sealing::new()?;
    let fact = Fact::BreakerOpened {
        breaker: breaker_name(kind, account),
        reason: sealing.text("reason", reason),
    };
    leaves::append_sealed(tx, at, fact, sealing).await
}

pub(super) async fn close_breaker(
    tx: &mut SqliteConnection,
    kind: BreakerKind,
    account: Option<&AccountName>,
    by: &str,
    at: Timestamp,
) -> Result<bool, LedgerError> {
    let done = sqlx::query(
        "UPDATE breakers
         SET closed_at = ?3, closed_by = ?2
         WHERE kind = ?1 AND account = ?4 AND closed_at IS NULL",
    )
    .bind(kind.name())
    .bind(by)
    .bind(at.as_millis())
    .bind(account_text(account))
    .execute(&mut *tx)
    .await
    .map_err(during("closing a breaker"))?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let mut sealing = Sealing::new()?;
    let fact = Fact::BreakerClosed {
        breaker: breaker_name(kind, account),
        by: sealing.text("by", by),
    };
    leaves::append_sealed(tx, at, fact, sealing).await?;
    Ok(true)
}

pub(super) async fn breakers(tx: &mut SqliteConnection) -> Result<Vec<Breaker>, LedgerError> {
    let rows: Vec<(String, i64, String, String)> = sqlx::query_as(
        "SELECT kind, opened_at, reason, account
         FROM breakers
         WHERE closed_at IS NULL
         ORDER BY opened_at, id",
    )
    .fetch_all(tx)
    .await
    .map_err(during("reading breakers"))?;
    rows.into_iter().map(breaker).collect()
}

pub(super) async fn set_pause(
    tx: &mut SqliteConnection,
    pause: Option<&Pause>,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let context = "setting the pause";
    let cleared = sqlx::query(
        "UPDATE pauses
         SET cleared_at = ?1
         WHERE cleared_at IS NULL",
    )
    .bind(at.as_millis())
    .execute(&mut *tx)
    .await
    .map_err(during(context))?;
    let Some(pause) = pause else {
        return match cleared.rows_affected() {
            0 => Ok(()),
            _ => leaves::append(tx, at, Fact::Resume {}).await,
        };
    };
    sqlx::query(
        "INSERT INTO pauses (since, until, reason)
         VALUES (?1, ?2, ?3)",
    )
    .bind(pause.since.as_millis())
    .bind(pause.until.as_millis())
    .bind(&pause.reason)
    .execute(&mut *tx)
    .await
    .map_err(during(context))?;
    let mut sealing = Sealing::new()?;
    let fact = Fact::Pause {
        until: pause.until.as_millis(),
        reason: sealing.text("reason", &pause.reason),
    };
    leaves::append_sealed(tx, at, fact, sealing).await
}

pub(super) async fn pause(tx: &mut SqliteConnection) -> Result<Option<Pause>, LedgerError> {
    let row: Option<(i64, i64, String)> = sqlx::query_as(
        "SELECT since, until, reason
         FROM pauses
         WHERE cleared_at IS NULL",
    )
    .fetch_optional(tx)
    .await
    .map_err(during("reading the pause"))?;
    row.map(paused).transpose()
}

/// One value a kind: row by row through sqlx's channel the questions would cost more than their answers.
async fn barriers(tx: &mut SqliteConnection) -> Result<Barriers, LedgerError> {
    let context = "reading what stops deletion";
    type Found = (
        String,
        Option<String>,
        String,
        Option<String>,
        String,
        Option<String>,
    );
    let found: Found = sqlx::query_as(
        "SELECT (SELECT json_group_array(json_array(kind, opened_at, reason, account) ORDER BY opened_at, id)
                 FROM breakers
                 WHERE closed_at IS NULL),
                (SELECT json_array(since, until, reason)
                 FROM pauses
                 WHERE cleared_at IS NULL),
                (SELECT json_group_array(json_array(identity, seen_at, skew_ms, resolved_at) ORDER BY id)
                 FROM anomalies
                 WHERE resolved_at IS NULL),
                (SELECT json_array(wall, boottime_ms, boot_id, high_water)
                 FROM clock),
                (SELECT json_group_object(name, value)
                 FROM settings
                 WHERE name >= 'a' -- those of named accounts, which may be many, begin with @
                ),
                (SELECT s.digest
                 FROM rule_adoptions a
                 JOIN rule_sets s ON s.id = a.rule_set
                 ORDER BY a.id DESC
                 LIMIT 1)",
    )
    .fetch_one(tx)
    .await
    .map_err(during(context))?;
    let (breakers, pause, anomalies, mark, settings, rules) = found;
    let garbled = |error: serde_json::Error| damaged(format!("{context}: {error}"));
    let breakers: Vec<_> = serde_json::from_str(&breakers).map_err(garbled)?;
    let pause: Option<_> = pause
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(garbled)?;
    let anomalies: Vec<_> = serde_json::from_str(&anomalies).map_err(garbled)?;
    let mark: Option<_> = mark
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(garbled)?;
    Ok(Barriers {
        breakers: breakers.into_iter().map(breaker).collect::<Result<_, _>>()?,
        pause: pause.map(paused).transpose()?,
        anomalies: anomalies.into_iter().map(anomaly).collect::<Result<_, _>>()?,
        clock: mark.map(mark_of).transpose()?,
        settings: serde_json::from_str(&settings).map_err(garbled)?,
        rules: rules.map(RuleDigest),
    })
}

pub(super) async fn setting(tx: &mut SqliteConnection, name: &str) -> Result<Option<String>, LedgerError> {
    sqlx::query_scalar(
        "SELECT value
         FROM settings
         WHERE name = ?1",
    )
    .bind(name)
    .fetch_optional(tx)
    .await
    .map_err(during("reading a setting"))
}

pub(super) async fn set_setting(
    tx: &mut SqliteConnection,
    name: &str,
    value: Option<&str>,
) -> Result<(), LedgerError> {
    let statement = match value {
        Some(value) => sqlx::query(
            "INSERT INTO settings (name, value)
             VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(name)
        .bind(value),
        None => sqlx::query(
            "DELETE FROM settings
             WHERE name = ?1",
        )
        .bind(name),
    };
    statement.execute(tx).await.map_err(during("keeping a setting"))?;
    Ok(())
}
