//! How the ledger stands: its size, the room beside it, the last success of each policy.

use async_trait::async_trait;
use sqlx::PgConnection;

use super::fault::during;
use super::rows::timestamp;
use super::{PostgresLedger, stats};
use crate::ledger::{LedgerError, Space, Standing};
use crate::model::{PolicyName, Timestamp};

#[async_trait]
impl Standing for PostgresLedger {
    async fn space(&self) -> Result<Space, LedgerError> {
        let ledger_bytes = self.read_one(|tx| Box::pin(stats::bytes(tx))).await?;
        // The server does not say what is left on its disks: this is what this host has left for what it keeps.
        let volume = rustix::fs::statvfs(self.beside.parent().unwrap_or(&self.beside)).map_err(|error| {
            LedgerError::NotWritable {
                problem: format!("{}: {error}", self.beside.display()),
            }
        })?;
        Ok(Space {
            ledger_bytes,
            free_bytes: volume.f_bavail.saturating_mul(volume.f_frsize),
        })
    }

    async fn last_done(&self, policy: &PolicyName) -> Result<Option<Timestamp>, LedgerError> {
        let policy = policy.clone();
        self.read_one(move |tx| Box::pin(async move { last_done(tx, &policy).await }))
            .await
    }
}

async fn last_done(tx: &mut PgConnection, policy: &PolicyName) -> Result<Option<Timestamp>, LedgerError> {
    let ended: Option<(i64,)> = sqlx::query_as(
        "SELECT ended_at
         FROM sweeps
         WHERE policy = (SELECT id FROM policies WHERE name = $1)
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
