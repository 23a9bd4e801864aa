//! Sizes and counts, and whole copies.

use std::path::{Path, PathBuf};

use sqlx::{Connection, SqliteConnection};

use super::checksum;
use super::fault::{conflict, during};
use super::open::{connect, looking};
use super::rows::{count, state};
use crate::ledger::{LedgerError, Stat};

pub(super) async fn stats(tx: &mut SqliteConnection, path: &Path) -> Result<Vec<Stat>, LedgerError> {
    let context = "reading the ledger's size";
    let (pages, free, size): (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT page_count FROM pragma_page_count),
                (SELECT freelist_count FROM pragma_freelist_count),
                (SELECT page_size FROM pragma_page_size)",
    )
    .fetch_one(&mut *tx)
    .await
    .map_err(during(context))?;
    let (pages, free, size) = (count(pages)?, count(free)?, count(size)?);
    let wal = std::fs::metadata(wal_path(path)).map_or(0, |metadata| metadata.len());
    let mut stats = vec![
        stat("database", pages * size, "bytes"),
        stat("free inside", free * size, "bytes"),
        stat("write-ahead log", wal, "bytes"),
    ];
    let by_state: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT state, sum(files)
         FROM tallies
         GROUP BY state
         HAVING sum(files) > 0
         ORDER BY state",
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(during(context))?;
    for (code, files) in by_state {
        stats.push(stat(state(code)?.name(), count(files)?, "files"));
    }
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT 'batches', count(*) FROM batches
         UNION ALL SELECT 'attributes', count(*) FROM attributes
         UNION ALL SELECT 'linked copies', count(*) FROM copies
         UNION ALL SELECT 'sweeps', count(*) FROM sweeps
         UNION ALL SELECT 'attempts', count(*) FROM attempts
         UNION ALL SELECT 'holds', count(*) FROM holds",
    )
    .fetch_all(tx)
    .await
    .map_err(during(context))?;
    const NAMES: [&str; 6] = [
        "batches",
        "attributes",
        "linked copies",
        "sweeps",
        "attempts",
        "holds",
    ];
    for (name, (_, rows)) in NAMES.into_iter().zip(rows) {
        stats.push(stat(name, count(rows)?, "rows"));
    }
    Ok(stats)
}

fn stat(name: &'static str, value: u64, unit: &'static str) -> Stat {
    Stat { name, value, unit }
}

pub(super) fn wal_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// A copy on a connection of its own: a long copy keeps neither readers nor the writer waiting.
pub(super) async fn backup(path: &Path, to: &Path) -> Result<(), LedgerError> {
    let (path, to) = (path.to_owned(), to.to_owned());
    let copy = async move {
        let mut connection = connect(&looking(&path)).await?;
        let done = copy_to(&mut connection, &to).await;
        // A connection that only read has nothing to lose in closing.
        let _ = connection.close().await;
        done
    };
    super::finish(tokio::spawn(copy)).await
}

/// A whole, consistent copy; `to` comes into being complete and on the disk, or not at all.
pub(super) async fn copy_to(connection: &mut SqliteConnection, to: &Path) -> Result<(), LedgerError> {
    if to.exists() {
        return Err(conflict(to.display().to_string(), "there is something already"));
    }
    let partial = partial_path(to);
    let target = partial.to_str().ok_or_else(|| LedgerError::NotWritable {
        problem: format!("{}: the path is not UTF-8", partial.display()),
    })?;
    let refuse = |error: std::io::Error| LedgerError::NotWritable {
        problem: format!("{}: {error}", to.display()),
    };
    match std::fs::remove_file(&partial) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(refuse(error)),
    }
    sqlx::query("VACUUM INTO ?1")
        .bind(target)
        .execute(connection)
        .await
        .map_err(during("copying the ledger"))?;
    checksum::seal(&partial)
        .and_then(|()| std::fs::rename(&partial, to))
        .and_then(|()| sync_directory(to))
        .map_err(refuse)
}

fn partial_path(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

fn sync_directory(of: &Path) -> std::io::Result<()> {
    let directory = match of.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    std::fs::File::open(directory)?.sync_all()
}
