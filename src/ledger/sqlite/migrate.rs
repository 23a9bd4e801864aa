//! The schema: made, recognised, migrated. `application_id` says whose file it is, `user_version`
//! which schema it has; both lie in the header and change with the migration's own transaction.

use std::io::Read;
use std::path::{Path, PathBuf};

use sqlx::{Connection, SqliteConnection};

use super::LedgerError;
use super::checksum;
use super::fault::{conflict, during};
use super::open::{connect, looking, making};
use crate::ledger::copy::UNFINISHED_COPY;

/// `RtNd`.
const APPLICATION_ID: i64 = 0x5274_4e64;

/// `RtNc`: a copy that is not whole yet (`copying`).
const COPYING_ID: i64 = 0x5274_4e63;

/// What makes a new ledger one that is being filled; the row says what it is a copy of.
const BEGIN_COPYING: &str = "CREATE TABLE copying (
         one      INTEGER PRIMARY KEY CHECK (one = 1),
         ledger   TEXT NOT NULL,
         sequence INTEGER NOT NULL
     ) STRICT;
     PRAGMA application_id = 1383353955";
/// And what makes it a ledger.
pub(super) const END_COPYING: &str = "DROP TABLE copying;
     PRAGMA application_id = 1383353956";

/// Each ends with its own `PRAGMA user_version`: entry `n` leads from version `n` to `n + 1`.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/sqlite/0001_ledger.sql"),
    include_str!("../../../migrations/sqlite/0002_uploads.sql"),
    include_str!("../../../migrations/sqlite/0003_events.sql"),
    include_str!("../../../migrations/sqlite/0004_erasures.sql"),
    include_str!("../../../migrations/sqlite/0005_rule_changes.sql"),
    include_str!("../../../migrations/sqlite/0006_plan_contract.sql"),
    include_str!("../../../migrations/sqlite/0007_past.sql"),
    include_str!("../../../migrations/sqlite/0008_evidence.sql"),
    include_str!("../../../migrations/sqlite/0009_redaction.sql"),
    include_str!("../../../migrations/sqlite/0010_peers.sql"),
    include_str!("../../../migrations/sqlite/0011_hosts.sql"),
    include_str!("../../../migrations/sqlite/0012_accounts.sql"),
];

/// What lies at a path before anything is touched.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Ledger {
        version: i64,
    },
    /// A copy that is not whole.
    Copying,
    Foreign {
        problem: &'static str,
    },
}

impl Found {
    pub(super) async fn at(path: &Path) -> Result<Self, LedgerError> {
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => {
                return Ok(Self::Foreign {
                    problem: "it is not a file; give the path of a ledger",
                });
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::Nothing),
            Err(error) => {
                return Err(LedgerError::NotWritable {
                    problem: format!("{}: {error}", path.display()),
                });
            }
        }
        match Head::of(path) {
            // The common case, without a connection, which would leave side files behind.
            Head::Whole {
                application: APPLICATION_ID,
                version,
            } => return Ok(Self::Ledger { version }),
            Head::Whole {
                application: COPYING_ID,
                ..
            } => return Ok(Self::Copying),
            Head::NotSqlite | Head::Whole { .. } | Head::Unclear if was_empty_before_its_journal(path) => {
                return Ok(Self::Nothing);
            }
            // SQLite itself finds out only at the first page it reads, and calls a foreign file damaged.
            Head::NotSqlite => {
                return Ok(Self::Foreign {
                    problem: "it is no SQLite database; give another path",
                });
            }
            Head::Whole { .. } | Head::Unclear => {}
        }
        let mut connection = connect(&looking(path)).await?;
        let found = Self::by_header(&mut connection).await;
        // A connection that only read has nothing to lose in closing.
        let _ = connection.close().await;
        found
    }

    async fn by_header(connection: &mut SqliteConnection) -> Result<Self, LedgerError> {
        // One statement, one snapshot: read one by one, a ledger that another process makes just now
        // would look like a foreign file.
        let (application, version, tables): (i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT application_id FROM pragma_application_id),
                    (SELECT user_version FROM pragma_user_version),
                    (SELECT count(*) FROM sqlite_schema)",
        )
        .fetch_one(connection)
        .await
        .map_err(during("reading the ledger's header"))?;
        Ok(match (application, version, tables) {
            (APPLICATION_ID, version, _) => Self::Ledger { version },
            (COPYING_ID, _, _) => Self::Copying,
            // What an interrupted first start leaves behind.
            (0, 0, 0) => Self::Nothing,
            _ => Self::Foreign {
                problem: "it is another program's database; give another path",
            },
        })
    }

    pub(super) fn ready_to_read(&self, path: &Path) -> Result<(), LedgerError> {
        let known = latest(MIGRATIONS);
        match self {
            Self::Nothing => Err(LedgerError::Missing {
                path: path.display().to_string(),
            }),
            Self::Ledger { version } if *version == known => Ok(()),
            Self::Ledger { version } if *version < known => Err(not_ours(
                path,
                &format!(
                    "its schema is version {version}, this program reads {known}: \
                     any command that writes, such as `retentiond daemon`, migrates it"
                ),
            )),
            Self::Ledger { version } => Err(newer(path, *version, known)),
            Self::Copying => Err(not_ours(path, UNFINISHED_COPY)),
            Self::Foreign { problem } => Err(not_ours(path, problem)),
        }
    }
}

