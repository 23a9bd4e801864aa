//! Opening: is it ours, is SQLite new enough, is the schema the one that this program knows?
//!
//! The questions are put on a read-only connection, so that a file that is refused keeps every byte.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::fault::{damaged, during};
use super::{Identity, LedgerError, Slot, SqliteLedger, checksum, lineage, migrate, planner};
use crate::ledger::anchor::Anchor;
use crate::ledger::checkpoints::CheckpointFile;

/// Before 3.51.3 two connections that write and checkpoint at once can corrupt a WAL database.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);
/// How long to wait for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait where SQLite itself does not.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// How a ledger is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Reads only; makes and migrates nothing.
    ReadOnly,
    /// Reads and writes; makes the ledger where there is none, and migrates an older one (after a
    /// backup to `<ledger>.v<old>.bak`).
    ReadWrite,
}

impl SqliteLedger {
    /// Opens the ledger at `url_or_path`: `sqlite:PATH`, `sqlite://PATH` or a path.
    ///
    /// # Errors
    /// `Missing` when there is none and `mode` only reads; `NotOurs` for another program's file, a
    /// newer schema, or an older one that may not be migrated (every byte of it is kept);
    /// `NotWritable`, `Busy` and `Damaged` as SQLite says.
    pub async fn open(url_or_path: &str, mode: OpenMode) -> Result<Self, LedgerError> {
        let path = path_of(url_or_path)?;
        let until = Instant::now() + BUSY_TIMEOUT;
        loop {
            match Self::open_once(path.clone(), mode).await {
                // Turning on WAL does not wait for another process that does the same, it fails.
                Err(LedgerError::Busy) if Instant::now() < until => tokio::time::sleep(BUSY_PAUSE).await,
                done => return done,
            }
        }
    }

    async fn open_once(path: PathBuf, mode: OpenMode) -> Result<Self, LedgerError> {
        let found = migrate::Found::at(&path).await?;
        match mode {
            OpenMode::ReadOnly => found.ready_to_read(&path)?,
            OpenMode::ReadWrite => migrate::migrate(&path, &found, migrate::MIGRATIONS).await?,
        }
        let writer = match mode {
            OpenMode::ReadOnly => None,
            OpenMode::ReadWrite => Some(slot(checked(&writing(&path)).await?)),
        };
        // The second reader is opened when both are wanted at once: most commands never do.
        let readers = [slot(checked(&reading(&path)).await?), Slot::default()];
        let mut ledger = Self {
            log: None,
            anchor: Anchor::beside(&path),
            checkpoints: CheckpointFile::beside(&path),
            identity: identity(&path).map_err(|error| LedgerError::NotWritable {
                problem: format!("{}: {error}", path.display()),
            })?,
            path,
            writer,
            readers,
            turn: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            failed: Arc::new(OnceLock::new()),
        };
        if mode == OpenMode::ReadWrite {
            // One that was copied elsewhere is read at most.
            if let Some(closed) = lineage::closed(&ledger).await? {
                return Err(closed.refusal(&ledger.path.display().to_string()));
            }
            // Before anything is written that could hide it. Whoever deletes asks again, and fails if
            // this fails; a hold must be possible all the same.
            if let Err(error) = lineage::rollback(&ledger).await {
                tracing::warn!(%error, "the ledger cannot be held against its anchor");
            }
            // The question above was the first read, which makes the log.
            ledger.log = identity(&super::stats::wal_path(&ledger.path)).ok();
        }
        Ok(ledger)
    }

    /// Whether the paths still lead to the file that was opened, and to its log.
    pub(super) fn same_file(&self) -> bool {
        let log = || identity(&super::stats::wal_path(&self.path)).ok();
        identity(&self.path).is_ok_and(|now| now == self.identity)
            && self.log.is_none_or(|opened| log() == Some(opened))
    }
}

fn slot(connection: SqliteConnection) -> Slot {
    Arc::new(Mutex::new(Some(connection)))
}

fn identity(path: &Path) -> std::io::Result<Identity> {
    let metadata = std::fs::metadata(path)?;
    Ok(Identity {
        device: metadata.dev(),
        inode: metadata.ino(),
    })
}

fn path_of(url_or_path: &str) -> Result<PathBuf, LedgerError> {
    let refuse = |problem: &str| LedgerError::NotOurs {
        path: url_or_path.to_owned(),
        problem: problem.to_owned(),
    };
    let path = url_or_path
        .strip_prefix("sqlite://")
        .or_else(|| url_or_path.strip_prefix("sqlite:"))
        .unwrap_or(url_or_path);
    if path.contains("://") {
        return Err(refuse("only `sqlite:PATH` is supported here"));
    }
    if path.is_empty() || path == ":memory:" {
        return Err(refuse("a ledger is a file: give its path"));
    }
    Ok(PathBuf::from(path))
}

/// How a connection is made, and what it is told first.
pub(super) struct How {
    options: SqliteConnectOptions,
    /// `temp_store` comes first: it throws away the schema, which whatever is asked before it has read. The version
    /// comes last.
    setup: &'static str,
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        // A request's worth of rows is handed over at once, not by fifties.
        .row_buffer_size(1024)
        .disable_statement_logging()
}

