//! The schema: made, recognised, migrated, all in one transaction under a lock that no other process passes.

use sqlx::PgConnection;

use super::LedgerError;
use super::fault::{conflict, during};
use super::right::alone;
use crate::ledger::copy::UNFINISHED_COPY;

/// `RtNd`: the number of the lock that a migration holds.
const MIGRATION_LOCK: i64 = 0x5274_4e64;

/// What makes a new schema one that is being filled; the row says what it is a copy of.
const BEGIN_COPYING: &str = "CREATE TABLE copying (
         one      BIGINT PRIMARY KEY CHECK (one = 1),
         ledger   TEXT NOT NULL,
         sequence BIGINT NOT NULL
     )";

/// Each ends with its own version: entry `n` leads from version `n` to `n + 1`.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/postgres/0001_ledger.sql"),
    include_str!("../../../migrations/postgres/0002_uploads.sql"),
    include_str!("../../../migrations/postgres/0003_events.sql"),
    include_str!("../../../migrations/postgres/0004_erasures.sql"),
    include_str!("../../../migrations/postgres/0005_rule_changes.sql"),
    include_str!("../../../migrations/postgres/0006_plan_contract.sql"),
    include_str!("../../../migrations/postgres/0007_past.sql"),
    include_str!("../../../migrations/postgres/0008_evidence.sql"),
    include_str!("../../../migrations/postgres/0009_redaction.sql"),
    include_str!("../../../migrations/postgres/0010_peers.sql"),
    include_str!("../../../migrations/postgres/0011_hosts.sql"),
    include_str!("../../../migrations/postgres/0012_accounts.sql"),
];

/// What lies in the schema `retentiond` before anything is touched.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing; whether the schema itself is there.
    Nothing {
        schema: bool,
    },
    Ledger {
        version: i64,
    },
    /// A copy that is not whole.
    Copying,
    Foreign,
}

impl Found {
    pub(super) async fn at(connection: &mut PgConnection) -> Result<Self, LedgerError> {
        let context = "looking for the ledger";
        let (schema, ours, copying, things): (bool, bool, bool, bool) = sqlx::query_as(
            "SELECT to_regnamespace('retentiond') IS NOT NULL,
                    to_regclass('retentiond.retentiond_schema') IS NOT NULL,
                    to_regclass('retentiond.copying') IS NOT NULL,
                    EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = to_regnamespace('retentiond'))",
        )
        .fetch_one(&mut *connection)
        .await
        .map_err(during(context))?;
        match (ours, things) {
            (true, _) if copying => Ok(Self::Copying),
            (true, _) => {
                let version = sqlx::query_scalar("SELECT version FROM retentiond_schema")
                    .fetch_one(connection)
                    .await
                    .map_err(during(context))?;
                Ok(Self::Ledger { version })
            }
            (false, true) => Ok(Self::Foreign),
            (false, false) => Ok(Self::Nothing { schema }),
        }
    }

    pub(super) fn ready_to_read(&self, name: &str) -> Result<(), LedgerError> {
        let known = latest(MIGRATIONS);
        match self {
            Self::Nothing { .. } => Err(LedgerError::Missing {
                path: name.to_owned(),
            }),
            Self::Ledger { version } if *version == known => Ok(()),
            Self::Ledger { version } if *version < known => Err(not_ours(
                name,
                &format!(
                    "its schema is version {version}, this program reads {known}: \
                     any command that writes, such as `retentiond daemon`, migrates it"
                ),
            )),
            Self::Ledger { version } => Err(newer(name, *version, known)),
            Self::Copying => Err(not_ours(name, UNFINISHED_COPY)),
            Self::Foreign => Err(foreign(name)),
        }
    }
}

/// Brings the schema to the last of `migrations`.
pub(super) async fn migrate(
    connection: &mut PgConnection,
    name: &str,
    found: &Found,
    migrations: &'static [&'static str],
) -> Result<(), LedgerError> {
    let known = latest(migrations);
    match found {
        Found::Foreign => return Err(foreign(name)),
        Found::Copying => return Err(not_ours(name, UNFINISHED_COPY)),
        Found::Ledger { version } if *version > known => return Err(newer(name, *version, known)),
        Found::Ledger { version } if *version == known => return Ok(()),
        Found::Nothing { .. } | Found::Ledger { .. } => {}
    }
    carried_out(connection, name, migrations, None).await
}

/// Makes a schema that a copy is to fill. Nothing but a copy opens it before it is whole.
pub(super) async fn make_copying(connection: &mut PgConnection, name: &str) -> Result<(), LedgerError> {
    carried_out(connection, name, MIGRATIONS, Some(BEGIN_COPYING)).await
}

async fn carried_out(
    connection: &mut PgConnection,
    name: &str,
    migrations: &'static [&'static str],
    then: Option<&'static str>,
) -> Result<(), LedgerError> {
    let done = upgrade(connection, name, migrations, then).await;
    if done.is_err() {
        // A connection that is gone has rolled back by itself.
        let _ = sqlx::raw_sql("ROLLBACK").execute(connection).await;
    }
    done
}

async fn upgrade(
    connection: &mut PgConnection,
    name: &str,
    migrations: &'static [&'static str],
    then: Option<&'static str>,
) -> Result<(), LedgerError> {
    let context = "migrating the ledger";
    // Whoever migrates may take longer than a write does.
    sqlx::raw_sql("BEGIN; SET LOCAL lock_timeout = '5min'; SET LOCAL statement_timeout = 0")
        .execute(&mut *connection)
        .await
        .map_err(during(context))?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(MIGRATION_LOCK)
        .execute(&mut *connection)
        .await
        .map_err(during(context))?;
    // Asked again under the lock.
    let from = match Found::at(connection).await? {
        Found::Foreign => return Err(foreign(name)),
        Found::Copying => return Err(not_ours(name, UNFINISHED_COPY)),
        Found::Ledger { .. } if then.is_some() => {
            return Err(conflict(name, "a ledger was made there just now"));
        }
        // Another has done it meanwhile.
        Found::Ledger { version } if version == latest(migrations) => version,
        Found::Ledger { version } => {
            // Whoever deletes goes by the schema that it has opened.
            alone(connection, name).await?;
            version
        }
        Found::Nothing { schema: true } => 0,
        Found::Nothing { schema: false } => {
            sqlx::raw_sql("CREATE SCHEMA retentiond")
                .execute(&mut *connection)
                .await
                .map_err(during(context))?;
            0
        }
    };
    let steps = migrations.iter().skip(usize::try_from(from).unwrap_or(0));
    for step in steps.chain(then.as_ref()) {
        sqlx::raw_sql(*step)
            .execute(&mut *connection)
            .await
            .map_err(during(context))?;
    }
    sqlx::raw_sql("COMMIT")
        .execute(&mut *connection)
        .await
        .map_err(during(context))?;
    Ok(())
}

fn latest(migrations: &[&str]) -> i64 {
    i64::try_from(migrations.len()).expect("a handful of migrations")
}

fn not_ours(name: &str, problem: &str) -> LedgerError {
    LedgerError::NotOurs {
        path: name.to_owned(),
        problem: problem.to_owned(),
    }
}

fn foreign(name: &str) -> LedgerError {
    not_ours(
        name,
        "its schema `retentiond` is another program's; give another database",
    )
}

fn newer(name: &str, version: i64, known: i64) -> LedgerError {
    not_ours(
        name,
        &format!(
            "its schema is version {version}, made by a newer retentiond; this one knows {known}: \
             install the newer one again, or restore a backup (nothing was changed)"
        ),
    )
}
