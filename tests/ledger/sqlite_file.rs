//! What is particular to a ledger in a file: whose file it is, locks, crashes, cancelled callers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use retentiond::ledger::{
    Controls, Figures, Intake, LedgerError, OpenMode, Rules, SqliteLedger, StoredFile, StoredPlan, Sweeps,
};
use sqlx::{ConnectOptions, Connection};

use crate::world::*;

struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn ledger(&self) -> PathBuf {
        self.0.path().join("ledger.db")
    }
}

async fn open_as(path: &Path, mode: OpenMode) -> Result<SqliteLedger, LedgerError> {
    SqliteLedger::open(path.to_str().unwrap(), mode).await
}

async fn made(dir: &Dir) -> SqliteLedger {
    open_as(&dir.ledger(), OpenMode::ReadWrite).await.unwrap()
}

/// A foreign hand at the file.
async fn tamper(path: &Path, statements: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn reading_makes_no_ledger() {
    let dir = Dir::new();
    let missing = open_as(&dir.ledger(), OpenMode::ReadOnly).await.unwrap_err();
    assert!(matches!(missing, LedgerError::Missing { .. }), "{missing}");
    assert!(!dir.ledger().exists());
    let nowhere = open_as(&dir.0.path().join("no/such.db"), OpenMode::ReadWrite)
        .await
        .unwrap_err();
    assert!(matches!(nowhere, LedgerError::NotWritable { .. }), "{nowhere}");
}

#[tokio::test]
async fn a_reader_sees_what_a_writer_writes_and_writes_nothing() {
    let dir = Dir::new();
    let writer = made(&dir).await;
    let reader = open_as(&dir.ledger(), OpenMode::ReadOnly).await.unwrap();
    writer.record(&rows(0..3), &digest("one"), at(0)).await.unwrap();
    assert_eq!(reader.live(&policy("p")).await.unwrap(), 3);
    let refused = reader
        .record(&rows(3..4), &digest("one"), at(0))
        .await
        .unwrap_err();
    assert!(matches!(refused, LedgerError::NotWritable { .. }), "{refused}");
    writer.close().await;
    assert_eq!(reader.check(true).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn foreign_files_are_refused_with_every_byte_unchanged() {
    let dir = Dir::new();
    let text = dir.0.path().join("notes.txt");
    std::fs::write(
        &text,
        "shopping list, long enough to be taken for a page of something",
    )
    .unwrap();
    let database = dir.0.path().join("other.db");
    tamper(&database, "CREATE TABLE t (x); INSERT INTO t VALUES (1);").await;
    let marked = dir.0.path().join("marked.db");
    tamper(&marked, "PRAGMA application_id = 99; CREATE TABLE t (x);").await;
    for path in [&text, &database, &marked] {
        let before = std::fs::read(path).unwrap();
        for mode in [OpenMode::ReadOnly, OpenMode::ReadWrite] {
            let refused = open_as(path, mode).await.unwrap_err();
            assert!(
                matches!(refused, LedgerError::NotOurs { .. }),
                "{}: {refused}",
                path.display()
            );
        }
        assert_eq!(std::fs::read(path).unwrap(), before, "{}", path.display());
    }
    assert!(matches!(
        open_as(dir.0.path(), OpenMode::ReadWrite).await,
        Err(LedgerError::NotOurs { .. })
    ));
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_every_byte_unchanged() {
    let dir = Dir::new();
    made(&dir).await.close().await;
    tamper(&dir.ledger(), "PRAGMA user_version = 99;").await;
    let before = std::fs::read(dir.ledger()).unwrap();
    for mode in [OpenMode::ReadOnly, OpenMode::ReadWrite] {
        let refused = open_as(&dir.ledger(), mode).await.unwrap_err();
        assert!(matches!(refused, LedgerError::NotOurs { .. }), "{refused}");
        assert!(refused.to_string().contains("99"), "{refused}");
    }
    assert_eq!(std::fs::read(dir.ledger()).unwrap(), before);
    let names: Vec<_> = std::fs::read_dir(dir.0.path())
        .unwrap()
        .map(|f| f.unwrap().file_name())
        .collect();
    assert!(
        names
            .iter()
            .all(|name| name == "ledger.db" || name == "ledger.db.anchor"),
        "{names:?}"
    );
}

#[tokio::test]
async fn a_first_start_that_was_interrupted_is_begun_again() {
    let dir = Dir::new();
    std::fs::write(dir.ledger(), "").unwrap();
    let missing = open_as(&dir.ledger(), OpenMode::ReadOnly).await.unwrap_err();
    assert!(matches!(missing, LedgerError::Missing { .. }), "{missing}");
    let ledger = made(&dir).await;
    ledger.record(&rows(0..1), &digest("one"), at(0)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_start_at_once_make_one_ledger() {
    for _ in 0..10 {
        let dir = Dir::new();
        let openings: Vec<_> = (0..4)
            .map(|_| {
                let path = dir.ledger();
                tokio::spawn(async move { open_as(&path, OpenMode::ReadWrite).await })
            })
            .collect();
        for (n, opening) in openings.into_iter().enumerate() {
            let ledger = opening.await.unwrap().unwrap();
            ledger
                .record(&rows(n..n + 1), &digest("one"), at(0))
                .await
                .unwrap();
        }
        let ledger = made(&dir).await;
        assert_eq!(ledger.live(&policy("p")).await.unwrap(), 4);
        let backups = std::fs::read_dir(dir.0.path()).unwrap().filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_string_lossy().contains("bak")
        });
        assert_eq!(backups.count(), 0, "there was nothing to migrate");
    }
}

#[tokio::test]
async fn a_ledger_that_was_replaced_is_noticed() {
    let dir = Dir::new();
    let ledger = made(&dir).await;
    assert!(ledger.intact().await.unwrap());
    let aside = dir.0.path().join("aside.db");
    std::fs::rename(dir.ledger(), &aside).unwrap();
    assert!(!ledger.intact().await.unwrap(), "gone");
    std::fs::copy(&aside, dir.ledger()).unwrap();
    assert!(
        !ledger.intact().await.unwrap(),
        "another file with the same content"
    );
    std::fs::rename(&aside, dir.ledger()).unwrap();
    assert!(ledger.intact().await.unwrap());
}

#[tokio::test]
async fn damage_is_found_by_the_check() {
    let dir = Dir::new();
    let ledger = made(&dir).await;
    ledger
        .record(&rows(0..2000), &digest("one"), at(0))
        .await
        .unwrap();
    ledger.close().await;
    tamper(&dir.ledger(), "UPDATE tallies SET files = files + 1;").await;
    let found = made(&dir).await.check(false).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("tally"), "{found:?}");
    tamper(
        &dir.ledger(),
        "UPDATE tallies SET files = files - 1; UPDATE files SET state = 2 WHERE file_id = 'f000007';
         UPDATE files SET state = 1 WHERE file_id = 'f000008';",
    )
    .await;
    let found = made(&dir).await.check(false).await.unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].contains("f000008") && found[1].contains("f000007"),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_torn_page_is_found_by_the_check() {
    let dir = Dir::new();
    let ledger = made(&dir).await;
    ledger
        .record(&rows(0..5000), &digest("one"), at(0))
        .await
        .unwrap();
    ledger.close().await;
    let mut bytes = std::fs::read(dir.ledger()).unwrap();
    let middle = bytes.len() / 4096 / 2 * 4096;
    bytes[middle..middle + 2048].fill(0xff);
    std::fs::write(dir.ledger(), bytes).unwrap();
    let found = made(&dir).await.check(true).await.unwrap();
    assert!(!found.is_empty());
}

#[tokio::test]
async fn a_row_of_a_file_is_never_removed() {
    let dir = Dir::new();
    let ledger = made(&dir).await;
    ledger.record(&rows(0..1), &digest("one"), at(0)).await.unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.ledger());
    let mut connection = options.connect().await.unwrap();
    let refused = sqlx::query("DELETE FROM files")
        .execute(&mut connection)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("never removed"), "{refused}");
}

#[tokio::test]
async fn a_writer_in_another_process_is_waited_for_and_then_named() {
    let dir = Dir::new();
    let ledger = made(&dir).await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.ledger());
    let mut other = options.connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let busy = ledger.set_setting("a", Some("b")).await.unwrap_err();
    assert!(matches!(busy, LedgerError::Busy), "{busy}");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    ledger.set_setting("a", Some("b")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_are_not_kept_waiting_by_a_big_write() {
    let dir = Dir::new();
    let ledger = Arc::new(made(&dir).await);
    ledger.record(&rows(0..10), &digest("one"), at(0)).await.unwrap();
    let writing = tokio::spawn({
        let ledger = Arc::clone(&ledger);
        async move {
            ledger
                .record(&rows(10..60_000), &digest("one"), at(0))
                .await
                .unwrap()
        }
    });
    let mut seen = 0;
    while !writing.is_finished() {
        let live = ledger.live(&policy("p")).await.unwrap();
        assert!(
            live == 10 || live == 60_000,
            "{live}: a snapshot, never half a list"
        );
        seen += 1;
    }
    assert!(seen > 1, "read {seen} times meanwhile");
    assert_eq!(writing.await.unwrap().added, 59_990);
    assert_eq!(ledger.live(&policy("p")).await.unwrap(), 60_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_caller_goes_away_is_whole_or_nothing() {
    let dir = Dir::new();
    let ledger = made(&dir).await;
    a_write_without_its_caller_is_whole_or_nothing(&ledger).await;
}

#[tokio::test]
async fn a_read_whose_caller_goes_away_leaves_the_reader_free() {
    let dir = Dir::new();
    let ledger = made(&dir).await;
    ledger
        .record(&rows(0..5000), &digest("one"), at(0))
        .await
        .unwrap();
    for _ in 0..10 {
        let mut reading = Box::pin(ledger.check(true));
        let pending =
            std::future::poll_fn(|cx| std::task::Poll::Ready(reading.as_mut().poll(cx).is_pending()));
        pending.await;
    }
    ledger
        .record(&rows(5000..5001), &digest("one"), at(0))
        .await
        .unwrap();
    assert_eq!(
        ledger.live(&policy("p")).await.unwrap(),
        5001,
        "no reader is left in an old snapshot"
    );
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_starts_no_time_out() {
    let dir = Dir::new();
    let ledger = Arc::new(made(&dir).await);
    let writes: Vec<_> = (0..20)
        .map(|n| {
            let ledger = Arc::clone(&ledger);
            tokio::spawn(async move {
                ledger
                    .record(&rows(n * 100..n * 100 + 100), &digest("one"), at(0))
                    .await
            })
        })
        .collect();
    for write in writes {
        assert_eq!(write.await.unwrap().unwrap().added, 100);
    }
}

#[tokio::test]
async fn a_closed_ledger_refuses_every_call() {
    let dir = Dir::new();
    let ledger = made(&dir).await;
    ledger.close().await;
    assert!(matches!(
        ledger.breakers().await,
        Err(LedgerError::NotWritable { .. })
    ));
    assert!(matches!(
        ledger.set_setting("a", None).await,
        Err(LedgerError::NotWritable { .. })
    ));
    assert!(
        !dir.0.path().join("ledger.db-wal").exists(),
        "the log went into the file"
    );
}

#[tokio::test]
async fn what_a_write_returned_from_is_in_the_files_at_once() {
    let dir = Dir::new();
    let ledger = made(&dir).await;
    ledger.open_sweep(&open("p", Some(at(3)))).await.unwrap();
    // What the files hold at this moment, as a crash of the process would leave them.
    let copy = Dir::new();
    for suffix in ["", "-wal"] {
        let name = format!("ledger.db{suffix}");
        std::fs::copy(dir.0.path().join(&name), copy.0.path().join(&name)).unwrap();
    }
    let after = made(&copy).await;
    assert_eq!(after.sweeps(None, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_stored_plan_with_one_byte_changed_is_noticed() {
    let changes = [
        "UPDATE plan_files SET due_at = due_at + 1 WHERE place = 1",
        "UPDATE plan_files SET starts_at = starts_at - 1 WHERE place = 0",
        "UPDATE plan_files SET file_id = 'f000002' WHERE place = 1",
        "DELETE FROM plan_files WHERE place = 0",
        "INSERT INTO plan_files (plan, place, batch, file_id, starts_at, due_at)
         SELECT plan, 2, batch, 'f000002', starts_at, due_at FROM plan_files WHERE place = 0",
        "UPDATE plans SET files = files + 1",
        "UPDATE batches SET batch = 'b2'",
        "UPDATE batches SET module = 'extraction'",
        "UPDATE policies SET name = name || '2'",
        "UPDATE rule_sets SET digest = digest || '2'",
    ];
    for change in changes {
        let dir = Dir::new();
        let ledger = made(&dir).await;
        ledger.adopt_rules(&digest("one"), "", at(0)).await.unwrap();
        ledger.record(&rows(0..3), &digest("one"), at(0)).await.unwrap();
        let opening = ledger.open_sweep(&open("p", None)).await.unwrap();
        let retentiond::ledger::Opened::New(sweep) = opening else {
            panic!("a sweep without an occurrence is always new: {opening:?}");
        };
        let batch = ledger.batch_key(&batch_address("b1")).await.unwrap().unwrap();
        let files: Vec<StoredFile> = (0..2)
            .map(|place| StoredFile {
                place,
                key: retentiond::model::FileKey {
                    batch,
                    file: id(&format!("f{place:06}")),
                },
                batch: std::sync::Arc::new(batch_address("b1")),
                starts_at: at(0),
                due_at: at(3),
            })
            .collect();
        let mut hasher = retentiond::rules::plan::PlanHasher::new(&policy("p"), &digest("one"), 2);
        for file in &files {
            hasher.add(&file.batch, file.key.file.as_str(), file.starts_at, file.due_at);
        }
        let plan = StoredPlan {
            hash: hasher.finish(),
            policy: policy("p"),
            rules: digest("one"),
            at: at(4),
            files: 2,
            waits_for: Some("approval".to_owned()),
        };
        ledger.store_plan(&plan, &files, sweep).await.unwrap();
        assert_eq!(
            ledger.recomputed_hash(&plan.hash).await.unwrap().as_ref(),
            Some(&plan.hash)
        );
        tamper(&dir.ledger(), change).await;
        let found = ledger.recomputed_hash(&plan.hash).await;
        let shows = found.is_err() || found.unwrap() != Some(plan.hash);
        assert!(shows, "{change}");
        ledger.close().await;
    }
}