/// Brings the file to the last of `migrations`, in one transaction.
pub(super) async fn migrate(
    path: &Path,
    found: &Found,
    migrations: &'static [&'static str],
) -> Result<(), LedgerError> {
    let known = latest(migrations);
    match found {
        Found::Foreign { problem } => return Err(not_ours(path, problem)),
        Found::Copying => return Err(not_ours(path, UNFINISHED_COPY)),
        Found::Ledger { version } if *version > known => return Err(newer(path, *version, known)),
        Found::Ledger { version } if *version == known => return Ok(()),
        Found::Nothing | Found::Ledger { .. } => {}
    }
    let mut connection = connect(&making(path)).await?;
    let done = upgrade(&mut connection, path, migrations, None).await;
    let closed = connection
        .close()
        .await
        .map_err(during("closing after the migration"));
    done.and(closed)
}

async fn upgrade(
    connection: &mut SqliteConnection,
    path: &Path,
    migrations: &'static [&'static str],
    then: Option<&'static str>,
) -> Result<(), LedgerError> {
    let context = "migrating the ledger";
    match Found::by_header(connection).await? {
        Found::Ledger { version } if version < latest(migrations) && then.is_none() => {
            back_up(connection, path, version).await?;
        }
        Found::Ledger { .. } if then.is_some() => return Err(newly_there(path)),
        // Another process was quicker.
        Found::Ledger { .. } => return Ok(()),
        Found::Copying => return Err(not_ours(path, UNFINISHED_COPY)),
        Found::Foreign { problem } => return Err(not_ours(path, problem)),
        Found::Nothing => {
            // The next statement writes the first page, straight into the file: whoever opens it from
            // then on sees in its header that pages have checksums.
            checksum::reserve(connection).await?;
            sqlx::query("PRAGMA journal_mode = WAL")
                .execute(&mut *connection)
                .await
                .map_err(during(context))?;
        }
    }
    // A table that others refer to is made anew in a migration; outside of a transaction, or it has no effect.
    sqlx::query("PRAGMA foreign_keys = OFF")
        .execute(&mut *connection)
        .await
        .map_err(during(context))?;
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut *connection)
        .await
        .map_err(during(context))?;
    // Asked again under the write lock.
    let from = match Found::by_header(connection).await? {
        Found::Nothing => 0,
        Found::Ledger { .. } if then.is_some() => return Err(newly_there(path)),
        Found::Ledger { version } => version,
        Found::Copying => return Err(not_ours(path, UNFINISHED_COPY)),
        Found::Foreign { problem } => return Err(not_ours(path, problem)),
    };
    let steps = migrations.iter().skip(usize::try_from(from).unwrap_or(0));
    for step in steps.chain(then.as_ref()) {
        sqlx::raw_sql(*step)
            .execute(&mut *connection)
            .await
            .map_err(during(context))?;
    }
    sqlx::query("COMMIT")
        .execute(&mut *connection)
        .await
        .map_err(during(context))?;
    Ok(())
}

/// Makes a file that a copy is to fill. Nothing but a copy opens it before it is whole.
pub(super) async fn make_copying(path: &Path) -> Result<(), LedgerError> {
    let mut connection = connect(&making(path)).await?;
    let done = upgrade(&mut connection, path, MIGRATIONS, Some(BEGIN_COPYING)).await;
    let closed = connection
        .close()
        .await
        .map_err(during("closing after the migration"));
    done.and(closed)
}

/// A copy of the ledger as the old version left it. One that is there already is from an interrupted
/// migration of the same version, and as good.
async fn back_up(connection: &mut SqliteConnection, path: &Path, version: i64) -> Result<(), LedgerError> {
    let target = backup_path(path, version);
    if target.exists() {
        return Ok(());
    }
    super::stats::copy_to(connection, &target).await
}