/// Reads a file, whatever it is.
pub(super) fn looking(path: &Path) -> How {
    How {
        options: options(path).read_only(true),
        setup: "PRAGMA temp_store = MEMORY; SELECT sqlite_version()",
    }
}

/// Makes a ledger, or migrates one.
pub(super) fn making(path: &Path) -> How {
    How {
        options: options(path).create_if_missing(true),
        setup: "PRAGMA temp_store = MEMORY; PRAGMA synchronous = FULL; SELECT sqlite_version()",
    }
}

/// Fills a file that is synced as a whole before it takes its place.
#[cfg(feature = "postgres")]
pub(super) fn filling(path: &Path) -> How {
    How {
        options: options(path),
        setup: "PRAGMA temp_store = MEMORY;
                PRAGMA journal_mode = DELETE;
                PRAGMA synchronous = OFF;
                SELECT sqlite_version()",
    }
}

/// Page caches are in KiB, as SQLite spells it. Small: what a cache once held the allocator keeps (neither
/// `shrink_memory` nor closing gave it back), and an idle daemon has 20 MiB in all. Only a
/// bulk import raises the writer's (`intake`).
pub(super) fn reading(path: &Path) -> How {
    How {
        options: options(path).read_only(true),
        setup: "PRAGMA temp_store = MEMORY;
                PRAGMA query_only = ON;
                PRAGMA cache_size = -2048;
                SELECT sqlite_version()",
    }
}

/// WAL is kept in the file, but a restored backup comes without it. It is checkpointed at 16,384 pages, 64 MiB
/// (the bound of faults.md D16), and its file cut back to that. What is deleted is overwritten: an id that was
/// redacted is not to be read off the file's free bytes.
pub(super) fn writing(path: &Path) -> How {
    How {
        options: options(path),
        setup: "PRAGMA temp_store = MEMORY;
                PRAGMA journal_mode = WAL;
                PRAGMA synchronous = FULL;
                PRAGMA cache_size = -4096;
                PRAGMA wal_autocheckpoint = 16384;
                PRAGMA journal_size_limit = 67108864;
                PRAGMA secure_delete = ON;
                SELECT sqlite_version()",
    }
}

/// A connection to a whole ledger, each page of which is held against its checksum when it is read.
pub(super) async fn checked(how: &How) -> Result<SqliteConnection, LedgerError> {
    let mut connection = connect(how).await?;
    checksum::ensure_on(&mut connection).await?;
    Ok(connection)
}

pub(super) async fn connect(how: &How) -> Result<SqliteConnection, LedgerError> {
    checksum::register()?;
    let mut connection = SqliteConnection::connect_with(&how.options)
        .await
        .map_err(during("opening the ledger"))?;
    planner::steady(&mut connection).await?;
    let said = sqlx::raw_sql(how.setup)
        .fetch_all(&mut connection)
        .await
        .map_err(during("setting up a connection to the ledger"))?;
    let version: String = match said.last() {
        Some(row) => row.try_get(0).map_err(during("asking SQLite for its version"))?,
        None => return Err(damaged("SQLite does not say its version")),
    };
    if is_older(&version) {
        let (major, minor, patch) = OLDEST_SQLITE;
        return Err(LedgerError::NotOurs {
            path: how.options.get_filename().display().to_string(),
            problem: format!(
                "SQLite {version} can corrupt it; this program needs {major}.{minor}.{patch} or newer"
            ),
        });
    }
    Ok(connection)
}

fn is_older(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next()) < OLDEST_SQLITE
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In WAL mode 2 (FULL) means that a commit has waited for the disk; `tests/kill` sees the fsync.
    #[tokio::test]
    async fn a_commit_waits_for_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        drop(
            SqliteLedger::open(path.to_str().unwrap(), OpenMode::ReadWrite)
                .await
                .unwrap(),
        );
        let mut writer = connect(&writing(&path)).await.unwrap();
        let mut ask = async |question: &'static str| -> String {
            sqlx::query_scalar(question).fetch_one(&mut writer).await.unwrap()
        };
        assert_eq!(ask("SELECT journal_mode FROM pragma_journal_mode").await, "wal");
        assert_eq!(
            ask("SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous").await,
            "2"
        );
    }

    #[test]
    fn urls_and_paths_lead_to_the_same_file_and_other_databases_are_refused() {
        for url in ["sqlite:///var/x.db", "sqlite:/var/x.db", "/var/x.db"] {
            assert_eq!(path_of(url).unwrap(), PathBuf::from("/var/x.db"), "{url}");
        }
        for url in ["postgres://host/db", "sqlite:", "", ":memory:", "sqlite::memory:"] {
            assert!(path_of(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_sqlite_that_corrupts_wal_files_is_told_apart() {
        for (version, older) in [
            ("3.40.1", true),
            ("3.51.2", true),
            ("3.51.3", false),
            ("3.60.0", false),
            ("4.0", false),
        ] {
            assert_eq!(is_older(version), older, "{version}");
        }
    }
}
