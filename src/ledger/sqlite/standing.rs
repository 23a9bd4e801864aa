//! How the ledger stands: its size, the room beside it, the last success of each policy.

use std::path::Path;

use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::SqliteLedger;
use super::fault::during;
use super::rows::timestamp;
use super::stats::wal_path;
use crate::ledger::{LedgerError, Space, Standing};
use crate::model::{PolicyName, Timestamp};

#[async_trait]
impl Standing for SqliteLedger {
    async fn space(&self) -> Result<Space, LedgerError> {
        space(self.path()).map_err(|error| LedgerError::NotWritable {
            problem: format!("{}: {error}", self.path().display()),
        })
    }

    async fn last_done(&self, policy: &PolicyName) -> Result<Option<Timestamp>, LedgerError> {
        let policy = policy.clone();
        self.read_one(move |tx| Box::pin(async move { last_done(tx, &policy).await }))
            .await
    }
}

fn space(path: &Path) -> std::io::Result<Space> {
    let log = std::fs::metadata(wal_path(path)).map_or(0, |metadata| metadata.len());
    let volume = rustix::fs::statvfs(path)?;
    Ok(Space {
        ledger_bytes: std::fs::metadata(path)?.len() + log,
        free_bytes: volume.f_bavail.saturating_mul(volume.f_frsize),
    })
}

async fn last_done(tx: &mut SqliteConnection, policy: &PolicyName) -> Result<Option<Timestamp>, LedgerError> {
    let ended: Option<(i64,)> = sqlx::query_as(
        "SELECT ended_at
         FROM sweeps
         WHERE policy = (SELECT id FROM policies WHERE name = ?1)
           AND state = 'done'
         -- Along sweeps_by_policy from its end: the first that fits is the last that was done.
         ORDER BY id DESC
         LIMIT 1",
    )
    .bind(policy.as_str())
    .fetch_optional(tx)
    .await
    .map_err(during("reading the last success"))?;
    ended.map(|(at,)| timestamp(at)).transpose()
}