fn backup_path(path: &Path, version: i64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".v{version}.bak"));
    PathBuf::from(name)
}

fn latest(migrations: &[&str]) -> i64 {
    i64::try_from(migrations.len()).expect("a handful of migrations")
}

/// Whether the first transaction ever was cut short: SQLite takes it back as soon as somebody may write,
/// and then nothing is there. A reader can neither do that nor look past it.
/// The journal: <https://www.sqlite.org/fileformat2.html#the_rollback_journal>.
fn was_empty_before_its_journal(path: &Path) -> bool {
    const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    let mut name = path.as_os_str().to_owned();
    name.push("-journal");
    let mut head = [0; 20];
    let read = std::fs::File::open(name).and_then(|mut file| file.read_exact(&mut head));
    // Eight bytes of magic, the pages in the journal, a nonce, the pages of the database before.
    read.is_ok() && head[..8] == MAGIC && head[16..] == [0; 4]
}

/// The first bytes of a file: <https://www.sqlite.org/fileformat2.html#the_database_header>.
#[derive(Debug)]
enum Head {
    NotSqlite,
    /// Nothing newer can lie in a write-ahead log.
    Whole {
        application: i64,
        version: i64,
    },
    /// Empty, unreadable, or with a log beside it: SQLite knows.
    Unclear,
}

impl Head {
    fn of(path: &Path) -> Self {
        let mut head = Vec::with_capacity(100);
        let read = std::fs::File::open(path).and_then(|file| file.take(100).read_to_end(&mut head));
        if read.is_err() || head.is_empty() {
            return Self::Unclear;
        }
        if !head.starts_with(b"SQLite format 3\0") {
            return Self::NotSqlite;
        }
        let number = |at: usize| {
            let bytes = head.get(at..at + 4)?;
            Some(i64::from(u32::from_be_bytes(bytes.try_into().ok()?)))
        };
        match (number(68), number(60)) {
            (Some(application), Some(version)) if !super::stats::wal_path(path).exists() => {
                Self::Whole { application, version }
            }
            _ => Self::Unclear,
        }
    }
}

fn not_ours(path: &Path, problem: &str) -> LedgerError {
    LedgerError::NotOurs {
        path: path.display().to_string(),
        problem: problem.to_owned(),
    }
}

fn newly_there(path: &Path) -> LedgerError {
    conflict(path.display().to_string(), "a ledger was made there just now")
}

fn newer(path: &Path, version: i64, known: i64) -> LedgerError {
    not_ours(
        path,
        &format!(
            "its schema is version {version}, made by a newer retentiond; this one knows {known}: \
             install the newer one again, or restore a backup (nothing was changed)"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[&str] = &[MIGRATIONS[0]];
    const TWO: &[&str] = &[
        MIGRATIONS[0],
        "CREATE TABLE later (x INTEGER) STRICT; PRAGMA user_version = 2;",
    ];
    const BROKEN: &[&str] = &[
        MIGRATIONS[0],
        "CREATE TABLE later (x INTEGER) STRICT; INSERT INTO nowhere VALUES (1); PRAGMA user_version = 2;",
    ];

    #[tokio::test]
    async fn an_older_ledger_is_copied_before_it_is_migrated() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        migrate(&path, &Found::at(&path).await.unwrap(), ONE)
            .await
            .unwrap();
        let found = Found::at(&path).await.unwrap();
        assert_eq!(found, Found::Ledger { version: 1 });

        migrate(&path, &found, TWO).await.unwrap();
        assert_eq!(Found::at(&path).await.unwrap(), Found::Ledger { version: 2 });
        let copy = backup_path(&path, 1);
        assert_eq!(Found::at(&copy).await.unwrap(), Found::Ledger { version: 1 });
    }

    #[tokio::test]
    async fn a_migration_that_fails_leaves_the_old_version() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        migrate(&path, &Found::Nothing, ONE).await.unwrap();
        let found = Found::at(&path).await.unwrap();
        migrate(&path, &found, BROKEN).await.unwrap_err();
        assert_eq!(Found::at(&path).await.unwrap(), found);
        migrate(&path, &found, TWO).await.unwrap();
        assert_eq!(Found::at(&path).await.unwrap(), Found::Ledger { version: 2 });
    }

    #[tokio::test]
    async fn an_older_ledger_is_not_migrated_by_reading_it() {
        let older = Found::Ledger { version: 0 };
        let problem = older.ready_to_read(Path::new("x.db")).unwrap_err().to_string();
        assert!(problem.contains("migrates it"), "{problem}");
    }
}
